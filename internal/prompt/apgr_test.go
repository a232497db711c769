package prompt

import (
	"cmp"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// row is one prompt with what calling the strong model would gain.
type row struct {
	id     string
	score  float64
	uplift float64 // quality of the strong model minus that of the weak one
}

// BenchmarkAPGR measures how well the score orders prompts by what a stronger
// model gains on them: the area under RouteLLM's recovered-gap curve, 0.5 for
// a random order. It reads RouteLLM's recorded outcomes from the directory
// BUSU_ROUTING_DATA, one file a set, and reports nothing without it.
func BenchmarkAPGR(b *testing.B) {
	dir := os.Getenv("BUSU_ROUTING_DATA")
	if dir == "" {
		b.Log("set BUSU_ROUTING_DATA to the directory with the recorded outcomes")
		return
	}
	var mixed []row
	for _, set := range []string{"mmlu", "gsm8k", "mtbench"} {
		rows := readRows(b, filepath.Join(dir, "routellm_"+set+".jsonl"))
		mixed = append(mixed, rows...)
		b.Run(set, func(b *testing.B) { reportAPGR(b, rows) })
	}
	b.Run("mixed", func(b *testing.B) { reportAPGR(b, mixed) })
}

func readRows(b *testing.B, path string) []row {
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var rows []row
	for d := json.NewDecoder(file); ; {
		var r struct {
			ID, Prompt string
			Outcomes   map[string]struct{ Quality float64 }
		}
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return rows
		} else if err != nil {
			b.Fatal(err)
		}
		strong, weak := r.Outcomes["gpt-4-1106-preview"], r.Outcomes["mixtral-8x7b-instruct-v0.1"]
		rows = append(rows, row{r.ID, Read(r.Prompt).Complexity, strong.Quality - weak.Quality})
	}
}

// reportAPGR reports the measure over all rows and over two halves of them.
func reportAPGR(b *testing.B, rows []row) {
	var halves [2][]row
	for _, r := range rows {
		h := fnv.New32a()
		h.Write([]byte(r.id))
		half := h.Sum32() % 2
		halves[half] = append(halves[half], r)
	}
	for b.Loop() {
		b.ReportMetric(apgr(rows), "APGR")
		b.ReportMetric(apgr(halves[0]), "APGR-half-0")
		b.ReportMetric(apgr(halves[1]), "APGR-half-1")
	}
	b.ReportMetric(0, "ns/op")
}

// apgr is the mean over 5 seeds, which break ties, of the area under the
// recovered gap as the share of strong calls goes from none to all.
func apgr(rows []row) float64 {
	var total, area float64
	for _, r := range rows {
		total += r.uplift
	}
	const seeds = 5
	for seed := range uint64(seeds) {
		order := slices.Clone(rows)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		slices.SortStableFunc(order, func(a, b row) int { return cmp.Compare(b.score, a.score) })
		gained := 0.0
		for _, r := range order {
			area += (gained + r.uplift/2) / total
			gained += r.uplift
		}
	}
	return area / seeds / float64(len(rows))
}
