// Package e2e holds busu against the clients that people have: the official
// ones of OpenAI and Anthropic and Vercel's AI SDK, unmodified, as the package
// registries give them. Only their base URL is changed.
//
// The packages beside it: browser holds the dashboard against a real Chromium,
// which chrome drives; busu runs the real binary for both.
//
// It is a module of its own, so that they stay out of busu's go.mod. Run it
// with make e2e, which fetches what it needs.
package e2e
