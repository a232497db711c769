package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/forecast"
)

// printForecast prints a line per policy: by the month, or, where the days are
// not known, for the whole log.
func printForecast(w io.Writer, r forecast.Report, prices string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	period := "A MONTH"
	if r.Days == 0 {
		period = "IN ALL"
	}
	fmt.Fprintf(table, "POLICY\tUSD %s\tUSD SAVED\tSAVED\t95 %% INTERVAL\tQUALITY KEPT\tRANGE\t\n", period)
	for _, p := range append([]forecast.Policy{r.AsIs}, r.Policies...) {
		cost, saved := p.USD.String(), (r.AsIs.USD - p.USD).String()
		if p.MonthUSD != nil {
			cost, saved = usd(p.MonthUSD.Estimate), usd(p.SavedUSD.Estimate)
		}
		fmt.Fprintf(table, "%s\t%s\t", p.Name, cost)
		if p.Name == r.AsIs.Name {
			fmt.Fprint(table, "\t\t\t")
		} else {
			s := p.SavedShare
			fmt.Fprintf(table, "%s\t%.1f %%\t%.1f … %.1f %%\t", saved, 100*s.Estimate, 100*s.Low, 100*s.High)
		}
		if p.Kept == nil {
			fmt.Fprint(table, "-\t\t\n")
			continue
		}
		fmt.Fprintf(table, "%.1f %%\t%.1f … %.1f %%\t\n", 100*p.Kept.Estimate, 100*p.Kept.Low, 100*p.Kept.High)
	}
	for _, p := range r.Policies {
		if p.MixKept != nil {
			fmt.Fprintf(table, "random mix at the cost of %s\t\t\t\t\t%.1f %%\t%.1f … %.1f %%\t\n", p.Name, 100*p.MixKept.Estimate, 100*p.MixKept.Low, 100*p.MixKept.High)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if hybrid := r.Policies[0]; hybrid.SavedUSD != nil {
		fmt.Fprintf(w, "\nRouting with hybrid would have saved %s dollars a month, between %s and %s.\n",
			usd(hybrid.SavedUSD.Estimate), usd(hybrid.SavedUSD.Low), usd(hybrid.SavedUSD.High))
	}
	_, err := fmt.Fprintf(w, "\n%s", premises(r, prices))
	return err
}

func usd(x float64) string { return fmt.Sprintf("%.2f", x) }

// premises says what the figures rest on.
func premises(r forecast.Report, prices string) string {
	covers := "Its times are not known: --days N gives figures by the month."
	if r.Days > 0 {
		covers = fmt.Sprintf("They cover %.1f days", r.Days)
		if r.From != nil {
			covers += fmt.Sprintf(", from %s to %s", r.From.Format(time.DateTime), r.To.Format(time.DateTime))
		}
		covers += "."
		if r.Days < 7 {
			covers += " That is less than a week: a month may be otherwise."
		}
	}
	billed := ""
	if r.Billed != nil {
		billed = fmt.Sprintf(" The log itself says that %d of them cost %s dollars.", r.Billed.Calls, r.Billed.USD)
	}
	return fmt.Sprintf(`%d calls at the prices of the table %s.%s
%s
An answer of another model is taken to be as long as the one that was given. Quality kept
is predicted, as a share of what always %s keeps, and its range is from the worse
of the lowest prediction and the random mix at equal cost to the highest one: nobody has
rated these answers. Once busu serves, its hold-out measures both.
`, r.Calls, prices, billed, covers, r.Baseline)
}
