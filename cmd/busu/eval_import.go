package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/busuhq/busu/internal/routellm"
)

type importRouteLLMCommand struct {
	Dir string `arg:"" help:"A checkout of github.com/lm-sys/RouteLLM." placeholder:"DIR"`
	Out string `default:"." help:"Directory for routellm_mmlu.jsonl, routellm_gsm8k.jsonl and routellm_mtbench.jsonl." placeholder:"DIR"`
}

func (importRouteLLMCommand) Help() string {
	return `Makes the files that busu eval routing takes from the outcomes that RouteLLM recorded
(Apache-2.0; MMLU and GSM8K MIT). You fetch the repository; busu ships none of it. What it
lists as contaminated is left out; costs are estimated from list prices and lengths.
The names of the files go to standard output, one a line.

Example:

  git clone https://github.com/lm-sys/RouteLLM
  busu eval import-routellm RouteLLM --out data
  busu eval routing --data data/routellm_mmlu.jsonl --folds 5`
}

func (c importRouteLLMCommand) Run() error {
	sets, err := routellm.Read(os.DirFS(c.Dir))
	if err != nil {
		return fmt.Errorf("%s: %w", c.Dir, err)
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	for _, s := range sets {
		var rows bytes.Buffer
		if err := routellm.Write(&rows, s.Rows); err != nil {
			return err
		}
		name := filepath.Join(c.Out, "routellm_"+s.Name+".jsonl")
		if err := replaceFile(name, rows.Bytes()); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: %d prompts, %d contaminated ones left out\n", s.Name, len(s.Rows), s.Contaminated)
		fmt.Println(name)
	}
	return nil
}
