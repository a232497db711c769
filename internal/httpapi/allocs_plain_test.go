//go:build !race

package httpapi_test

const raced = 0 // allocations more
