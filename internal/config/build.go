package config

// What this build does not have yet. A later release that brings one of these
// deletes its line here, and nothing else.

// notYetStrategies are in the contract but not in this build.
var notYetStrategies = map[string]string{
	StrategyLearning: "write strategy: complexity until learning arrives",
	StrategyHybrid:   "write strategy: complexity until hybrid arrives",
}

// notYetKinds are providers in the contract but not in this build.
var notYetKinds = map[string]string{
	KindAnthropic: "its adapter comes with a later release; until then use kind: openai with an OpenAI-compatible endpoint",
	KindGemini:    "its adapter comes with a later release; until then use kind: openai with an OpenAI-compatible endpoint",
}

// notYetKeys are provider keys that this build notices but cannot use.
var notYetKeys = []string{"ANTHROPIC_API_KEY", "GEMINI_API_KEY"}

// defaultStrategy becomes hybrid once it exists.
const defaultStrategy = StrategyComplexity

// idle are settings that are read and checked, and have no effect in this
// build.
var idle = []string{
	"providers.max_concurrency",
	"routing.quality_target", "routing.holdout", "routing.default_experiment",
	"cache.ttl", "cache.scope",
	"retention.prompts", "retention.features",
	"limits.when_unavailable",
}
