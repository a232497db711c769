//go:build !race

package cache_test

const raced = 0 // allocations more
