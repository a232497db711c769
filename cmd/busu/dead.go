package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/busuhq/busu/internal/redisdb"
)

type deadCommands struct {
	List   deadListCommand   `cmd:"" help:"List them with their reasons."`
	Show   deadShowCommand   `cmd:"" help:"Print one's original bytes."`
	Replay deadReplayCommand `cmd:"" help:"Put one, or all, back on their stream."`
}

type deadListCommand struct {
	Limit int `help:"How many at most." default:"100"`
}

func (deadListCommand) Help() string {
	return `Dead letters are events that the worker could not process. Nothing else waits
for them.

Example:

  busu dead list`
}

func (c deadListCommand) Run(ctx context.Context) error {
	return withRedis(func(db *redisdb.DB) error {
		letters, err := db.DeadLetters(ctx, "", c.Limit)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tSTREAM\tENTRY\tBYTES\tREASON")
		for _, d := range letters {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", d.ID, d.Stream, d.Entry, len(d.Body), d.Reason)
		}
		return table.Flush()
	})
}

type deadShowCommand struct {
	ID string `arg:"" help:"From busu dead list."`
}

func (deadShowCommand) Help() string {
	return `Example:

  busu dead show 1795453104390-0 | jq .`
}

func (c deadShowCommand) Run(ctx context.Context) error {
	return withRedis(func(db *redisdb.DB) error {
		letter, err := db.DeadLetter(ctx, c.ID)
		if err != nil {
			return noLetter(c.ID, err)
		}
		fmt.Fprintln(os.Stderr, letter.Reason)
		_, err = fmt.Println(letter.Body)
		return err
	})
}

func noLetter(id string, err error) error {
	if errors.Is(err, redisdb.ErrNone) {
		return fmt.Errorf("there is no dead letter %s: see busu dead list", id)
	}
	return err
}

type deadReplayCommand struct {
	ID  string `arg:"" optional:"" help:"From busu dead list."`
	All bool   `help:"Replay all that are there now."`
}

func (deadReplayCommand) Help() string {
	return `What still cannot be processed comes back as a new dead letter.

Example:

  busu dead replay 1795453104390-0
  busu dead replay --all`
}

func (c deadReplayCommand) Validate() error {
	if (c.ID == "") != c.All {
		return errors.New("name one dead letter, or --all")
	}
	return nil
}

func (c deadReplayCommand) Run(ctx context.Context) error {
	return withRedis(func(db *redisdb.DB) error {
		if !c.All {
			return noLetter(c.ID, db.Replay(ctx, c.ID))
		}
		letters, err := allLetters(ctx, db)
		if err != nil {
			return err
		}
		for _, letter := range letters {
			if err := db.Replay(ctx, letter.ID); err != nil && !errors.Is(err, redisdb.ErrNone) {
				return err
			}
		}
		fmt.Printf("%d replayed\n", len(letters))
		return nil
	})
}

// allLetters lists what is there now, so that what comes back at once is not
// replayed for ever.
func allLetters(ctx context.Context, db *redisdb.DB) (all []redisdb.Dead, err error) {
	const page = 500
	for after := ""; ; {
		letters, err := db.DeadLetters(ctx, after, page)
		if err != nil || len(letters) == 0 {
			return all, err
		}
		all = append(all, letters...)
		after = letters[len(letters)-1].ID
	}
}
