package gemini

import "sync"

// signatures remembers what Gemini wants back with a function call: an opaque
// record of the thoughts that led to it. OpenAI's format has no place for it,
// and ids long enough to carry it are refused by other vendors, to whom the
// conversation may go next. So it stays here, by the call's id, as long as
// there is room. A process that does not know it sends unsigned instead, and
// only the quality of the next step suffers.
type signatures struct {
	mu       sync.Mutex
	young    map[string]string
	old      map[string]string // those before young: forgotten when young is full
	youngLen int               // bytes
}

// unsigned is what Google's documentation tells to send for calls that the
// model did not make itself: https://ai.google.dev/gemini-api/docs/thought-signatures
const unsigned = "skip_thought_signature_validator"

const (
	maxSignature  = 1 << 20 // bytes of one; longer ones are not kept
	maxSignatures = 8 << 20 // bytes in each of the two generations
)

// signatureKey holds the model, too: another one could not read it.
func signatureKey(model, id string) string { return baseName(model) + "\x00" + id }

func (s *signatures) keep(model, id, signature string) {
	if signature == "" || len(signature) > maxSignature {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(signatureKey(model, id), signature)
}

func (s *signatures) add(key, signature string) {
	const own = 100 // about what an entry takes beside its texts
	if s.youngLen > maxSignatures || s.young == nil {
		s.old, s.young, s.youngLen = s.young, map[string]string{}, 0
	}
	s.young[key] = signature
	s.youngLen += len(key) + len(signature) + own
}

// of is the signature of a call, or "".
func (s *signatures) of(model, id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := signatureKey(model, id)
	if signature, ok := s.young[key]; ok {
		return signature
	}
	signature, ok := s.old[key]
	if ok {
		delete(s.old, key)
		s.add(key, signature) // still in use
	}
	return signature
}
