//go:build !race

package deliver_test

// worlds is how many random worlds are simulated unless the flag says otherwise.
const worlds = 120
