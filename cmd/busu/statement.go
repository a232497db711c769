package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/statement"
)

type statementCommands struct {
	Make   statementMakeCommand   `cmd:"" default:"withargs" help:"Make the statement of a month."`
	Verify statementVerifyCommand `cmd:"" help:"Check a signed statement."`
	Keygen statementKeygenCommand `cmd:"" help:"Make a key to sign statements with."`
}

type statementMakeCommand struct {
	Month       string        `help:"In UTC, such as 2026-11." required:""`
	Project     string        `help:"Whose." default:"${project}"`
	Share       string        `help:"A line with so much of the proven saving, such as 0.2; left out where none is proven."`
	Sign        string        `help:"PEM file of the private key; else BUSU_STATEMENT_KEY." placeholder:"FILE"`
	Provisional bool          `help:"Sign even what is not shown to be whole. It says so itself."`
	Out         string        `help:"Where to write it; else standard output." placeholder:"FILE"`
	Format      string        `help:"json or csv; csv is not signed." default:"json" enum:"json,csv"`
	Wait        time.Duration `help:"How long to wait for what is still under way." default:"30s"`
}

func (statementMakeCommand) Help() string {
	return `Says what a project used and paid in a month, what that would have cost on the
baseline, and what is proven to be saved. It is final when the ledger is shown to be
whole for the month, else provisional, with the reasons. It reads every row of the
month. With a key it is signed, where it is final.

Example:

  busu statement keygen --private statement.key --public statement.pub
  busu statement --month 2026-11 --share 0.2 --sign statement.key --out 2026-11.json
  busu statement verify 2026-11.json --public-key statement.pub`
}

func (c statementMakeCommand) Run(ctx context.Context) error {
	month, err := statement.ParseMonth(c.Month)
	if err != nil {
		return fmt.Errorf("--month %w", err)
	}
	var share int64
	if c.Share != "" {
		if share, err = statement.ParseShare(c.Share); err != nil {
			return fmt.Errorf("--share %w", err)
		}
	}
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	key, err := signingKey(c.Sign, cfg.StatementKey.Reveal())
	if err != nil {
		return err
	}
	var s statement.Statement
	err = withStores(ctx, cfg, func(ledger *postgres.DB, live *redisdb.DB) error {
		s, err = app.NewStatements(ledger, live).Make(ctx, c.Project, month, c.Wait)
		return err
	})
	if err != nil {
		return err
	}
	if share > 0 {
		charged, err := s.Charge(share)
		if err != nil {
			return err
		}
		if !charged {
			fmt.Fprintf(os.Stderr, "busu: no saving is proven (%s): there is no share of it\n", s.Proven.State)
		}
	}
	return c.handOut(s, key)
}

// signingKey is what signs, from a file or else from configured text; nil for
// nothing.
func signingKey(file, configured string) (ed25519.PrivateKey, error) {
	text := []byte(configured)
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	if len(text) == 0 {
		return nil, nil
	}
	key, err := statement.ParsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be used: %w", err)
	}
	return key, nil
}

// handOut writes the statement, signed where it may be.
func (c statementMakeCommand) handOut(s statement.Statement, key ed25519.PrivateKey) error {
	for _, reason := range s.Reasons {
		fmt.Fprintln(os.Stderr, "busu: provisional:", reason)
	}
	var text strings.Builder
	switch {
	case c.Format == "csv":
		if err := s.WriteCSV(&text); err != nil {
			return err
		}
		return c.write(text.String())
	case key != nil:
		signed, err := s.Sign(key, c.Provisional)
		switch {
		case err == nil:
			s = signed
		case !errors.Is(err, statement.ErrProvisional):
			return err
		case c.Sign != "": // it was asked for
			return errors.New("it is provisional, and not signed: see above, or use --provisional")
		default:
			fmt.Fprintln(os.Stderr, "busu: it is not signed: --provisional signs it nevertheless")
		}
	}
	document, err := s.Encode()
	if err != nil {
		return err
	}
	return c.write(string(document))
}

