package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/pricing"
)

type keysCommands struct {
	Create keysCreateCommand `cmd:"" help:"Make a key, and show it this once."`
	List   keysListCommand   `cmd:"" help:"List keys, the newest first."`
	Show   keysShowCommand   `cmd:"" help:"Show one key's record."`
	Rotate keysRotateCommand `cmd:"" help:"Give a key a new secret."`
	Revoke keysRevokeCommand `cmd:"" help:"End a key, for good."`
}

// keyFlags say where keys are: in the database, or behind a running busu.
type keyFlags struct {
	URL  string `help:"Ask the busu there, with BUSU_ADMIN_KEY, instead of the database." placeholder:"URL"`
	JSON bool   `help:"Print JSON."`
}

// do asks a running busu, or does the same on the database.
func (f keyFlags) do(ctx context.Context, method, path string, body, answer any, onDatabase func(*postgres.DB, *app.KeyMaker) error) error {
	if f.URL == "" {
		return withPostgres(ctx, func(db *postgres.DB) error { return noKey(onDatabase(db, app.NewKeyMaker(db))) })
	}
	text, err := apiFlags{URL: f.URL}.ask(ctx, method, path, body, "application/json")
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

func noKey(err error) error {
	switch {
	case errors.Is(err, access.ErrUnknown):
		return errors.New("there is no such key: see busu keys list")
	case errors.Is(err, access.ErrRevoked):
		return errors.New("the key is revoked, for good: make another one with busu keys create")
	}
	return err
}

type keysCreateCommand struct {
	keyFlags
	Name              string        `required:"" help:"What it is for."`
	Role              string        `required:"" help:"admin, operate, complete or read." enum:"admin,operate,complete,read"`
	Project           string        `help:"Whose requests it makes and sees; * chooses with each request." default:"${project}"`
	Models            []string      `help:"That may answer; by default any." placeholder:"ID,…"`
	Strategies        []string      `help:"That requests may ask for; by default any." placeholder:"NAME,…"`
	Experiments       []string      `help:"That requests may name; by default any." placeholder:"ID,…"`
	ExpiresIn         time.Duration `help:"How long it lives; by default until it is revoked." placeholder:"DURATION"`
	BudgetUSD         string        `name:"budget-usd" help:"What may be spent in a period." placeholder:"USD"`
	BudgetPeriod      string        `help:"day or month." default:"month" enum:"day,month"`
	RequestsPerMinute int64         `help:"How many requests." placeholder:"N"`
	TokensPerMinute   int64         `help:"How many tokens." placeholder:"N"`
	Concurrency       int64         `help:"How many requests at once." placeholder:"N"`

	UserRequestsPerMinute int64 `help:"How many requests of each user." placeholder:"N"`
	UserTokensPerMinute   int64 `help:"How many tokens of each user." placeholder:"N"`
	UserConcurrency       int64 `help:"How many requests of each user at once." placeholder:"N"`
}

func (keysCreateCommand) Help() string {
	return `Makes a key in the database of DATABASE_URL, or of the busu up that runs on
BUSU_STATE_DIR, or at the busu that --url names. The key is printed alone on stdout,
this once: only a hash is kept. It works within a second, everywhere.

Example:

  busu keys create --name search --role complete --project acme
  KEY=$(busu keys create --name ci --role read --expires-in 720h)`
}

// key is the record that is asked for.
func (c keysCreateCommand) key(now time.Time) (access.Key, error) {
	k := access.Key{Name: c.Name, Role: access.Role(c.Role), Project: c.Project, Models: c.Models, Strategies: c.Strategies, Experiments: c.Experiments}
	if c.ExpiresIn != 0 {
		k.ExpiresAt = new(now.Add(c.ExpiresIn).UTC().Truncate(time.Second))
	}
	if c.BudgetUSD != "" {
		n, err := pricing.ParseUSD(c.BudgetUSD)
		if err != nil {
			return k, fmt.Errorf("--budget-usd: %w", err)
		}
		k.Budget, k.BudgetPeriod = &n, new(access.Period(c.BudgetPeriod))
	}
	k.RequestsPerMinute, k.TokensPerMinute, k.Concurrency = given(c.RequestsPerMinute), given(c.TokensPerMinute), given(c.Concurrency)
	user := access.UserLimits{RequestsPerMinute: given(c.UserRequestsPerMinute), TokensPerMinute: given(c.UserTokensPerMinute), Concurrency: given(c.UserConcurrency)}
	if user != (access.UserLimits{}) {
		k.PerUser = &user
	}
	return k, nil
}

func given(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// Validate implements kong.Validatable. What models there are, only a
// configuration knows: see Run.
func (c keysCreateCommand) Validate() error {
	k, err := c.key(time.Now())
	if err != nil {
		return err
	}
	return k.Validate(access.Known{}, time.Now())
}

func (c keysCreateCommand) Run(ctx context.Context) error {
	k, err := c.key(time.Now())
	if err != nil {
		return err
	}
	var made access.Made
	err = c.do(ctx, http.MethodPost, "/keys", asked(k), &made, func(_ *postgres.DB, m *app.KeyMaker) error {
		if err := checkNames(k); err != nil {
			return err
		}
		made, err = m.CreateKey(ctx, k, access.ByCommand)
		return err
	})
	if err != nil {
		return err
	}
	return c.show(made)
}

// checkNames holds a key against the configuration, as the API does.
func checkNames(k access.Key) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	return k.Validate(app.KnownToKeys(cfg), time.Now())
}

// asked is the body of POST /keys.
func asked(k access.Key) map[string]any {
	body := map[string]any{"name": k.Name, "role": k.Role, "project": k.Project, "models": k.Models, "strategies": k.Strategies, "experiments": k.Experiments}
	for name, value := range map[string]any{"expires_at": k.ExpiresAt, "budget_usd": k.Budget, "budget_period": k.BudgetPeriod,
		"requests_per_minute": k.RequestsPerMinute, "tokens_per_minute": k.TokensPerMinute, "concurrency": k.Concurrency, "per_user": k.PerUser} {
		body[name] = value
	}
	return body
}

// show prints the secret to stdout, so that it can be caught, and the rest
// beside it.
func (f keyFlags) show(made access.Made) error {
	if f.JSON {
		return printJSON(os.Stdout, made)
	}
	fmt.Fprintf(os.Stderr, "key %s (%s) of project %s, to %s: keep it, it is not shown again\n", made.ID, made.Name, made.Project, made.Role)
	_, err := fmt.Println(made.Secret)
	return err
}

type keysListCommand struct {
	keyFlags
	Project string `help:"Whose keys; by default all." placeholder:"NAME"`
	Limit   int    `help:"How many at most." default:"100"`
}

func (keysListCommand) Help() string {
	return `Lists keys by what they begin with; the keys themselves nobody can list.

Example:

  busu keys list
  busu keys list --project acme --json | jq -r '.[] | select(.revoked_at == null) | .name'`
}

// Validate implements kong.Validatable.
func (c keysListCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 500 {
		return fmt.Errorf("--limit %d is not within 1 and 500", c.Limit)
	}
	return nil
}

func (c keysListCommand) Run(ctx context.Context) error {
	var page struct{ Keys []access.Key }
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	if c.Project != "" {
		query.Set("project", c.Project)
	}
	err := c.do(ctx, http.MethodGet, "/keys?"+query.Encode(), nil, &page, func(db *postgres.DB, _ *app.KeyMaker) (err error) {
		page.Keys, err = db.Keys(ctx, c.Project, "", c.Limit)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, append([]access.Key{}, page.Keys...))
	}
	return printKeys(os.Stdout, page.Keys, time.Now())
}

func printKeys(w io.Writer, keys []access.Key, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tBEGINS WITH\tPROJECT\tROLE\tSTATE\tLAST USED")
	for _, k := range keys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Prefix, k.Project, k.Role, keyState(&k, now), orNever(k.LastUsedAt))
	}
	return table.Flush()
}

