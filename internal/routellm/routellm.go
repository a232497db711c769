// Package routellm reads the outcomes that the RouteLLM project recorded of
// GPT-4 and Mixtral 8x7B from a checkout of its repository, and makes of them
// the rows that busu eval routing takes.
//
// What that repository says: per question of MMLU and GSM8K whether each model
// was right, per question of MT-Bench what a judge gave each answer, 1 to 10,
// and which prompts are contaminated, that is, close to something that its own
// routers were trained on. Those are left out here as they are there.
//
// It does not say what an answer cost. Costs are estimated from list prices
// and lengths: a token is four characters; an MMLU answer is one letter, so
// one token; GSM8K's answers are there to be measured; MT-Bench's are not, and
// count as 264 tokens.
package routellm

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/replay"
)

// The models, as RouteLLM and as the rows call them.
const (
	strong         = "gpt-4-1106-preview"
	weak           = "mixtral-8x7b-instruct-v0.1"
	weakInTheirs   = "mistralai/Mixtral-8x7B-Instruct-v0.1"
	strongIn       = 10_000 // nano-dollars a token of the prompt
	strongOut      = 30_000 // and of the answer
	weakInOut      = 240
	nanosPerDollar = 1e9
)

// Expected lengths of answers in tokens, where they are not recorded.
const (
	letterTokens  = 1
	mtBenchTokens = 264
)

// Set is one of the three benchmarks.
type Set struct {
	Name         string // as the files of rows are called: mmlu, gsm8k, mtbench
	Rows         []replay.Row
	Contaminated int // questions that were left out
}

// evals is where the outcomes lie in a checkout.
const evals = "routellm/evals"

// Read reads a checkout of the repository, or its directory routellm/evals.
// The rows come in the order of the files, those of MMLU by domain.
func Read(checkout fs.FS) ([]Set, error) {
	root := checkout
	if _, err := fs.Stat(checkout, evals); err == nil {
		if root, err = fs.Sub(checkout, evals); err != nil {
			return nil, err
		}
	}
	var sets []Set
	for _, read := range []func(fs.FS) (Set, error){readMMLU, readGSM8K, readMTBench} {
		s, err := read(root)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("this is no checkout of github.com/lm-sys/RouteLLM, or not a whole one: %w", err)
		}
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

func readMMLU(root fs.FS) (Set, error) {
	b, err := newBuilder(root, "mmlu", "mmlu", "mmlu")
	if err != nil {
		return Set{}, err
	}
	const dir = "mmlu/responses"
	files, err := fs.ReadDir(root, dir)
	if err != nil {
		return Set{}, err
	}
	for _, f := range files {
		domain, ok := strings.CutSuffix(strings.TrimPrefix(f.Name(), "mmlu_"), ".csv")
		if !ok {
			continue
		}
		if err := b.readTable(root, path.Join(dir, f.Name()), domain); err != nil {
			return Set{}, err
		}
	}
	return b.done(dir)
}

func readGSM8K(root fs.FS) (Set, error) {
	b, err := newBuilder(root, "gsm8k", "gsm8k", "gsm8k")
	if err != nil {
		return Set{}, err
	}
	const file = "gsm8k/gsm8k_responses.csv"
	if err := b.readTable(root, file, "math_word_problems"); err != nil {
		return Set{}, err
	}
	return b.done(file)
}

// builder collects a set's rows.
type builder struct {
	set          Set
	dataset      string
	contaminated map[string]bool
	seen         map[string]int // prompts, by how often
}

func newBuilder(root fs.FS, name, dataset, dir string) (*builder, error) {
	b := &builder{set: Set{Name: name}, dataset: dataset, contaminated: map[string]bool{}, seen: map[string]int{}}
	err := readLines(root, path.Join(dir, "contaminated_prompts.jsonl"), func(line struct {
		Prompt string `json:"eval_prompt"`
	}) {
		b.contaminated[line.Prompt] = true
	})
	return b, err
}

func (b *builder) done(where string) (Set, error) {
	if len(b.set.Rows) == 0 {
		return Set{}, fmt.Errorf("%s holds no outcomes", where)
	}
	return b.set, nil
}

// outcome is a model's answer: how good, and how many tokens long.
type outcome struct {
	quality float64
	tokens  int64
}

// add adds a row. A prompt that was there before, in another domain perhaps,
// is another row, and its id says so.
func (b *builder) add(domain, prompt string, of map[string]outcome) {
	id := fmt.Sprintf("%s-%x", b.dataset, sha256.Sum256([]byte(prompt)))[:len(b.dataset)+1+12]
	if n := b.seen[prompt]; n > 0 {
		id = fmt.Sprintf("%s.%d", id, n)
	}
	b.seen[prompt]++
	in := tokens(prompt)
	cost := map[string]int64{
		strong: in*strongIn + of[strong].tokens*strongOut,
		weak:   (in + of[weak].tokens) * weakInOut,
	}
	row := replay.Row{ID: id, Dataset: b.dataset, Domain: domain, Prompt: prompt, Outcomes: map[string]replay.Result{}}
	for model, nanos := range cost {
		row.Outcomes[model] = replay.Result{Quality: of[model].quality, Cost: float64(nanos) / nanosPerDollar}
	}
	b.set.Rows = append(b.set.Rows, row)
}

// tokens guesses at four characters a token, half to even, and at one at
// least.
func tokens(text string) int64 {
	return max(1, int64(math.RoundToEven(float64(utf8.RuneCountInString(text))/4)))
}

// readTable reads a file with a column for the prompt and one per model with
// True or False, and where it has them, one per model with its answer.
func (b *builder) readTable(root fs.FS, name, domain string) (err error) {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	table := csv.NewReader(file)
	header, err := table.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	columns := columnsOf(header)
	if columns.prompt < 0 || columns.right[strong] < 0 || columns.right[weak] < 0 {
		return fmt.Errorf("%s has the columns %q: prompt, %s and %s are wanted", name, header, weakInTheirs, strong)
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if b.contaminated[record[columns.prompt]] {
			b.set.Contaminated++
			continue
		}
		of, err := columns.outcomes(record)
		if err != nil {
			line, _ := table.FieldPos(0)
			return fmt.Errorf("%s, line %d: %w", name, line, err)
		}
		b.add(domain, record[columns.prompt], of)
	}
}

// columns are where a table has what, −1 for nowhere.
type columns struct {
	prompt int
	right  map[string]int // by model
	answer map[string]int
}

func columnsOf(header []string) columns {
	c := columns{prompt: slices.Index(header, "prompt"), right: map[string]int{}, answer: map[string]int{}}
	for model, theirs := range map[string]string{strong: strong, weak: weakInTheirs} {
		c.right[model] = slices.Index(header, theirs)
		c.answer[model] = slices.Index(header, theirs+"_response")
	}
	return c
}

func (c columns) outcomes(record []string) (map[string]outcome, error) {
	of := map[string]outcome{}
	for model, at := range c.right {
		o := outcome{tokens: letterTokens}
		switch record[at] {
		case "True":
			o.quality = 1
		case "False":
		default:
			return nil, fmt.Errorf("%s is %q, neither True nor False", model, record[at])
		}
		if answer := c.answer[model]; answer >= 0 {
			o.tokens = tokens(record[answer])
		}
		of[model] = o
	}
	return of, nil
}

// readLines reads a file of JSON lines.
func readLines[T any](root fs.FS, name string, each func(T)) (err error) {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	d := json.NewDecoder(bufio.NewReader(file))
	for n := 1; ; n++ {
		var line T
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s, object %d: %w", name, n, err)
		}
		each(line)
	}
}
