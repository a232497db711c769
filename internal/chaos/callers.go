package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// caller is who asks: the operator, or somebody with a key that has a budget
// or limits.
type caller struct {
	name   string // what its markers begin with
	secret string
	key    string // its id; "" for the operator
	terms  terms
}

// terms are what a key may have. Zero values are none.
type terms struct {
	Models      []string      `json:"models,omitempty"`
	Budget      pricing.Nanos `json:"budget_usd,omitempty"`
	Period      string        `json:"budget_period,omitempty"`
	PerMinute   int64         `json:"requests_per_minute,omitempty"`
	Concurrency int64         `json:"concurrency,omitempty"`
	PerUser     *terms        `json:"per_user,omitempty"`
}

// callers are all who ask.
type callers struct{ operator, budgeted, limited caller }

const (
	budgetedShare = 0.1 // of the load
	limitedShare  = 0.1
	mostUsers     = 3 // of the key with limits; the first asks for a half
)

func newCallers(o Options, load time.Duration) *callers {
	return &callers{
		operator: caller{name: "r", secret: rand.Text()},
		budgeted: caller{name: "b", terms: budgetFor(float64(o.Rate)*budgetedShare, load)},
		limited:  caller{name: "l", terms: limitsFor(float64(o.Rate)*limitedShare, load)}}
}

// budgetFor is about a third of what a load will cost, so that it runs out while
// there are faults, and never so little that there is no room for a request. The
// dearest model is the only one: what is put by for a call stays near what it
// costs.
func budgetFor(rate float64, load time.Duration) terms {
	const (
		meanUSD  = 0.0006 // of a call of the dearest model
		share    = 0.35
		leastUSD = 0.03
	)
	usd := max(rate*load.Seconds()*meanUSD*share, leastUSD)
	return terms{Models: []string{"large"}, Period: "month", Budget: pricing.Nanos(usd * 1e9)}
}

// limitsFor lets half of a long load pass, in requests a minute, and less at once
// than there are at times. The first user may have half, as it asks for half.
func limitsFor(rate float64, load time.Duration) terms {
	const (
		share   = 0.5
		seconds = 0.4 // that a call takes, more often than not
		users   = 2   // that may have all they may have at once
		least   = 200 // a minute, so that a few are back in seconds
	)
	perMinute := max(least, int64(math.Ceil(rate*load.Seconds()*share/(1+load.Minutes()))))
	perUser := max(2, int64(math.Ceil(rate*seconds/mostUsers)))
	return terms{PerMinute: perMinute, Concurrency: users * perUser,
		PerUser: &terms{PerMinute: perMinute / 2, Concurrency: perUser}}
}

// of gives who asks with a marker.
func (c *callers) of(marker string) *caller {
	switch {
	case strings.HasPrefix(marker, c.budgeted.name+"-"):
		return &c.budgeted
	case strings.HasPrefix(marker, c.limited.name+"-"):
		return &c.limited
	}
	return &c.operator
}

// marker names the request number n by who asks, who is drawn by the number.
func (c *callers) marker(n int) string {
	by := &c.operator
	switch chance := fateOf(strconv.Itoa(n), 3).Float64(); {
	case chance < budgetedShare:
		by = &c.budgeted
	case chance < budgetedShare+limitedShare:
		by = &c.limited
	}
	return fmt.Sprintf("%s-%d", by.name, n)
}

// userOf is the user that a request names: each is another's, but those of the
// key with limits for users.
func (c *callers) userOf(marker string) string {
	if c.of(marker) != &c.limited {
		return marker
	}
	return userName(max(fateOf(marker, 4).IntN(2*(mostUsers-1))-(mostUsers-2), 0))
}

func userName(i int) string { return fmt.Sprintf("user-%d", i) }

// makeKeys makes the keys as an operator does.
func (e *engine) makeKeys(ctx context.Context) error {
	for _, c := range []*caller{&e.callers.budgeted, &e.callers.limited} {
		if err := e.load.makeKey(ctx, c); err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
	}
	return nil
}

func (l *load) makeKey(ctx context.Context, c *caller) error {
	body, err := json.Marshal(struct {
		Name    string `json:"name"`
		Role    string `json:"role"`
		Project string `json:"project"`
		terms
	}{"chaos " + c.name, "complete", "default", c.terms})
	if err != nil {
		return err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, l.apis[0].url()+"/keys", bytes.NewReader(body))
	if err != nil {
		return err
	}
	asked.Header.Set("Content-Type", "application/json")
	l.callers.operator.sign(asked)
	response, err := l.client.Do(asked)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var made struct{ ID, Key string }
	if response.StatusCode != http.StatusCreated || json.Unmarshal(text, &made) != nil || made.Key == "" {
		return fmt.Errorf("status %d: %.300q", response.StatusCode, text)
	}
	c.key, c.secret = made.ID, made.Key
	return nil
}

func (c *caller) sign(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.secret) }
