package idempotency_test

import (
	"reflect"
	"testing"

	"github.com/busuhq/busu/internal/idempotency"
)

// FuzzDecode: what a store gives is read or refused, and what was read is the
// same when it was written again.
func FuzzDecode(f *testing.F) {
	f.Add(idempotency.Answer{Status: 200, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte("{}")}.Encode())
	f.Add([]byte(`{"status": -1, "header": null, "body": "AA=="}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := idempotency.Decode(b)
		if err != nil {
			if !reflect.DeepEqual(a, idempotency.Answer{}) {
				t.Errorf("refused, and read as %+v", a)
			}
			return
		}
		again, err := idempotency.Decode(a.Encode())
		if err != nil || again.Status != a.Status || string(again.Body) != string(a.Body) || len(again.Header) != len(a.Header) {
			t.Errorf("%+v became %+v (%v)", a, again, err)
		}
	})
}

// FuzzFingerprint: however a request is cut into parts, no other one has its
// fingerprint.
func FuzzFingerprint(f *testing.F) {
	f.Add("ab", 1, 2)
	f.Add("1\n2\n", 0, 3)
	f.Fuzz(func(t *testing.T, all string, a, b int) {
		cut := func(at int) string {
			at = min(max(at, 0), len(all))
			return idempotency.Fingerprint([]byte(all[:at]), []byte(all[at:]))
		}
		same := min(max(a, 0), len(all)) == min(max(b, 0), len(all))
		if (cut(a) == cut(b)) != same || cut(a) == idempotency.Fingerprint([]byte(all)) {
			t.Errorf("%q cut at %d and %d", all, a, b)
		}
	})
}
