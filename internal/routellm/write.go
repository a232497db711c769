package routellm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/busuhq/busu/internal/replay"
)

// Write writes rows, one JSON object a line, always in the same bytes: members
// in one order, models by name, text as it is, and numbers always with a point
// or an exponent.
func Write(w io.Writer, rows []replay.Row) error {
	out := bufio.NewWriter(w)
	for i := range rows {
		line, err := appendRow(nil, &rows[i])
		if err != nil {
			return fmt.Errorf("%s: %w", rows[i].ID, err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

func appendRow(b []byte, r *replay.Row) ([]byte, error) {
	for i, member := range []struct{ name, text string }{
		{"id", r.ID}, {"dataset", r.Dataset}, {"domain", r.Domain}, {"prompt", r.Prompt},
	} {
		text, err := plain(member.text)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, "%c%q:%s", "{,"[min(i, 1)], member.name, text)
	}
	b = append(b, `,"outcomes":`...)
	for i, model := range slices.Sorted(maps.Keys(r.Outcomes)) {
		name, err := plain(model)
		if err != nil {
			return nil, err
		}
		o := r.Outcomes[model]
		b = fmt.Appendf(b, `%c%s:{"quality":%s,"cost":%s}`, "{,"[min(i, 1)], name, decimal(o.Quality), decimal(o.Cost))
	}
	return append(b, "}}"...), nil
}

// plain is a JSON string with nothing escaped that need not be.
func plain(text string) (string, error) {
	var s strings.Builder
	e := json.NewEncoder(&s)
	e.SetEscapeHTML(false)
	err := e.Encode(text)
	return strings.TrimSuffix(s.String(), "\n"), err
}

func decimal(x float64) string {
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if strings.ContainsAny(s, ".e") {
		return s
	}
	return s + ".0"
}
