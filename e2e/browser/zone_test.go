package browser

import (
	"fmt"
	"testing"
)

// TestZone changes from the reader's time zone to UTC and back.
func TestZone(t *testing.T) {
	v := open(t, pageNamed("missing"), false, "")
	ctx := soon(t)
	if err := v.MoveTo(ctx, "Asia/Kathmandu"); err != nil {
		t.Fatal(err)
	}
	if err := v.Navigate(ctx, server.URL+"/?again#/system"); err != nil {
		t.Fatal(err)
	}
	minutesIn := func(zone string) (minutes int) {
		t.Helper()
		v.await(t, fmt.Sprintf(`%s && document.querySelector(".btn.zone")?.textContent === "Times in %s" && document.querySelector(".check1")`, settled, zone))
		const clock = `/(\d\d):(\d\d):/.exec(document.querySelector(".check1").title).slice(1).reduce((hours, minutes) => 60 * hours + Number(minutes))`
		if err := v.Eval(ctx, clock, &minutes); err != nil {
			t.Fatal(err)
		}
		return minutes
	}
	own := minutesIn("Asia/Katmandu")
	v.do(t, `document.querySelector(".btn.zone").click()`)
	if utc := minutesIn("UTC"); (own-utc+24*60)%(24*60) != 5*60+45 {
		t.Errorf("%d minutes after midnight there are %d in UTC", own, utc)
	}
	v.do(t, `document.querySelector(".btn.zone").click()`)
	if again := minutesIn("Asia/Katmandu"); again != own {
		t.Errorf("it does not come back: %d, then %d", own, again)
	}
}
