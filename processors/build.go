package processors

import (
	"context"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
)

// Build plans a pipeline, from a file or built in Go, against the topics that exist on
// the brokers.
func Build(ctx context.Context, c kafka.Config, p *spec.Pipeline) (*plan.Plan, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	cl, err := c.NewClient()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	topics := kafka.NewTopics(cl, 0, 0)
	return plan.Build(p, func(topic string) (int, error) { return topics.Count(ctx, topic) })
}
