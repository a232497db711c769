package spreadsheet_test

import (
	"testing"

	"github.com/busuhq/busu/internal/spreadsheet"
)

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "a=1": "a=1", "'=1": "'=1", "é": "é", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@1": "'@1", "\t=1": "'\t=1", "\r=1": "'\r=1"} {
		if got := spreadsheet.Text(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
