package cli

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// The collector's target. Go's own rule, twice what lives, makes a server whose live heap is a few MiB collect
// dozens of times a second under load, which costs a sixth of its CPU time. Letting the heap reach
// heapFloor before a collection makes that rare; a large heap is kept tighter than Go would.
const (
	heapFloor  = 48 << 20 // bytes
	minPercent = 75       // of what lives, on top of it
	maxPercent = 1600
)

// heapKeeper sets the collector's percentage anew after each collection, from what then lives.
type heapKeeper struct {
	stopped atomic.Bool
	before  int // percentage to go back to
	live    []metrics.Sample
}

// sentinel is garbage from the start, so that its cleanup tells of a collection.
type sentinel struct{ _ [16]byte }

// keepHeap begins and gives what ends it. It is for the process of a server: the percentage is the process's.
func keepHeap() (stop func()) {
	k := &heapKeeper{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	k.before = debug.SetGCPercent(percentFor(0))
	k.arm()
	return func() {
		k.stopped.Store(true)
		debug.SetGCPercent(k.before)
	}
}

func (k *heapKeeper) arm() { runtime.AddCleanup(new(sentinel), (*heapKeeper).collected, k) }

// collected runs after each collection, one call at a time since only it arms the next.
func (k *heapKeeper) collected() {
	if k.stopped.Load() {
		return
	}
	metrics.Read(k.live)
	debug.SetGCPercent(percentFor(k.live[0].Value.Uint64()))
	k.arm()
}

// percentFor gives the percentage with which the next collection begins at heapFloor, or later where
// that much lives already.
func percentFor(live uint64) int {
	const least = heapFloor * 100 / (100 + maxPercent)
	if live <= least {
		return maxPercent
	}
	return int(max(int64(heapFloor*100/live)-100, minPercent))
}
