package main

import (
	"github.com/tideline/tideline/cmd/internal/status"
	"github.com/tideline/tideline/timeline"
)

// The output of `status --json`: instants as RFC 3339, null where there is none yet.
type (
	reportJSON struct {
		Pipeline string       `json:"pipeline"`
		Plan     string       `json:"plan"`
		Streams  []streamJSON `json:"streams"`
		Stages   []stageJSON  `json:"stages"`
		Views    []viewJSON   `json:"views"`
	}
	streamJSON struct {
		Name       string      `json:"name"`
		Topic      string      `json:"topic"`
		Partitions []inputJSON `json:"partitions"`
	}
	inputJSON struct {
		Topic        string  `json:"topic"`
		Partition    int32   `json:"partition"`
		Position     int64   `json:"position"`
		End          int64   `json:"end"`
		Lag          int64   `json:"lag"`
		Read         int64   `json:"read"`
		Applied      int64   `json:"applied"`
		Duplicates   int64   `json:"duplicates"`
		DeadLettered int64   `json:"dead_lettered"`
		Heartbeats   int64   `json:"heartbeats"`
		Late         int64   `json:"late"`
		Raised       int64   `json:"raised"`
		Latest       *string `json:"latest"`
	}
	stageJSON struct {
		Name       string          `json:"name"`
		Group      string          `json:"group"`
		View       string          `json:"view,omitempty"`
		Partitions []partitionJSON `json:"partitions"`
	}
	partitionJSON struct {
		Partition int32       `json:"partition"`
		Watermark *string     `json:"watermark"`
		Quality   string      `json:"quality"`
		Lag       int64       `json:"lag"`
		HeldBy    holdJSON    `json:"held_by"`
		Inputs    []inputJSON `json:"inputs"`
	}
	holdJSON struct {
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		At        *string `json:"at"`
	}
	viewJSON struct {
		Name       string   `json:"name"`
		Partitions int      `json:"partitions"`
		Watermark  *string  `json:"watermark"`
		Quality    string   `json:"quality"`
		HeldBy     holdJSON `json:"held_by"`
	}
)

func statusJSON(r *status.Report) reportJSON {
	out := reportJSON{Pipeline: r.Pipeline, Plan: r.Version}
	for _, s := range r.Streams {
		out.Streams = append(out.Streams, streamJSON{s.Name, s.Topic, inputsJSON(s.Partitions)})
	}
	for _, s := range r.Stages {
		stage := stageJSON{Name: s.Name, Group: s.Group, View: s.View}
		for _, p := range s.Partitions {
			stage.Partitions = append(stage.Partitions, partitionJSON{
				p.Partition, instantJSON(p.Watermark), p.Quality.String(), p.Lag,
				heldJSON(p.HeldBy), inputsJSON(p.Inputs),
			})
		}
		out.Stages = append(out.Stages, stage)
	}
	for _, v := range r.Views {
		out.Views = append(out.Views, viewJSON{
			v.Name, v.Partitions, instantJSON(v.Watermark), v.Quality.String(), heldJSON(v.HeldBy),
		})
	}
	return out
}

func inputsJSON(ins []status.Input) []inputJSON {
	out := make([]inputJSON, 0, len(ins))
	for _, i := range ins {
		out = append(out, inputJSON{
			i.Topic, i.Partition, i.Position, i.End, i.Lag(), i.Read, i.Applied, i.Duplicates,
			i.DeadLettered, i.Heartbeats, i.Late, i.Raised, instantJSON(i.Latest),
		})
	}
	return out
}

func heldJSON(h status.Hold) holdJSON { return holdJSON{h.Topic, h.Partition, instantJSON(h.At)} }

func instantJSON(t timeline.Time) *string {
	if t == timeline.MinTime {
		return nil
	}
	s := t.String()
	return &s
}
