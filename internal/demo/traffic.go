// Package demo makes the traffic of `busu demo`, sends it to a running busu,
// and says what happened.
//
// The prompts are templates with slots, written for this project: many kinds,
// from a capital's name to a proof, in several languages, asked by many users
// of whom a few ask most. The same seed gives the same traffic.
package demo

import (
	"fmt"
	"math/rand/v2"
)

// Prompt is one request of one user.
type Prompt struct {
	Kind      string // what is asked for, such as "fact" or "sql"
	UserID    string
	Text      string
	MaxTokens int // enough for the kind; answers are rarely cut off
}

// Kinds lists the names of the kinds of prompts, the most frequent first.
func Kinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Generator yields prompts. It is not safe for concurrent use.
type Generator struct {
	random *rand.Rand
	users  *rand.Zipf
	seed   uint64
	kinds  []kind
	filler filler
	recent []Prompt // what others may ask again
}

// New returns the generator of a seed. With fewer than one user there is one.
func New(seed uint64, users int) *Generator {
	random := rand.New(rand.NewPCG(seed, 0x62757375))
	return &Generator{
		random: random,
		users:  rand.NewZipf(random, 1.2, 4, uint64(max(users, 1)-1)),
		seed:   seed,
		kinds:  kinds(),
		filler: newFiller(random),
	}
}

const (
	repeatShare   = 0.04 // of prompts repeat a recent one word for word
	favoriteShare = 0.30 // of prompts are of the user's own favourite kind
	recentPrompts = 200
)

// Next returns the next prompt.
func (g *Generator) Next() Prompt {
	user := g.users.Uint64()
	p := g.fresh(user)
	if len(g.recent) > 0 && g.random.Float64() < repeatShare {
		p = g.recent[g.random.IntN(len(g.recent))]
	}
	p.UserID = fmt.Sprintf("user-%04d", user+1)
	g.remember(p)
	return p
}

func (g *Generator) fresh(user uint64) Prompt {
	k := g.kindFor(user)
	template := k.templates[g.random.IntN(len(k.templates))]
	return Prompt{Kind: k.name, Text: g.filler.fill(template), MaxTokens: k.maxTokens}
}

func (g *Generator) remember(p Prompt) {
	if len(g.recent) < recentPrompts {
		g.recent = append(g.recent, p)
		return
	}
	g.recent[g.random.IntN(recentPrompts)] = p
}

// kindFor draws a kind by its share, or takes the user's favourite: real users
// ask the same sort of thing again and again.
func (g *Generator) kindFor(user uint64) kind {
	if g.random.Float64() < favoriteShare {
		own := rand.New(rand.NewPCG(g.seed, user+1))
		return drawKind(own, g.kinds)
	}
	return drawKind(g.random, g.kinds)
}

func drawKind(random *rand.Rand, kinds []kind) kind {
	total := 0
	for _, k := range kinds {
		total += k.share
	}
	left := random.IntN(total)
	for _, k := range kinds {
		if left -= k.share; left < 0 {
			return k
		}
	}
	return kinds[0]
}
