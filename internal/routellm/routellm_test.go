package routellm

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/busuhq/busu/internal/replay"
)

const header = "prompt,mistralai/Mixtral-8x7B-Instruct-v0.1,gpt-4-1106-preview"

// checkout is a repository of the recorded shape, with texts of our own.
func checkout() fstest.MapFS {
	files := map[string]string{
		"mmlu/contaminated_prompts.jsonl": `{"train_prompt":"x","eval_prompt":"Known?\nA. yes","train_idx":1,"eval_idx":2}` + "\n",
		"mmlu/domains.py":                 "not read",
		"mmlu/responses/mmlu_zoology.csv": header + "\n\"Whose <tail>?\nA. \"\"a\"\" & b\",False,True\n\"Twice there\",True,True\n",
		"mmlu/responses/mmlu_botany.csv":  header + "\n\"Known?\nA. yes\",True,True\nTwice there,True,False\n",

		"gsm8k/contaminated_prompts.jsonl": "",
		"gsm8k/gsm8k_responses.csv": header + ",mistralai/Mixtral-8x7B-Instruct-v0.1_response,gpt-4-1106-preview_response\n" +
			"How many are 2 and 2?,True,False,4,\"It is twenty letters\"\n",

		"mt_bench/contaminated_prompts.jsonl": `{"eval_prompt":"Shorter."}` + "\n",
		"mt_bench/question.jsonl": `{"question_id":7,"category":"writing","turns":["Write.","Again."]}` + "\n" +
			`{"question_id":8,"category":"math","turns":["Long.","Shorter."]}` + "\n",
		"mt_bench/judgements.jsonl": judged(7, strong, 9) + judged(7, strong, 10) + judged(7, weakInTheirs, 3) + judged(7, weakInTheirs, 6) +
			judged(8, strong, 1) + judged(8, weakInTheirs, 1) + judged(7, "another", 1),
	}
	m := fstest.MapFS{}
	for name, text := range files {
		m[evals+"/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func judged(question int, model string, score int) string {
	return `{"question_id":` + string(rune('0'+question)) + `,"model":"` + model + `","judge":["gpt-4"],"score":` + strings.Repeat("1", score/10) + string(rune('0'+score%10)) + `,"turn":1}` + "\n"
}

// TestRead holds the bytes of every set against what they must be: ids are
// SHA-256 of the prompt, costs by hand.
func TestRead(t *testing.T) {
	t.Parallel()
	sets, err := Read(checkout())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"mmlu": `{"id":"mmlu-57a6f0135f42","dataset":"mmlu","domain":"botany","prompt":"Twice there","outcomes":{"gpt-4-1106-preview":{"quality":0.0,"cost":6e-05},"mixtral-8x7b-instruct-v0.1":{"quality":1.0,"cost":9.6e-07}}}
{"id":"mmlu-e5d9b5ff421a","dataset":"mmlu","domain":"zoology","prompt":"Whose <tail>?\nA. \"a\" & b","outcomes":{"gpt-4-1106-preview":{"quality":1.0,"cost":9e-05},"mixtral-8x7b-instruct-v0.1":{"quality":0.0,"cost":1.68e-06}}}
{"id":"mmlu-57a6f0135f42.1","dataset":"mmlu","domain":"zoology","prompt":"Twice there","outcomes":{"gpt-4-1106-preview":{"quality":1.0,"cost":6e-05},"mixtral-8x7b-instruct-v0.1":{"quality":1.0,"cost":9.6e-07}}}
`,
		"gsm8k": `{"id":"gsm8k-72f04efdc5ca","dataset":"gsm8k","domain":"math_word_problems","prompt":"How many are 2 and 2?","outcomes":{"gpt-4-1106-preview":{"quality":0.0,"cost":0.0002},"mixtral-8x7b-instruct-v0.1":{"quality":1.0,"cost":1.44e-06}}}
`,
		"mtbench": `{"id":"mt_bench-76050b686260","dataset":"mt_bench","domain":"writing","prompt":"Write.","outcomes":{"gpt-4-1106-preview":{"quality":0.95,"cost":0.00794},"mixtral-8x7b-instruct-v0.1":{"quality":0.45,"cost":6.384e-05}}}
`,
	}
	contaminated := map[string]int{"mmlu": 1, "mtbench": 1}
	for _, s := range sets {
		var got bytes.Buffer
		if err := Write(&got, s.Rows); err != nil {
			t.Fatal(err)
		}
		if got.String() != want[s.Name] {
			t.Errorf("%s:\n%swant\n%s", s.Name, got.String(), want[s.Name])
		}
		if s.Contaminated != contaminated[s.Name] {
			t.Errorf("%s: %d contaminated questions, want %d", s.Name, s.Contaminated, contaminated[s.Name])
		}
		if rows, err := replay.Read(&got); err != nil || len(rows) != len(s.Rows) {
			t.Errorf("%s: %d rows are read again (%v), want %d", s.Name, len(rows), err, len(s.Rows))
		}
	}
	if len(sets) != len(want) {
		t.Errorf("%d sets, want %d", len(sets), len(want))
	}
}

// TestReadEvals takes the directory of the outcomes as well.
func TestReadEvals(t *testing.T) {
	t.Parallel()
	inner := fstest.MapFS{}
	for name, file := range checkout() {
		inner[strings.TrimPrefix(name, evals+"/")] = file
	}
	if sets, err := Read(inner); err != nil || len(sets) != 3 {
		t.Errorf("%d sets, %v", len(sets), err)
	}
}

// TestReadRefuses spoils one file after the other.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, text, says string }{
		"no such file":        {"gsm8k/gsm8k_responses.csv", "", "no checkout"},
		"another column":      {"gsm8k/gsm8k_responses.csv", "prompt,gpt-4-1106-preview,llama\na,True,True\n", "columns"},
		"neither":             {"mmlu/responses/mmlu_botany.csv", header + "\na,True,maybe\n", "line 2"},
		"a line cut short":    {"mmlu/responses/mmlu_botany.csv", header + "\na,True\n", "mmlu_botany.csv"},
		"no outcome":          {"gsm8k/gsm8k_responses.csv", header + "\n", "no outcomes"},
		"an empty file":       {"gsm8k/gsm8k_responses.csv", "\n", "gsm8k_responses.csv"},
		"no JSON":             {"mt_bench/question.jsonl", "{", "question.jsonl, object 1"},
		"nothing judged":      {"mt_bench/judgements.jsonl", judged(7, strong, 9), "no judgement"},
		"no contamination":    {"mmlu/contaminated_prompts.jsonl", "", "no checkout"},
		"a question, no turn": {"mt_bench/question.jsonl", `{"question_id":7}`, "no turn"},
	} {
		spoilt := maps.Clone(checkout())
		if tt.text == "" {
			delete(spoilt, evals+"/"+tt.file)
		} else {
			spoilt[evals+"/"+tt.file] = &fstest.MapFile{Data: []byte(tt.text)}
		}
		if _, err := Read(spoilt); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: the error is %v, want one with %q", name, err, tt.says)
		}
	}
}
