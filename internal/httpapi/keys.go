package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/pricing"
)

// KeyMaker makes and ends keys; by is who asks. project "" is any. It returns
// access.ErrUnknown for a key that there is not.
type KeyMaker interface {
	CreateKey(ctx context.Context, k access.Key, by string) (access.Made, error)
	RotateKey(ctx context.Context, project, id, by string, overlap time.Duration) (access.Made, error)
	RevokeKey(ctx context.Context, project, id, by string) (access.Key, error)
	ChangeKey(ctx context.Context, project, id, by string, change func(*access.Key) error) (access.Key, error)
}

// KeyList tells of keys. project "" is all.
type KeyList interface {
	// Keys gives up to most, the newest first, behind an id.
	Keys(ctx context.Context, project, before string, most int) ([]access.Key, error)
	// Key returns access.ErrUnknown for one that there is not.
	Key(ctx context.Context, project, id string) (access.Key, error)
}

var errNoKeys = errors.New("keys and the audit log cannot be read or changed now, because PostgreSQL does not answer in time: try again")

func unknownKey(id string) error {
	return &unknownError{what: "key", detail: fmt.Sprintf("there is no key %q that is yours to see: GET /keys lists what there is", document.Cut(id))}
}

func keyFailure(id string, err error) error {
	var wrong *document.InvalidError
	var forbidden *forbiddenError
	switch {
	case err == nil, errors.As(err, &wrong), errors.As(err, &forbidden), errors.Is(err, access.ErrRevoked):
		return err
	case errors.Is(err, access.ErrUnknown):
		return unknownKey(id)
	default:
		return errors.Join(errNoKeys, err)
	}
}

// keysWithin bounds what is done with keys.
const keysWithin = 5 * time.Second

