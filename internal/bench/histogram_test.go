package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantilesAreWithinHalfAPercentOfTheSortedValues(t *testing.T) {
	shapes := map[string]func(*rand.Rand) int64{
		"uniform":      func(r *rand.Rand) int64 { return r.Int64N(5_000_000) },
		"heavy tail":   func(r *rand.Rand) int64 { return int64(math.Exp(r.NormFloat64()*2 + 13)) },
		"small":        func(r *rand.Rand) int64 { return r.Int64N(100) },
		"one value":    func(*rand.Rand) int64 { return 1_234_567 },
		"powers of 2":  func(r *rand.Rand) int64 { return 1 << r.IntN(62) },
		"whole domain": func(r *rand.Rand) int64 { return r.Int64() },
	}
	for name, draw := range shapes {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var h histogram
			values := make([]int64, 20_001)
			for i := range values {
				values[i] = draw(random)
				h.add(time.Duration(values[i]))
			}
			slices.Sort(values)
			got := h.summary()
			for _, q := range []struct {
				percent int
				got     time.Duration
			}{{50, got.P50}, {95, got.P95}, {99, got.P99}} {
				want := values[(len(values)*q.percent+99)/100-1]
				if off := math.Abs(float64(q.got) - float64(want)); off > 0.005*float64(want) {
					t.Errorf("p%d = %d, the sorted values say %d", q.percent, q.got, want)
				}
			}
			if want := time.Duration(values[len(values)-1]); got.Max != want || got.Count != 20_001 {
				t.Errorf("max %d of %d values, want %d of 20001", got.Max, got.Count, want)
			}
		})
	}
}

func TestHistogramBucketsAreContinuousAndHoldTheirMiddle(t *testing.T) {
	for bucket := range histogramBuckets {
		if got := bucketOf(bucketMiddle(bucket)); got != bucket {
			t.Fatalf("the middle of bucket %d, %d, falls into bucket %d", bucket, bucketMiddle(bucket), got)
		}
	}
	if got := bucketOf(math.MaxInt64); got != histogramBuckets-1 {
		t.Errorf("the largest value falls into bucket %d of %d", got, histogramBuckets)
	}
}

func TestHistogramIsEmptyAfterReset(t *testing.T) {
	var h histogram
	h.add(time.Second)
	h.add(-time.Second)
	if got := h.summary(); got.Count != 2 || got.P50 != 0 {
		t.Errorf("one negative and one positive value: %+v", got)
	}
	h.reset()
	if got := h.summary(); got != (latencies{}) {
		t.Errorf("after reset: %+v", got)
	}
}
