package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tideline/tideline/cmd/internal/datadir"
	"github.com/tideline/tideline/cmd/internal/exit"
	"github.com/tideline/tideline/processors/spec"
	"github.com/tideline/tideline/timeline/catalog"
	"github.com/tideline/tideline/timeline/kafka"
)

const (
	defaultFile       = "pipeline.yaml"
	fileUsage         = "the pipeline file (default " + defaultFile + ")"
	defaultData       = "tideline-data"
	defaultPartitions = 4 // of source topics made on the embedded broker
)

func (a *app) fileFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVarP(&a.file, "file", "f", "", usage)
}

// brokerFlags, like the other flags that commands share, has no default in the flag
// itself: the commands share the variable too.
func (a *app) brokerFlags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&a.brokers, "brokers", nil,
		"Kafka brokers, host:port,... (default: the embedded broker)")
	cmd.Flags().StringVar(&a.data, "data", "", "data directory: the embedded broker's data, "+
		"local state and replicas (default "+defaultData+")")
}

func (a *app) pipelineFlags(cmd *cobra.Command) {
	a.brokerFlags(cmd)
	cmd.Flags().StringVar(&a.pipeline, "pipeline", "",
		"name of the pipeline (default: the only one on the brokers)")
	a.fileFlag(cmd, "take the pipeline's name from this file")
	cmd.MarkFlagsMutuallyExclusive("pipeline", "file")
}

// load reads the pipeline file.
func (a *app) load() (*spec.Pipeline, error) {
	if a.file == "" {
		a.file = defaultFile
	}
	p, err := spec.Load(a.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Errorf(exit.Usage, "no pipeline file %s; name one with -f", a.file)
	}
	return p, err
}

func (a *app) connect(ctx context.Context, use datadir.Use) (*datadir.Broker, error) {
	if a.data == "" {
		a.data = defaultData
	}
	return datadir.Connect(ctx, a.brokers, a.data, use)
}

var errNoPipelines = errors.New(
	"no pipeline has run here; start one with tideline run -f pipeline.yaml")

// pipelineName finds out which pipeline a reading command is about.
func (a *app) pipelineName(ctx context.Context, k kafka.Config) (string, error) {
	if a.pipeline != "" {
		return a.pipeline, nil
	}
	if a.file != "" {
		p, err := a.load()
		if err != nil {
			return "", err
		}
		return p.Name, nil
	}
	cl, err := k.NewClient()
	if err != nil {
		return "", err
	}
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for pipelines on %v: %w", k.Brokers, err)
	}
	var names []string
	for _, topic := range topics.Names() {
		name, ok := strings.CutSuffix(topic, catalog.Topic(""))
		if ok && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return "", exit.With(exit.NotFound, errNoPipelines)
	case 1:
		return names[0], nil
	}
	return "", exit.Errorf(exit.Usage, "several pipelines are here: %s; name one with --pipeline",
		strings.Join(names, ", "))
}

// ensureSources makes the source topics that are missing on the embedded broker. On
// Kafka they belong to others.
func ensureSources(ctx context.Context, b *datadir.Broker, cl *kgo.Client, partitions int,
	topics ...string,
) error {
	if !b.Embedded {
		return nil
	}
	if partitions == 0 {
		partitions = defaultPartitions
	}
	t := kafka.NewTopics(cl, 0, 0)
	for _, topic := range topics {
		_, err := t.Count(ctx, topic)
		if errors.Is(err, kafka.ErrNoTopic) {
			err = t.Ensure(ctx, topic, partitions, kafka.Keep)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func topicsOf(p *spec.Pipeline) []string {
	var topics []string
	for _, s := range p.Streams {
		topics = append(topics, s.Topic)
	}
	return topics
}

// printJSON prints v as one line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// self is how people call this program: as they did.
func self() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/tideline"
	}
	return "tideline"
}
