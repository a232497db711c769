package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/doctor"
	"github.com/busuhq/busu/internal/redisdb"
)

type doctorCommand struct {
	Probe bool `help:"Ask each provider which models it has, with its key. That costs nothing, and leaves this machine."`
	JSON  bool `help:"Print JSON." name:"json"`
	Quiet bool `help:"Leave out what is well." short:"q"`
}

func (doctorCommand) Help() string {
	return `Looks at the configuration, this machine (disk, open files, the container's
limits), PostgreSQL and Redis (settings, clocks, migrations), the processes that
run, what waits and what could not be processed. A line for each: ok, warn or
fail, what was seen, and what to do. Changes nothing. Exits with 1 when
something fails.

Run it where busu runs, with the same environment.

Example:

  busu doctor
  busu doctor --probe --json | jq '.checks[] | select(.state != "ok")'`
}

// diagnosis is what is printed as JSON.
type diagnosis struct {
	State  doctor.State     `json:"state"` // the worst
	Checks []doctor.Verdict `json:"checks"`
}

func (c doctorCommand) Run(ctx context.Context) error {
	redisdb.Quiet()
	cfg, err := config.FromEnvironment(config.All)
	facts := doctor.Facts{Configuration: doctor.Configuration{}}
	if err != nil {
		facts.Configuration.Err = strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", " · ")
		facts.Host = hostFacts(config.Config{}) // the rest is not known
	} else {
		facts = gather(ctx, cfg, c.Probe)
	}
	verdicts := doctor.Judge(facts)
	worst := doctor.Worst(verdicts)
	shown := verdicts
	if c.Quiet {
		shown = unwell(verdicts)
	}
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(diagnosis{worst, shown})
	} else {
		if err = printVerdicts(os.Stdout, shown); err == nil {
			_, err = fmt.Println(summary(verdicts))
		}
	}
	if err == nil && worst == doctor.Fail {
		return errors.New("something fails: see above")
	}
	return err
}

func unwell(all []doctor.Verdict) []doctor.Verdict {
	left := []doctor.Verdict{}
	for _, v := range all {
		if v.State != doctor.OK {
			left = append(left, v)
		}
	}
	return left
}

func printVerdicts(w io.Writer, verdicts []doctor.Verdict) error {
	width := 0
	for _, v := range verdicts {
		width = max(width, len(v.Check))
	}
	var text strings.Builder
	for _, v := range verdicts {
		fmt.Fprintf(&text, "%-4s  %-*s  %s", v.State, width, v.Check, oneLine(v.Seen))
		if v.Do != "" {
			fmt.Fprintf(&text, " → %s", v.Do)
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// summary counts all, shown or not.
func summary(verdicts []doctor.Verdict) string {
	counts := map[doctor.State]int{}
	for _, v := range verdicts {
		counts[v.State]++
	}
	return fmt.Sprintf("%d ok, %d to look at, %d failing", counts[doctor.OK], counts[doctor.Warn], counts[doctor.Fail])
}

// oneLine keeps what others wrote, such as a driver's error, from breaking lines
// or speaking to the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
