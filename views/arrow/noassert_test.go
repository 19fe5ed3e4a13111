//go:build !assert

package arrow

// asserting tells that the Arrow library checks its own assertions.
const asserting = false
