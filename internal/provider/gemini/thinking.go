package gemini

import (
	"strconv"
	"strings"
)

// thinkingConfig has one of its fields: models take a budget up to 2.5 and a
// level from 3 on, and refuse the other.
type thinkingConfig struct {
	Budget *int   `json:"thinkingBudget,omitempty"` // tokens; 0: no thinking
	Level  string `json:"thinkingLevel,omitempty"`
}

// thinking puts an effort in OpenAI's words into Gemini's. It is nil where the
// model's default is asked for, or the model does not think. The numbers are
// those of Google's own endpoint that is compatible with OpenAI's.
func thinking(model, effort string) *thinkingConfig {
	version, known := versionOf(model)
	switch {
	case effort == "" || !isGemini(model) || known && version < 2.5:
		return nil
	case known && version < 3:
		return budget(model, effort)
	}
	return level(model, effort, version)
}

func budget(model, effort string) *thinkingConfig {
	tokens := map[string]int{"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}
	n, ok := tokens[effort]
	if !ok {
		return nil
	}
	if isPro(model) {
		n = max(n, 128) // it cannot help thinking
	}
	return &thinkingConfig{Budget: &n}
}

// level is the nearest one that the model takes: the pro models have no
// minimal one, and the first of them, 3, had no medium one either.
func level(model, effort string, version float64) *thinkingConfig {
	l := effort
	switch effort {
	case "none", "minimal":
		l = "minimal"
		if isPro(model) {
			l = "low"
		}
	case "medium":
		if isPro(model) && version == 3 {
			l = "high"
		}
	case "xhigh":
		l = "high"
	case "low", "high":
	default:
		return nil
	}
	return &thinkingConfig{Level: l}
}

// wantsSignatures is true of models that refuse a call without its signature.
func wantsSignatures(model string) bool {
	version, known := versionOf(model)
	return isGemini(model) && (!known || version >= 3)
}

func baseName(model string) string {
	return strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
}

func isGemini(model string) bool { return strings.HasPrefix(baseName(model), "gemini-") }

func isPro(model string) bool { return strings.Contains(baseName(model), "-pro") }

// versionOf reads 2.5 off gemini-2.5-flash. Aliases such as gemini-flash-latest
// have none; they name recent models.
func versionOf(model string) (float64, bool) {
	_, rest, _ := strings.Cut(baseName(model), "gemini-")
	number, _, _ := strings.Cut(rest, "-")
	version, err := strconv.ParseFloat(number, 64)
	return version, err == nil
}
