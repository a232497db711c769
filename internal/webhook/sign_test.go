package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/webhook"
)

// The example that Standard Webhooks' own libraries are tested by; openssl comes
// to the same.
const (
	exampleSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	exampleID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	exampleBody      = `{"test": 2432232314}`
	exampleSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func exampleTime() time.Time { return time.Unix(1614265330, 0) }

func keys(t *testing.T, text string) webhook.Keys {
	t.Helper()
	k, err := webhook.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignsAsTheStandardsExample(t *testing.T) {
	t.Parallel()
	if got := keys(t, exampleSecret).Sign(exampleID, exampleTime(), []byte(exampleBody)); got != exampleSignature {
		t.Errorf("it is signed %s", got)
	}
	other := webhook.NewSecret()
	both := keys(t, other+","+exampleSecret).Sign(exampleID, exampleTime(), []byte(exampleBody))
	if first, second, _ := strings.Cut(both, " "); second != exampleSignature || first == second || !strings.HasPrefix(first, "v1,") {
		t.Errorf("two keys sign %s", both)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	other := webhook.NewSecret()
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		keys, id, timestamp, signature, body string
		age                                  time.Duration
		want                                 error
	}{
		"as signed":                     {},
		"in time":                       {age: webhook.Tolerance},
		"signed ahead":                  {age: -webhook.Tolerance},
		"too late":                      {age: webhook.Tolerance + time.Second, want: webhook.ErrStale},
		"too early":                     {age: -webhook.Tolerance - time.Second, want: webhook.ErrStale},
		"another body":                  {body: exampleBody + " ", want: webhook.ErrForged},
		"another id":                    {id: "msg_other", want: webhook.ErrForged},
		"another time":                  {timestamp: "1614265331", want: webhook.ErrForged},
		"another key":                   {keys: other, want: webhook.ErrForged},
		"either key":                    {keys: other + "," + exampleSecret},
		"one of several":                {signature: "v1,AAAA v1a,bbbb " + exampleSignature},
		"of another version":            {signature: strings.Replace(exampleSignature, "v1,", "v2,", 1), want: webhook.ErrForged},
		"no base64":                     {signature: "v1,***", want: webhook.ErrForged},
		"cut":                           {signature: exampleSignature[:len(exampleSignature)-4], want: webhook.ErrForged},
		"no id":                         {id: "-", want: webhook.ErrUnsigned},
		"no signature":                  {signature: "-", want: webhook.ErrUnsigned},
		"no time":                       {timestamp: "-", want: webhook.ErrUnsigned},
		"a time that is none":           {timestamp: "1614265330.0", want: webhook.ErrUnsigned},
		"a time beyond what there is":   {timestamp: "9223372036854775807", want: webhook.ErrStale},
		"a long id that shifts its dot": {id: exampleID + "." + long, want: webhook.ErrForged},
	} {
		or := func(v, otherwise string) string {
			switch v {
			case "":
				return otherwise
			case "-":
				return ""
			}
			return v
		}
		h := http.Header{}
		h.Set(webhook.HeaderID, or(c.id, exampleID))
		h.Set(webhook.HeaderTimestamp, or(c.timestamp, "1614265330"))
		h.Set(webhook.HeaderSignature, or(c.signature, exampleSignature))
		err := keys(t, or(c.keys, exampleSecret)).Verify(h.Get, []byte(or(c.body, exampleBody)), exampleTime().Add(c.age))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := (webhook.Keys{}).Verify(func(string) string { return "1614265330" }, nil, exampleTime()); !errors.Is(err, webhook.ErrForged) {
		t.Errorf("without keys: %v", err)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whsec_", "secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La",
		exampleSecret + ",", exampleSecret + ", " + exampleSecret, "whsec_" + strings.Repeat("MfKQ", 22)} {
		if k, err := webhook.ParseKeys(text); err == nil || k.Any() || len(text) > 20 && strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if shown := fmt.Sprintf(verb, keys(t, exampleSecret)); shown != "1 keys" {
			t.Errorf("%s shows keys: %s", verb, shown)
		}
	}
	if a, b := webhook.NewSecret(), webhook.NewSecret(); a == b || !keys(t, a).Any() {
		t.Error("secrets are alike")
	}
}

// What is signed is verified, whatever is in it, and any change is found.
func FuzzSigned(f *testing.F) {
	f.Add("id", []byte("{}"), int64(0), uint8(0))
	f.Fuzz(func(t *testing.T, id string, body []byte, seconds int64, flip uint8) {
		now := time.Unix(seconds%1e10, 0)
		k, err := webhook.ParseKeys(exampleSecret)
		if err != nil || id == "" {
			return
		}
		h := map[string]string{webhook.HeaderID: id, webhook.HeaderTimestamp: fmt.Sprint(now.Unix()), webhook.HeaderSignature: k.Sign(id, now, body)}
		header := func(name string) string { return h[name] }
		if err := k.Verify(header, body, now); err != nil {
			t.Fatal(err)
		}
		if len(body) == 0 || flip == 0 {
			return
		}
		other := append([]byte{}, body...)
		other[int(flip)%len(body)] ^= flip
		if err := k.Verify(header, other, now); !errors.Is(err, webhook.ErrForged) {
			t.Errorf("another body: %v", err)
		}
	})
}
