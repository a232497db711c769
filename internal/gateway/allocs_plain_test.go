//go:build !race

package gateway_test

const raced = 0 // allocations more
