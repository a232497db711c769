// Package providertest is what every provider must pass, whichever vendor it
// speaks to: the contract of llm.Provider as cases, against a fake vendor that
// answers, stalls, breaks off, lies and echoes.
//
// A vendor's own test says in a [Vendor] how a scripted answer looks on its
// wire; the cases, and what is expected of them, are the same for all.
package providertest

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// Vendor is one provider under test.
type Vendor struct {
	Name string // for the names of the cases

	// New makes a provider that calls baseURL, a bare scheme and host, with
	// key. Its errors must name the provider Name. Without a Wire it gets
	// neither, and its provider answers by itself, at once.
	New func(t *testing.T, baseURL, key string) llm.Provider

	// Slow, needed without a Wire only, makes a provider that takes an hour.
	Slow func(t *testing.T) llm.Provider

	Model string // one that it knows; default "m-1"
	Wire  *Wire  // nil: it calls nobody
	Home  *Home  // nil: it translates every format
	Lacks Lacks
}

// Wire is how a vendor's answers look. All strings are what goes through the
// connection after the HTTP header.
type Wire struct {
	KeyHeader  string                                  // the one header in which the key may be seen
	Whole      func(Answer) string                     // the body of a 200
	Stream     func(Answer) []string                   // the body of a streamed 200, frame by frame; a piece of the text is in one frame, in plain letters
	Error      func(status int, message string) string // the body that comes with status
	ErrorFrame func(message string) string             // the frame that says, within a stream, that the vendor is overloaded
}

// Home is the format whose bodies a provider passes on.
type Home struct {
	Format llm.Format
	Body   string // a request in it; the model is "callers-name", and some fields are known to nobody
	Stream string // the same, streamed
}

// Lacks is what a vendor cannot do. A request that needs it must be rejected
// and not silently cut, but for counts, which nobody asks for.
type Lacks struct {
	CacheWrites bool // no count of tokens written to a cache
	Reasoning   bool // no count of reasoning tokens
	ToolIDs     bool // calls come without ids: the provider makes them
	ImageURLs   bool // images come as data only
	Audio       bool
	Several     bool // one answer per request
	LastFrame   bool // a stream ends with its connection, without a frame that says so
}

// Answer is what the fake vendor has to say. Several pieces of text come in as
// many frames when streamed.
type Answer struct {
	Model     string // that answered
	Pieces    []string
	ToolCalls []llm.ToolCall
	Finish    string // one of llm's reasons
	Usage     llm.Usage
	Others    []string // of several, the texts of those behind the first; they finish with llm.FinishStop
}

// Text is all pieces as one.
func (a Answer) Text() string { return strings.Join(a.Pieces, "") }

const (
	key     = "sk-test-0123456789-abcdefghij"
	model   = "m-1"
	vendors = "m-1-2026-01-01" // what the vendor calls it
)

// Run holds the provider against every case. The name of a case that fails
// begins with the vendor's.
func Run(t *testing.T, v Vendor) {
	t.Helper()
	if v.Model == "" {
		v.Model = model
	}
	t.Run(v.Name, func(t *testing.T) {
		t.Parallel()
		s := suite{v}
		s.group(t, "anyone", s.anyone())
		if v.Wire == nil {
			return
		}
		s.group(t, "whole", s.whole())
		s.group(t, "request", s.request())
		s.group(t, "several", s.several())
		s.group(t, "stream", s.stream())
		s.group(t, "broken stream", s.brokenStream())
		s.group(t, "failure", s.failure())
		s.group(t, "bounds", s.bounds())
		s.group(t, "end", s.end())
		s.group(t, "key", s.key())
		s.group(t, "format", s.format())
		t.Run("fifty at once", func(t *testing.T) { t.Parallel(); s.fiftyAtOnce(t) })
	})
}

// suite is the cases of one vendor.
type suite struct{ Vendor }

type cases map[string]func(*testing.T)

func (s suite) group(t *testing.T, name string, c cases) {
	t.Helper()
	for what, test := range c {
		t.Run(name+"/"+what, func(t *testing.T) { t.Parallel(); test(t) })
	}
}

// able is u without the counts that the vendor does not give.
func (s suite) able(u llm.Usage) llm.Usage {
	if s.Lacks.CacheWrites {
		u.CacheWriteIn = 0
	}
	if s.Lacks.Reasoning {
		u.Reasoning = 0
	}
	return u
}

// answer is an ordinary one.
func (s suite) answer() Answer {
	return Answer{
		Model:  vendors,
		Pieces: []string{"Lima ", "is the ", "capital."},
		Finish: llm.FinishStop,
		Usage:  llm.Usage{In: 21, Out: 9},
	}
}

func (s suite) question() llm.Request {
	return llm.Request{Model: s.Model, MaxTokens: 321,
		Messages: []llm.Message{{Role: llm.RoleUser, Content: "Capital of Peru?"}}}
}
