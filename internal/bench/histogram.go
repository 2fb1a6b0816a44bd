package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets whose width grows with the value, so that a quantile is at
// most 0.4% off whatever its size. It is safe for concurrent use; the zero value is ready.
type histogram struct {
	counts [histogramBuckets]atomic.Uint64
	max    atomic.Int64
}

// Values below 128 ns have a bucket each; above, every power of two is divided into 128 buckets.
const (
	histogramBits    = 7
	histogramSteps   = 1 << histogramBits
	histogramBuckets = (63 - histogramBits + 1) * histogramSteps
)

// latencies is what a histogram is asked for, in nanoseconds.
type latencies struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

// add counts one duration. A negative one, from a clock that stepped back, counts as zero.
func (h *histogram) add(d time.Duration) {
	v := max(int64(d), 0)
	h.counts[bucketOf(v)].Add(1)
	for seen := h.max.Load(); v > seen; seen = h.max.Load() {
		if h.max.CompareAndSwap(seen, v) {
			return
		}
	}
}

// summary gives count, quantiles and maximum. A quantile q is the value of rank ceil(q·count).
func (h *histogram) summary() latencies {
	var total uint64
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	top := time.Duration(h.max.Load())
	return latencies{
		Count: total,
		P50:   min(h.rank((total*50+99)/100), top),
		P95:   min(h.rank((total*95+99)/100), top),
		P99:   min(h.rank((total*99+99)/100), top),
		Max:   top,
	}
}

// rank gives the middle of the bucket that holds the value of this rank, from 1.
func (h *histogram) rank(rank uint64) time.Duration {
	if rank == 0 {
		return 0
	}
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank {
			return time.Duration(bucketMiddle(i))
		}
	}
	return time.Duration(h.max.Load())
}

func (h *histogram) reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
	h.max.Store(0)
}

func bucketOf(v int64) int {
	if v < histogramSteps {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - histogramBits - 1
	return (shift+1)*histogramSteps + int(v>>shift) - histogramSteps
}

func bucketMiddle(bucket int) int64 {
	if bucket < histogramSteps {
		return int64(bucket)
	}
	shift := bucket/histogramSteps - 1
	return int64(bucket%histogramSteps+histogramSteps)<<shift + (1<<shift)/2
}
