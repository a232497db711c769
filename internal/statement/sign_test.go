package statement_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/statement"
)

// seeded are bytes that a test can repeat.
type seeded struct{ r *rand.Rand }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return len(b), nil
}

func pair(t testing.TB, seed uint64) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	var bytesOf [32]byte
	_, _ = seeded{rand.New(rand.NewPCG(seed, 9))}.Read(bytesOf[:])
	key := ed25519.NewKeyFromSeed(bytesOf[:])
	return key.Public().(ed25519.PublicKey), key
}

// signed is a statement with a proven saving, its share, and a signature.
func signed(t testing.TB, key ed25519.PrivateKey) []byte {
	t.Helper()
	s := newStatement(t, whole(t, 7, 500, 0.4))
	if charged, err := s.Charge(200_000); err != nil || !charged {
		t.Fatal(charged, err)
	}
	s, err := s.Sign(key, false)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(encode(t, s))
}

func TestSignedIsVerified(t *testing.T) {
	t.Parallel()
	public, key := pair(t, 1)
	document := signed(t, key)
	s, err := statement.Verify(document, public)
	if err != nil || s.Signer.KeyID != statement.KeyID(public) || s.Share == nil || s.State != statement.Final {
		t.Fatalf("%+v, %v", s.Signer, err)
	}
	if again := encode(t, s); again != string(document) {
		t.Error("what is verified encodes to another document")
	}
	other, _ := pair(t, 2)
	if _, err := statement.Verify(document, other); !errors.Is(err, statement.ErrOtherKey) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := statement.Verify([]byte(encode(t, newStatement(t, whole(t, 7, 0, 1)))), public); !errors.Is(err, statement.ErrUnsigned) {
		t.Errorf("without a signature: %v", err)
	}
}

// Every byte of the document that is another one, and every byte that is taken away
// or put in, is found.
func TestEveryChangedByteIsFound(t *testing.T) {
	t.Parallel()
	public, key := pair(t, 1)
	document := signed(t, key)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range document {
		changed := bytes.Clone(document)
		changed[i] ^= byte(1 + r.IntN(255))
		if _, err := statement.Verify(changed, public); err == nil {
			t.Fatalf("byte %d, %q for %q, is not noticed", i, changed[i], document[i])
		}
		for name, changed := range map[string][]byte{
			"without": append(bytes.Clone(document[:i]), document[i+1:]...),
			"with":    append(append(bytes.Clone(document[:i]), byte(r.Uint32())), document[i:]...),
		} {
			if _, err := statement.Verify(changed, public); err == nil {
				t.Fatalf("at %d, %s, is not noticed", i, name)
			}
		}
	}
}

// A document that says the same in another form is refused: there is one form.
func TestOneForm(t *testing.T) {
	t.Parallel()
	public, key := pair(t, 1)
	document := string(signed(t, key))
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(document), "", " "); err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]string{
		"formatted":       pretty.String(),
		"two breaks":      document + "\n",
		"CRLF":            strings.TrimSuffix(document, "\n") + "\r\n",
		"a name twice":    `{"month":"2026-10",` + document[1:],
		"a number as 1e0": strings.Replace(document, `"version":1}`, `"version":1e0}`, 1),
		"a name more":     `{"a":1,` + document[1:],
		"an escape":       strings.Replace(document, `"acme"`, `"\u0061cme"`, 1),
		"another case":    strings.Replace(document, `"month"`, `"Month"`, 1),
	} {
		if changed == document {
			t.Fatalf("%s: it changes nothing", name)
		}
		if _, err := statement.Verify([]byte(changed), public); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// Who signs has to add up, too.
func TestSignedNonsenseIsFound(t *testing.T) {
	t.Parallel()
	public, key := pair(t, 1)
	for name, change := range map[string]func(*statement.Statement){
		"a total":     func(s *statement.Statement) { s.Totals.PaidNanos++ },
		"a part":      func(s *statement.Statement) { s.Parts[0].Requests-- },
		"a line":      func(s *statement.Statement) { s.Lines[0].PaidNanos++ },
		"modelled":    func(s *statement.Statement) { s.ModelledNanos++ },
		"the saving":  func(s *statement.Statement) { s.Proven.Saving.Low++ },
		"requests":    func(s *statement.Statement) { s.Proven.Requests++ },
		"the share":   func(s *statement.Statement) { s.Share.Amount++ },
		"not proven":  func(s *statement.Statement) { s.Proven.State = "open" },
		"of a better": func(s *statement.Statement) { s.Share.Of = "proven.saving.nanos" },
		"rows":        func(s *statement.Statement) { s.Proof.Rows.Requests++ },
	} {
		s := newStatement(t, whole(t, 7, 500, 0.4))
		if _, err := s.Charge(200_000); err != nil {
			t.Fatal(err)
		}
		change(&s)
		s, err := s.Sign(key, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := statement.Verify([]byte(encode(t, s)), public); !errors.Is(err, statement.ErrSums) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProvisionalIsNotSigned(t *testing.T) {
	t.Parallel()
	public, key := pair(t, 1)
	e := whole(t, 1, 0, 1)
	e.Buried = 1
	s := newStatement(t, e)
	if _, err := s.Sign(key, false); !errors.Is(err, statement.ErrProvisional) || !strings.Contains(err.Error(), "dead letters") {
		t.Errorf("%v", err)
	}
	s, err := s.Sign(key, true)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := statement.Verify([]byte(encode(t, s)), public); err != nil || s.State != statement.Provisional || len(s.Reasons) != 1 {
		t.Errorf("%s %q, %v", s.State, s.Reasons, err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	private, public, id, err := statement.NewKey(seeded{rand.New(rand.NewPCG(1, 1))})
	if err != nil {
		t.Fatal(err)
	}
	key, err := statement.ParsePrivate(private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := statement.ParsePublic(public)
	if err != nil || !pub.Equal(key.Public()) || statement.KeyID(pub) != id {
		t.Errorf("%s, %v", id, err)
	}
	if again, err := statement.ParsePublic([]byte(base64.StdEncoding.EncodeToString(pub) + "\n")); err != nil || !again.Equal(pub) {
		t.Errorf("of a signer: %v", err)
	}
	for name, text := range map[string][]byte{"nothing": nil, "a public key": public, "two": append(bytes.Clone(private), private...), "text": []byte("secret")} {
		if _, err := statement.ParsePrivate(text); err == nil {
			t.Errorf("%s is a private key", name)
		}
	}
	for name, text := range map[string][]byte{"nothing": nil, "a private key": private, "short": []byte("AAAA")} {
		if _, err := statement.ParsePublic(text); err == nil {
			t.Errorf("%s is a public key", name)
		}
	}
}

// FuzzVerify: nothing but the document itself is verified.
func FuzzVerify(f *testing.F) {
	public, key := pair(f, 1)
	document := signed(f, key)
	f.Add(document)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"signer":{},"signature":"AA=="}` + "\n"))
	f.Fuzz(func(t *testing.T, changed []byte) {
		if _, err := statement.Verify(changed, public); (err == nil) != bytes.Equal(changed, document) {
			t.Errorf("%v", err)
		}
	})
}
