package config

// idle are settings that are read and checked, and have no effect in this
// build. A later release that brings one of these deletes its name here, and
// nothing else.
var idle = []string{
	"retention.prompts",
}
