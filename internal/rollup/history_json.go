package rollup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// AppendJSON appends what json.Marshal makes of a history. Points are written
// here: there may be fifteen thousand of them, and reflection would take longer
// than reading them does.
func (h *History) AppendJSON(b []byte) ([]byte, error) {
	head := *h
	head.Points, head.Series = nil, nil
	rest, err := json.Marshal(head)
	if err != nil {
		return b, fmt.Errorf("write history: %w", err)
	}
	b = slices.Grow(b, len(rest)+len(h.Points)*(1+len(h.Series))*pointBytes)
	before, rest, _ := bytes.Cut(rest, []byte(`"points":null`)) // in strings there is no quote without a backslash
	b = append(append(b, before...), `"points":`...)
	b = appendList(b, h.Points, (*TotalPoint).appendJSON)
	before, rest, _ = bytes.Cut(rest, []byte(`"series":null`))
	b = append(append(b, before...), `"series":`...)
	if b, err = appendSeries(b, h.Series); err != nil {
		return b, fmt.Errorf("write history: %w", err)
	}
	return append(b, rest...), nil
}

// pointBytes is what a point takes, as a rule.
const pointBytes = 300

func appendSeries(b []byte, all []Series) ([]byte, error) {
	var err error
	b = appendList(b, all, func(s *Series, b []byte) []byte {
		head := *s
		head.Points = nil
		text, fault := json.Marshal(head)
		if fault != nil {
			err = fault
		}
		b = append(b, bytes.TrimSuffix(text, []byte(`null}`))...) // points are last
		return append(appendList(b, s.Points, (*Point).appendJSON), '}')
	})
	return b, err
}

func appendList[T any](b []byte, list []T, appendOne func(*T, []byte) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOne(&list[i], b)
	}
	return append(b, ']')
}

func (p *TotalPoint) appendJSON(b []byte) []byte {
	b = p.appendFields(b)
	b = p.TTFTMS.appendJSON(append(b, `,"ttft_ms":`...))
	b = p.OverheadMS.appendJSON(append(b, `,"overhead_ms":`...))
	return append(b, '}')
}

func (p *Point) appendJSON(b []byte) []byte { return append(p.appendFields(b), '}') }

func (p *Point) appendFields(b []byte) []byte {
	b = p.At.AppendFormat(append(b, `{"at":"`...), time.RFC3339Nano)
	b = strconv.AppendInt(append(b, `","requests":`...), p.Requests, 10)
	b = strconv.AppendInt(append(b, `,"errors":`...), p.Errors, 10)
	b = strconv.AppendInt(append(b, `,"tokens_in":`...), p.TokensIn, 10)
	b = strconv.AppendInt(append(b, `,"tokens_out":`...), p.TokensOut, 10)
	b = p.CostUSD.AppendDecimal(append(b, `,"cost_usd":`...))
	b = p.BaselineCostUSD.AppendDecimal(append(b, `,"baseline_cost_usd":`...))
	b = p.SavingsUSD.AppendDecimal(append(b, `,"savings_usd":`...))
	return p.LatencyMS.appendJSON(append(b, `,"latency_ms":`...))
}

func (q Quantiles) appendJSON(b []byte) []byte {
	b = appendFloat(append(b, `{"p50":`...), q.P50)
	b = appendFloat(append(b, `,"p95":`...), q.P95)
	b = appendFloat(append(b, `,"p99":`...), q.P99)
	return append(b, '}')
}

// appendFloat writes as json does: with an exponent only where the number would
// be very long, which no duration is.
func appendFloat(b []byte, f *float64) []byte {
	switch {
	case f == nil:
		return append(b, "null"...)
	case *f != 0 && math.Abs(*f) < 1e-6 || math.Abs(*f) >= 1e21:
		text, _ := json.Marshal(*f) // fails for what is no number only, which is no quantile
		return append(b, text...)
	}
	return strconv.AppendFloat(b, *f, 'f', -1, 64)
}
