// Package browser looks at the dashboard of a real busu in a real Chromium:
// every page with data, without, while it loads, without Redis, without
// PostgreSQL, and while busu is away. make e2e runs it, and fetches what it
// needs; make screenshots keeps pictures of what it saw.
//
// A new page is a line of pages.
package browser