func keyState(k *access.Key, now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return "expired"
	default:
		return "valid"
	}
}

func orNever(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

type keysShowCommand struct {
	keyFlags
	ID string `arg:"" help:"From busu keys list."`
}

func (keysShowCommand) Help() string {
	return `Shows a key's record; the key itself was shown once.

Example:

  busu keys show 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c keysShowCommand) Run(ctx context.Context) error {
	var k access.Key
	err := c.do(ctx, http.MethodGet, "/keys/"+url.PathEscape(c.ID), nil, &k, func(db *postgres.DB, _ *app.KeyMaker) (err error) {
		k, err = db.Key(ctx, "", c.ID)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, k)
	}
	return printKey(os.Stdout, &k, time.Now())
}

func printKey(w io.Writer, k *access.Key, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "id\t%s\nname\t%s\nbegins with\t%s\nproject\t%s\nrole\t%s\nstate\t%s\n", k.ID, k.Name, k.Prefix, k.Project, k.Role, keyState(k, now))
	fmt.Fprintf(table, "made\t%s\nexpires\t%s\nrevoked\t%s\nlast used\t%s\n", orNever(&k.CreatedAt), orNever(k.ExpiresAt), orNever(k.RevokedAt), orNever(k.LastUsedAt))
	for _, list := range []struct {
		name  string
		names []string
	}{{"models", k.Models}, {"strategies", k.Strategies}, {"experiments", k.Experiments}} {
		if len(list.names) > 0 {
			fmt.Fprintf(table, "%s\t%s\n", list.name, strings.Join(list.names, ", "))
		}
	}
	if k.Budget != nil && k.BudgetPeriod != nil {
		fmt.Fprintf(table, "budget\t%s $ a %s\n", k.Budget, *k.BudgetPeriod)
	}
	printLimits(table, k)
	for _, o := range k.Overlapping {
		fmt.Fprintf(table, "still works\t%s until %s\n", o.Prefix, orNever(&o.Until))
	}
	return table.Flush()
}

func printLimits(w io.Writer, k *access.Key) {
	var user access.UserLimits
	if k.PerUser != nil {
		user = *k.PerUser
	}
	for _, l := range []struct {
		name string
		n    *int64
	}{{"requests a minute", k.RequestsPerMinute}, {"tokens a minute", k.TokensPerMinute}, {"requests at once", k.Concurrency},
		{"a user's requests a minute", user.RequestsPerMinute}, {"a user's tokens a minute", user.TokensPerMinute}, {"a user's requests at once", user.Concurrency}} {
		if l.n != nil {
			fmt.Fprintf(w, "%s\t%d\n", l.name, *l.n)
		}
	}
}

type keysRotateCommand struct {
	keyFlags
	ID      string        `arg:"" help:"From busu keys list."`
	Overlap time.Duration `help:"How long the secrets before go on working; 0s ends them." default:"24h"`
}

func (keysRotateCommand) Help() string {
	return `Prints a new secret of a key, this once. Those before it go on working for the
overlap, so that whoever uses the key has time to change it.

Example:

  busu keys rotate 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --overlap 48h`
}

// Validate implements kong.Validatable.
func (c keysRotateCommand) Validate() error {
	if c.Overlap < 0 || c.Overlap > access.MostOverlap {
		return fmt.Errorf("--overlap %s is not within 0s and %s", c.Overlap, access.MostOverlap)
	}
	return nil
}

func (c keysRotateCommand) Run(ctx context.Context) error {
	var made access.Made
	err := c.do(ctx, http.MethodPost, "/keys/"+url.PathEscape(c.ID)+"/rotate", map[string]string{"overlap": c.Overlap.String()}, &made,
		func(_ *postgres.DB, m *app.KeyMaker) (err error) {
			made, err = m.RotateKey(ctx, "", c.ID, access.ByCommand, c.Overlap)
			return err
		})
	if err != nil {
		return err
	}
	return c.show(made)
}

type keysRevokeCommand struct {
	keyFlags
	ID string `arg:"" help:"From busu keys list."`
}

func (keysRevokeCommand) Help() string {
	return `Ends a key for good, within a second everywhere.

Example:

  busu keys revoke 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c keysRevokeCommand) Run(ctx context.Context) error {
	var k access.Key
	err := c.do(ctx, http.MethodDelete, "/keys/"+url.PathEscape(c.ID), nil, &k, func(_ *postgres.DB, m *app.KeyMaker) (err error) {
		k, err = m.RevokeKey(ctx, "", c.ID, access.ByCommand)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, k)
	}
	fmt.Printf("key %s (%s) is revoked since %s\n", k.ID, k.Name, orNever(k.RevokedAt))
	return nil
}
