package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/busuhq/busu/internal/pricelist"
	"github.com/busuhq/busu/internal/pricing"
)

type pricesImportCommand struct {
	File  string `arg:"" help:"The list, as downloaded."`
	From  string `required:"" enum:"litellm,models.dev" help:"Whose list it is: litellm or models.dev." placeholder:"LIST"`
	Out   string `help:"The price file to write; without it, it goes to standard output." placeholder:"FILE"`
	Force bool   `help:"Write it even where it looks wrong."`
	All   bool   `help:"Name every entry that could not be converted."`
}

func (pricesImportCommand) Help() string {
	return `Converts a public list of prices into a price file, which busu.yaml names under
prices.file. You fetch the list; busu ships none:

  litellm      model_prices_and_context_window.json of BerriAI/litellm
  models.dev   https://models.dev/api.json

What a price file cannot say is left out, and counted on standard error. A list
that is not whole, or moves a price more than tenfold, is refused.

Example:

  busu prices import model_prices_and_context_window.json --from litellm --out prices.yaml`
}

func (c pricesImportCommand) Run() error {
	now := time.Now().UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	imported, err := pricelist.Read(c.From, text, today)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	report(os.Stderr, imported, c.All)
	if err := c.doubt(imported, base, today); err != nil {
		return err
	}
	table := imported.Table(c.From+" "+today.Format(time.DateOnly), base, today)
	written := table.YAML()
	if _, err := pricing.ParseTable(written); err != nil {
		return fmt.Errorf("what was made of %s cannot be read again: %w", c.File, err)
	}
	if c.Out == "" {
		_, err = os.Stdout.Write(written)
		return err
	}
	return replaceFile(c.Out, written)
}

// base is what is known so far: the built-in table, under the price file that
// is to be replaced.
func (c pricesImportCommand) base() (pricing.Table, error) {
	base, err := pricing.Builtin()
	if err != nil || c.Out == "" {
		return base, err
	}
	text, err := os.ReadFile(c.Out)
	if errors.Is(err, fs.ErrNotExist) {
		return base, nil
	}
	if err != nil {
		return base, err
	}
	before, err := pricing.ParseTable(text)
	if err != nil {
		return base, fmt.Errorf("%s is there, and is no price file (%w): move it away first", c.Out, err)
	}
	return before.Over(base), nil
}

// doubt refuses what looks wrong, unless told not to.
func (c pricesImportCommand) doubt(i pricelist.Imported, base pricing.Table, today time.Time) error {
	few := i.Enough()
	leaps := i.Leaps(base, today)
	for _, leap := range leaps {
		fmt.Fprintln(os.Stderr, "moved more than tenfold:", leap)
	}
	if c.Force {
		return nil
	}
	if few != nil {
		return fmt.Errorf("%s: %w; --force takes it all the same", c.File, few)
	}
	if len(leaps) > 0 {
		return fmt.Errorf("%s moves %d prices more than tenfold: nothing was written; look at them, and use --force if they are right", c.File, len(leaps))
	}
	return nil
}

// report says what became of the list.
func report(w io.Writer, i pricelist.Imported, all bool) {
	fmt.Fprintf(w, "%d prices converted, %d entries left out\n", len(i.Rows), len(i.Skipped))
	const examples = 3
	for first := 0; first < len(i.Skipped); {
		reason, last := i.Skipped[first].Reason, first
		for last < len(i.Skipped) && i.Skipped[last].Reason == reason {
			last++
		}
		fmt.Fprintf(w, "  %d: %s\n", last-first, reason)
		shown := last
		if !all {
			shown = min(last, first+examples)
		}
		for _, s := range i.Skipped[first:shown] {
			fmt.Fprintf(w, "    %s\n", s.Name)
		}
		if shown < last {
			fmt.Fprintf(w, "    …\n")
		}
		first = last
	}
}

// replaceFile writes a file whole or not at all: whoever reads it meanwhile
// reads the old one.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	const readable = 0o644 // prices are no secret
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(readable), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // renamed; the directory reaches the disk in its own time
	}
	return errors.Join(dir.Sync(), dir.Close())
}
