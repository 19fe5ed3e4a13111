package plan

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tideline/tideline/processors/spec"
)

func TestExplore(t *testing.T) {
	files, _ := filepath.Glob("/work/shared/cases/*/pipeline.yaml")
	for _, f := range files {
		p, err := spec.Load(f)
		if err != nil {
			fmt.Println("SPEC", err)
			continue
		}
		pl, err := Build(p, func(string) (int, error) { return 4, nil })
		fmt.Println("==", f)
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, s := range pl.Stages {
			fmt.Println(s.Name, s.Group, s.Partitions, len(s.Inputs), s.Exchange != nil, s.View != nil)
			if s.View != nil {
				fmt.Println("   ", schemaText(s.View.Schema), s.Join.Lanes)
				for _, o := range s.Join.Output {
					fmt.Printf("   %s := %T %s\n", o.Name, o.Expr, o.Expr)
				}
			}
		}
	}
}
