package browser

import "testing"

const (
	showTables = `document.querySelectorAll("[aria-label^='Show '][aria-label$=' as a table']").forEach((b) => b.click())`
	areTables  = `!document.querySelector("[aria-label^='Show '][aria-label$=' as a table']")`
	// drawn are the charts that are left; those in a row of a table have their figures beside them.
	drawn = `[...document.querySelectorAll("#main svg:is([role=img], .spark)")].filter((s) => !/[0-9]/.test(s.closest("tr")?.innerText)).map((s) => s.ariaLabel ?? s.outerHTML.slice(0, 80))`
)

// tables turns every chart of every page into its table: none has none, and
// the address alone brings all of them again.
func tables(t *testing.T) {
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			v := arrive(t, p, states[1])
			v.do(t, showTables)
			v.await(t, areTables+` && `+settled)
			v.hasNoCharts(t)
			if p.act != "" { // what was typed is not in the address
				return
			}
			var query string
			if err := v.Eval(soon(t), `location.hash.split("?")[1] ?? ""`, &query); err != nil {
				t.Fatal(err)
			}
			if query != "" {
				arrive(t, p.with("?"+query), states[1]).hasNoCharts(t)
			}
		})
	}
}

func (v *visit) hasNoCharts(t *testing.T) {
	t.Helper()
	var left []string
	if err := v.Eval(soon(t), drawn, &left); err != nil {
		t.Fatal(err)
	}
	for _, chart := range left {
		t.Errorf("%s has no table behind: %s", v.page.name, chart)
	}
}
