package demo

// kind is one kind of prompt: how often it is asked, how long an answer it
// allows, and its templates.
type kind struct {
	name      string
	share     int // of a thousand prompts, over all users
	maxTokens int
	templates []string
}

// kinds lists all kinds, the most frequent first. The shares follow what
// assistants in companies are asked: mostly small things, some hard ones.
func kinds() []kind {
	return []kind{
		{"fact", 160, 300, factTemplates()},
		{"translation", 90, 400, translationTemplates()},
		{"rewriting", 90, 500, rewritingTemplates()},
		{"classification", 85, 200, classificationTemplates()},
		{"summary", 80, 500, summaryTemplates()},
		{"code", 75, 1200, codeTemplates()},
		{"extraction", 70, 500, extractionTemplates()},
		{"arithmetic", 70, 500, arithmeticTemplates()},
		{"languages", 55, 800, languagesTemplates()},
		{"creative", 45, 900, creativeTemplates()},
		{"analysis", 45, 1200, analysisTemplates()},
		{"reasoning", 40, 900, reasoningTemplates()},
		{"debugging", 35, 1000, debuggingTemplates()},
		{"sql", 35, 700, sqlTemplates()},
		{"planning", 25, 1200, planningTemplates()},
	}
}
