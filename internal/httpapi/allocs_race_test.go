//go:build race

package httpapi_test

// raced is what the race detector adds at the most: it throws away some of what
// is pooled.
const raced = 12
