package prompt

import "math/bits"

// WordClass is a set of things that a word may say about a prompt.
type WordClass uint32

// The classes of the lexicon.
const (
	Asking     WordClass = 1 << iota // opens a question about a fact
	Person                           // somebody's story: he, her, they
	Relation                         // one quantity through another: than, twice, half
	Quantity                         // other arithmetic in words: total, each, per
	Clause                           // nests or chains statements: which, because, if, then
	Negation                         // turns a statement round
	Several                          // more than one thing to judge or to do
	Constraint                       // limits what may be answered
	Format                           // demands a form of the answer
	Code                             // programs and their parts
	Demand                           // asks to reason: explain, compare, design
	Formal                           // asks for a formal argument: prove, derive
	Chore                            // small jobs that any model does: translate, define
	Greeting
	Common // the commonest words of English: they vouch for the language

	classes = iota
)

// Has reports whether all classes of other are in c.
func (c WordClass) Has(other WordClass) bool { return c&other == other }

func (c WordClass) index() int { return bits.TrailingZeros32(uint32(c)) }

// classify looks a lower-case word up. It is a switch and not a map, so that
// the compiler turns it into a search over constants. A word that is common
// in more than one sense (class, string, program) is left out: a missed hint
// costs less than a false one.
func classify(word []byte) WordClass {
	switch string(word) {
	case "what", "where", "name":
		return Asking
	case "who", "whom", "whose", "when", "which":
		return Asking | Clause
	case "that", "because", "although", "though", "whereas", "since", "while", "but", "so", "as",
		"if", "unless", "suppose", "assume", "assuming", "provided", "whenever", "whether",
		"then", "after", "afterwards", "before", "next", "finally", "later", "until", "first", "lastly", "step", "steps":
		return Clause
	case "i", "me", "my", "he", "him", "his", "she", "her", "hers", "we", "us", "our", "they", "them", "their":
		return Person
	case "than", "twice", "thrice", "half", "third", "thirds", "quarter", "quarters", "double", "doubled", "triple", "tripled",
		"times", "more", "less", "fewer", "older", "younger", "old", "ratio", "fraction", "percent", "remaining", "average":
		return Relation
	case "total", "altogether", "each", "per", "many", "much", "sum", "difference", "dozen", "left", "rate",
		"cost", "costs", "price", "spend", "spent", "earn", "earns", "pay", "pays", "sells", "sold", "buys", "bought":
		return Quantity
	case "not", "no", "neither", "nor", "none", "never", "except", "false", "incorrect", "wrong", "nothing", "without",
		"isn't", "aren't", "doesn't", "don't", "didn't", "wasn't", "won't", "can't", "cannot", "couldn't", "wouldn't":
		return Negation
	case "two", "three", "four", "five", "both", "these", "those", "following", "respectively",
		"statement", "statements", "scenario", "scenarios", "ii", "iii", "iv":
		return Several
	case "must", "only", "exactly", "should", "ensure", "avoid", "within", "limit", "strictly", "require", "requires",
		"handle", "include", "including", "minimum", "maximum", "concise", "support":
		return Constraint
	case "json", "yaml", "xml", "csv", "markdown", "bullet", "bullets", "bulleted", "format", "schema", "html", "outline", "headings":
		return Format
	case "python", "javascript", "typescript", "java", "golang", "sql", "bash", "regex", "api", "apis",
		"code", "function", "functions", "algorithm", "algorithms", "implement", "implementation", "implements", "debug", "refactor", "compile", "compiler",
		"array", "arrays", "database", "recursion", "recursive", "async", "concurrency", "mutex", "kubernetes", "docker",
		"postgresql", "postgres", "redis", "frontend", "backend", "endpoint", "http", "def", "boolean", "struct":
		return Code
	case "how", "why", "explain", "compare", "contrast", "analyze", "analyse", "analysis", "design", "discuss", "critique",
		"assess", "evaluate", "justify", "argue", "propose", "strategy", "architecture", "tradeoffs", "implications", "plan",
		"optimize", "optimise", "investigate", "essay", "synthesize", "solve":
		return Demand
	case "prove", "proof", "proofs", "derive", "theorem", "lemma", "integral":
		return Formal
	case "translate", "define", "spell", "synonym", "antonym", "rhyme", "capitalize", "rephrase", "typo", "typos":
		return Chore
	case "hi", "hello", "hey", "thanks", "thank", "please", "bye":
		return Greeting
	case "the", "of", "and", "to", "is", "are", "for", "with", "from", "by", "it", "be", "this", "at":
		return Common
	}
	return 0
}

// isMeasure reports words that make a number of what "how" asks for: "how
// many" wants no explanation.
func isMeasure(word []byte) bool {
	switch string(word) {
	case "many", "much", "old", "long", "far", "often", "tall", "big", "fast":
		return true
	}
	return false
}

// lexical looks a word up and counts its classes. It sees every word of the
// two lexical windows once, in lower case.
func (s *scanner) lexical(word []byte) {
	class := classify(word)
	if s.Looked == 1 {
		s.Opening = class
	}
	for rest := class; rest != 0; rest &= rest - 1 {
		s.Classes[rest.index()]++
	}
	if s.afterHow && isMeasure(word) {
		s.Classes[Demand.index()]--
	}
	s.afterHow = string(word) == "how"
}