// createKey makes a key, and shows it once.
func (a *API) createKey(c echo.Context) error {
	o, err := readObject(c.Request(), `{"name": "search", "role": "complete", "project": "default"}`)
	if err != nil {
		return err
	}
	for _, name := range []string{"name", "role", "project"} {
		o.require(name)
	}
	k := access.Key{Role: access.Role(o.text("role", maxID)), Project: o.text("project", maxID)}
	readKey(o).apply(&k)
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	if k.Project != callerOf(c).Project && !callerOf(c).Anywhere {
		return &forbiddenError{field: "project", detail: fmt.Sprintf("is another one than %s, which your key is of", callerOf(c).Project)}
	}
	if err := k.Validate(a.knownToKeys(), time.Now()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	made, err := a.KeyMaker.CreateKey(ctx, k, a.by(c))
	if err != nil {
		return keyFailure("", err)
	}
	return c.JSON(http.StatusCreated, made)
}

func (a *API) knownToKeys() access.Known {
	return access.Known{Models: slices.Concat(a.Names.Models, a.Names.Embedders), Strategies: a.Names.Strategies}
}

// keyChange is what is to be set of a key.
type keyChange []func(*access.Key)

func (all keyChange) apply(k *access.Key) {
	for _, set := range all {
		set(k)
	}
	k.Complete()
}

// readKey takes what of a key may change. What is null is set to nothing.
func readKey(o *object) (all keyChange) {
	set := func(name string, read func() func(*access.Key)) {
		if _, given := o.members[name]; given {
			all = append(all, read())
		}
	}
	set("name", func() func(*access.Key) {
		name := o.text("name", 4*maxID)
		return func(k *access.Key) { k.Name = name }
	})
	lists := func(name string, of func(*access.Key) *[]string) {
		set(name, func() func(*access.Key) {
			names := o.textList(name)
			return func(k *access.Key) { *of(k) = names }
		})
	}
	lists("models", func(k *access.Key) *[]string { return &k.Models })
	lists("strategies", func(k *access.Key) *[]string { return &k.Strategies })
	lists("experiments", func(k *access.Key) *[]string { return &k.Experiments })
	set("expires_at", func() func(*access.Key) {
		at := o.instant("expires_at")
		return func(k *access.Key) { k.ExpiresAt = at }
	})
	set("budget_usd", func() func(*access.Key) {
		budget := dollars(o, "budget_usd")
		return func(k *access.Key) {
			if k.Budget = budget; budget == nil {
				k.BudgetPeriod = nil
			}
		}
	})
	set("budget_period", func() func(*access.Key) {
		period := access.Period(o.oneOf("budget_period", []string{string(access.Day), string(access.Month)}))
		return func(k *access.Key) {
			if k.BudgetPeriod = &period; period == "" {
				k.BudgetPeriod = nil
			}
		}
	})
	counts := func(name string, of func(*access.Key) **int64) {
		set(name, func() func(*access.Key) {
			n := count(o, name)
			return func(k *access.Key) { *of(k) = n }
		})
	}
	counts("requests_per_minute", func(k *access.Key) **int64 { return &k.RequestsPerMinute })
	counts("tokens_per_minute", func(k *access.Key) **int64 { return &k.TokensPerMinute })
	counts("concurrency", func(k *access.Key) **int64 { return &k.Concurrency })
	set("per_user", func() func(*access.Key) {
		limits := readUserLimits(o)
		return func(k *access.Key) { k.PerUser = limits }
	})
	return all
}

func dollars(o *object, name string) *pricing.Nanos {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	return new(greatestCost(name, v.Raw, v.Type == gjson.Number, o.faults))
}

const mostCount = 1_000_000_000_000

// readUserLimits takes what each user of a key may have: all of it at once.
func readUserLimits(o *object) *access.UserLimits {
	v, ok := o.take("per_user")
	if !ok {
		return nil
	}
	if !v.IsObject() {
		o.fail("per_user", "is %s, must be an object with requests_per_minute, tokens_per_minute and concurrency", document.Show(v))
		return nil
	}
	m := newObject(v, "per_user.", o.faults)
	limits := &access.UserLimits{RequestsPerMinute: count(m, "requests_per_minute"), TokensPerMinute: count(m, "tokens_per_minute"), Concurrency: count(m, "concurrency")}
	m.finish()
	return limits
}

func count(o *object, name string) *int64 {
	if _, ok := o.peek(name); !ok {
		o.take(name)
		return nil
	}
	return new(int64(o.whole(name, 1, mostCount, 0)))
}

// changeKey gives a key another name, other limits, or another end.
func (a *API) changeKey(c echo.Context) error {
	o, err := readObject(c.Request(), `{"requests_per_minute": 600}`)
	if err != nil {
		return err
	}
	change := readKey(o)
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	id := c.Param("key_id")
	k, err := a.KeyMaker.ChangeKey(ctx, scopeOf(c), id, a.by(c), func(k *access.Key) error {
		change.apply(k)
		return k.Validate(a.knownToKeys(), time.Now())
	})
	if err != nil {
		return keyFailure(id, err)
	}
	return c.JSON(http.StatusOK, k)
}

// rotateKey gives a key a new secret, and shows it once.
func (a *API) rotateKey(c echo.Context) error {
	overlap, err := readOverlap(c.Request())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	id := c.Param("key_id")
	made, err := a.KeyMaker.RotateKey(ctx, scopeOf(c), id, a.by(c), overlap)
	if err != nil {
		return keyFailure(id, err)
	}
	return c.JSON(http.StatusOK, made)
}

// readOverlap takes how long the secrets before go on working; the body may be
// left out.
func readOverlap(r *http.Request) (time.Duration, error) {
	body, err := readBody(r)
	if err != nil || len(strings.TrimSpace(string(body))) == 0 {
		return access.UsualOverlap, err
	}
	doc, err := document.Parse(body)
	if err != nil {
		return 0, err
	}
	o := newObject(doc, "", new(document.Faults))
	text, ok := o.str("overlap")
	overlap, err := time.ParseDuration(cmp.Or(text, access.UsualOverlap.String()))
	if ok && (err != nil || overlap < 0 || overlap > access.MostOverlap) {
		o.fail("overlap", "is %s, must be a duration from 0s to %dh", strconv.Quote(document.Cut(text)), int(access.MostOverlap.Hours()))
	}
	o.finish()
	return overlap, o.faults.Err()
}

func (a *API) revokeKey(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	id := c.Param("key_id")
	k, err := a.KeyMaker.RevokeKey(ctx, scopeOf(c), id, a.by(c))
	if err != nil {
		return keyFailure(id, err)
	}
	return c.JSON(http.StatusOK, k)
}

func (a *API) key(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	id := c.Param("key_id")
	k, err := a.KeyList.Key(ctx, scopeOf(c), id)
	if err != nil {
		return keyFailure(id, err)
	}
	return c.JSON(http.StatusOK, a.standingsOf(ctx, []access.Key{k})[0])
}

const (
	usualKeys = 100
	mostKeys  = 500
)

// keyPage is the answer of GET /keys.
type keyPage struct {
	Keys       []keyStanding `json:"keys"` // the newest first
	NextCursor *string       `json:"next_cursor"`
}

func (a *API) listKeys(c echo.Context) error {
	q, most, err := readPage(c, usualKeys, mostKeys)
	if err != nil {
		return err
	}
	before := q.values["cursor"]
	if _, err := uuid.Parse(before); before != "" && (err != nil || len(before) != 36) {
		q.strayCursor()
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	all, err := a.KeyList.Keys(ctx, scopeOf(c), before, most+1)
	if err != nil {
		return keyFailure("", err)
	}
	page := keyPage{Keys: a.standingsOf(ctx, all[:min(most, len(all))])}
	if len(all) > most {
		page.NextCursor = &all[most-1].ID
	}
	return c.JSON(http.StatusOK, page)
}
