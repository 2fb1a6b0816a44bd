//go:build race

package deliver_test

// worlds is fewer under the race detector, where each takes ten times as long.
const worlds = 20
