package cli

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheHeapGrowsToTheFloorAndThenInProportion(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, maxPercent},
		{1 << 20, maxPercent},
		{8 << 20, 500},
		{16 << 20, 200},
		{24 << 20, 100},
		{32 << 20, minPercent},
		{64 << 20, minPercent},
		{1 << 40, minPercent},
	} {
		if got := percentFor(c.live); got != c.want {
			t.Errorf("with %d MiB alive: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}

func TestThePercentageFollowsWhatLives(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	stop := keepHeap()
	if got := percent(); got != maxPercent {
		t.Errorf("it begins at %d %%", got)
	}
	held := make([]byte, 48<<20)
	becomes(t, percent, minPercent)
	runtime.KeepAlive(held)
	held = nil
	becomes(t, percent, maxPercent)
	stop()
	runtime.GC()
	if got := percent(); got != 100 {
		t.Errorf("it ends at %d %%, not where it was", got)
	}
}

// becomes collects until the percentage is as wanted, since cleanups run some time after a collection.
func becomes(t *testing.T, percent func() int, want int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for percent() != want {
		if time.Now().After(deadline) {
			t.Fatalf("it stays at %d %%, want %d", percent(), want)
		}
		runtime.GC()
	}
}