func (c statementMakeCommand) write(text string) error {
	if c.Out != "" {
		return os.WriteFile(c.Out, []byte(text), 0o644)
	}
	_, err := io.WriteString(os.Stdout, text)
	return err
}

type statementVerifyCommand struct {
	File      string `arg:"" help:"The statement, as it was handed out."`
	PublicKey string `required:"" help:"Of who signed: a PEM file, or the base64 of the key. Take it from them, not from the statement." placeholder:"KEY"`
	JSON      bool   `help:"Print the statement that was checked."`
}

func (statementVerifyCommand) Help() string {
	return `Checks the signature of a statement and that it adds up, and says what is in it. Exits
with 1 when a single byte is another one than was signed.

Example:

  busu statement verify 2026-11.json --public-key statement.pub`
}

func (c statementVerifyCommand) Run() error {
	document, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	key, err := readPublicKey(c.PublicKey)
	if err != nil {
		return err
	}
	s, err := statement.Verify(document, key)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, s)
	}
	return printStatement(os.Stdout, &s)
}

func readPublicKey(given string) (ed25519.PublicKey, error) {
	if key, err := statement.ParsePublic([]byte(given)); err == nil {
		return key, nil
	}
	text, err := os.ReadFile(given)
	if err != nil {
		return nil, fmt.Errorf("--public-key is neither a key nor a file: %w", err)
	}
	return statement.ParsePublic(text)
}

func printStatement(w io.Writer, s *statement.Statement) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, nanos int64) { fmt.Fprintf(table, "%s\t%s USD\n", name, pricing.Nanos(nanos)) }
	fmt.Fprintf(table, "signature\tgood, by the key %s\n", s.Signer.KeyID)
	fmt.Fprintf(table, "of\tproject %s, %s, %s\n", s.Project, s.Month, s.State)
	for _, reason := range s.Reasons {
		fmt.Fprintf(table, "\t%s\n", reason)
	}
	fmt.Fprintf(table, "requests\t%d, %d of them without a price\n", s.Totals.Requests, s.Totals.Unpriced)
	line("paid", s.Totals.PaidNanos)
	line("baseline", s.Totals.BaselineNanos)
	line("modelled saving", s.ModelledNanos)
	if saving := s.Proven.Saving; saving != nil {
		fmt.Fprintf(table, "saving, %s\t%s USD (%s to %s)\n", s.Proven.State, pricing.Nanos(saving.Nanos), pricing.Nanos(saving.Low), pricing.Nanos(saving.High))
	} else {
		fmt.Fprintf(table, "saving\tnot proven: %s\n", s.Proven.State)
	}
	line("hold-out cost more by", s.Holdout.Extra)
	if s.Share != nil {
		line(fmt.Sprintf("share of %g %% of what is saved at least", float64(s.Share.PPM)/10_000), s.Share.Amount)
	}
	return table.Flush()
}

type statementKeygenCommand struct {
	Private string `help:"Where to write the private key: a new file, which only you can read." default:"statement.key"`
	Public  string `help:"Where to write the public key." default:"statement.pub"`
}

func (statementKeygenCommand) Help() string {
	return `Makes an Ed25519 key. Set BUSU_STATEMENT_KEY_FILE to the private one, and give the
public one to those who shall check statements.

Example:

  busu statement keygen --private statement.key --public statement.pub`
}

func (c statementKeygenCommand) Run() error {
	private, public, id, err := statement.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := writeNew(c.Private, private, 0o600); err != nil {
		return err
	}
	if err := writeNew(c.Public, public, 0o644); err != nil {
		return err
	}
	fmt.Printf("key %s: %s signs, %s checks\n", id, c.Private, c.Public)
	return nil
}

// writeNew writes a file that there is not: no key is ever overwritten.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
