package usage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/usage"
)

func TestParseBy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]usage.Dimension{"": nil, "day": {usage.Day}, "day,user,key": {usage.Key, usage.User, usage.Day},
		"project,key,user,model,day": usage.Dimensions()} {
		if got, err := usage.ParseBy(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{",", "day,", "days", "day,day", "Day", " day"} {
		if got, err := usage.ParseBy(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Rows are read only where rollups do not tell, and then of fewer days.
func TestLimits(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		days  int
		by    []usage.Dimension
		fault string
	}{
		{0, nil, "to"}, {-1, nil, "to"}, {1, nil, ""}, {3660, []usage.Dimension{usage.Model, usage.Day}, ""}, {3661, nil, "from"},
		{92, []usage.Dimension{usage.Key}, ""}, {93, []usage.Dimension{usage.Key}, "from"}, {93, []usage.Dimension{usage.User}, "from"},
		{93, []usage.Dimension{usage.Project}, ""}, {20_000, nil, "from"},
	} {
		q := usage.Query{From: to.AddDate(0, 0, -c.days), To: to, By: c.by}
		if part, fault := q.Validate(); part != c.fault || (fault == "") != (part == "") {
			t.Errorf("%d days by %v: %q %q", c.days, c.by, part, fault)
		}
	}
}

func TestReportAddsUp(t *testing.T) {
	t.Parallel()
	rows := make([]usage.Row, usage.MostRows)
	for i := range rows {
		rows[i].Figures = usage.Figures{Requests: 1, Errors: 2, TokensIn: 3, TokensOut: 4, Cost: 5, Baseline: 6}
	}
	r, err := usage.NewReport(usage.Query{}, rows, 7)
	const n = usage.MostRows
	if want := (usage.Figures{Requests: n, Errors: 2 * n, TokensIn: 3 * n, TokensOut: 4 * n, Cost: 5 * n, Baseline: 6 * n}); err != nil || r.Totals != want || r.Unpriced != 7 {
		t.Errorf("%+v, %v", r.Totals, err)
	}
	var tooMany usage.TooManyError
	if _, err := usage.NewReport(usage.Query{}, append(rows, usage.Row{}), 0); !errors.As(err, &tooMany) {
		t.Errorf("%v", err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	r, err := usage.NewReport(usage.Query{By: []usage.Dimension{usage.User}}, []usage.Row{{User: new("@sum"), Figures: usage.Figures{Requests: 2, Cost: 21_300}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteCSV(&text); err != nil || text.String() != "user_id,requests,errors,tokens_in,tokens_out,cost_usd,baseline_cost_usd\n'@sum,2,0,0,0,0.0000213,0\n" {
		t.Errorf("%q, %v", text.String(), err)
	}
}
