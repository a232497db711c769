package pipeline

import (
	"encoding/json"
	"os"

	"github.com/busuhq/busu/bench/measure"
)

// results are all figures of a run.
type results struct {
	*measure.Results
	Events      int    `json:"events"`
	EventBytes  int    `json:"event_bytes"`
	AppendFsync string `json:"appendfsync"`
}

// write puts the report and the figures where they are wanted.
func (r *results) write(o Options) error {
	if o.JSON != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.Report == "" {
		_, err := os.Stdout.WriteString(r.report())
		return err
	}
	return os.WriteFile(o.Report, []byte(r.report()), 0o644)
}
