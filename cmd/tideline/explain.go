package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tideline/tideline/processors/plan"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/kafka"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain", Short: "Show how a pipeline would run: stages, topics, keys, state",
		Long: `Shows the plan of a pipeline file. Nothing runs. The source topics' partitions are
looked up if --brokers are given; otherwise they are taken to be as the file's
partitions: says, or 4.`,
		Args: cobra.NoArgs,
	}
	a.fileFlag(cmd, fileUsage)
	cmd.Flags().StringSliceVar(&a.brokers, "brokers", nil, "Kafka brokers, host:port,...")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		built, err := a.plan(cmd.Context(), p)
		if err != nil {
			return err
		}
		if a.json {
			return built.ExplainJSON(a.out)
		}
		return built.Explain(a.out)
	}
	return cmd
}

// plan plans a pipeline on the partitions that --brokers have, or on assumed ones.
func (a *app) plan(ctx context.Context, p *spec.Pipeline) (*plan.Plan, error) {
	if len(a.brokers) == 0 {
		return plan.Build(p, assumed(p))
	}
	cl, err := kafka.Config{Brokers: a.brokers}.NewClient()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	topics := kafka.NewTopics(cl, 0, 0)
	return plan.Build(p, func(topic string) (int, error) { return topics.Count(ctx, topic) })
}

func assumed(p *spec.Pipeline) func(string) (int, error) {
	n := p.Partitions
	if n == 0 {
		n = defaultPartitions
	}
	return func(string) (int, error) { return n, nil }
}
