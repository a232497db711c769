package config

// What this build does not have yet. A later release that brings one of these
// deletes its line here, and nothing else.

// notYetStrategies are in the contract but not in this build.
var notYetStrategies = map[string]string{
	StrategyLearning: "write strategy: complexity until learning arrives",
	StrategyHybrid:   "write strategy: complexity until hybrid arrives",
}

// defaultStrategy becomes hybrid once it exists.
const defaultStrategy = StrategyComplexity

// idle are settings that are read and checked, and have no effect in this
// build.
var idle = []string{
	"routing.quality_target", "routing.holdout", "routing.default_experiment",
	"retention.prompts", "retention.features",
	"limits.when_unavailable",
}
