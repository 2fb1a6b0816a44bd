package bench

import (
	"encoding/json"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestDataHasItsSizeIsJSONAndCarriesItsMarker(t *testing.T) {
	for _, size := range []int{minData, minData + 1, 200, 201, 1024, 65_537} {
		data := newData(size)
		if len(data) != size {
			t.Errorf("%d bytes, want %d", len(data), size)
		}
		want := marker{run: 3, number: 1_234_567, sent: time.Unix(1_790_000_000, 123_456_789)}
		patchMarker(data, want)
		if !json.Valid(data) {
			t.Fatalf("not JSON: %s", data)
		}
		got, found := findMarker(append([]byte(`{"id":"evt_1","data":`), data...))
		if !found || got.run != want.run || got.number != want.number || !got.sent.Equal(want.sent) {
			t.Errorf("size %d: found %v %+v, want %+v", size, found, got, want)
		}
	}
}

func TestFindMarkerRefusesWhatIsNone(t *testing.T) {
	data := newData(minData)
	for name, body := range map[string][]byte{
		"empty":     nil,
		"other":     []byte(`{"id":"evt_1","data":{"object":{}}}`),
		"cut short": data[:markerLength-1],
		"no digits": append([]byte(markerRun+"x"), data[len(markerRun)+1:]...),
		"too small": append([]byte(markerRun+"0"), data[len(markerRun)+1:]...),
	} {
		if m, found := findMarker(body); found {
			t.Errorf("%s: found %+v", name, m)
		}
	}
}

func TestTallyCountsEachEventOfEachEndpointOnce(t *testing.T) {
	const events, endpoints, repeats = 1_003, 3, 4
	count := newTally(7, events, endpoints)
	now := time.Unix(1_790_000_000, 0)
	var group sync.WaitGroup
	for worker := range repeats {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for _, position := range random.Perm(events * endpoints) {
				if number := position % events; number != 500 { // one event never arrives
					count.add(position/events, marker{run: 7, number: number, sent: now.Add(-time.Millisecond)}, now)
				}
			}
		})
	}
	group.Wait()
	count.add(0, marker{run: 6, number: 1, sent: now}, now)         // of another run
	count.add(endpoints, marker{run: 7, number: 1, sent: now}, now) // of no endpoint
	count.add(0, marker{run: 7, number: events, sent: now}, now)    // of no event
	count.add(-1, marker{run: 7, number: -1, sent: now}, now)       // of neither
	got := count.state()
	const distinct = (events - 1) * endpoints
	if got.Distinct != distinct || got.Deliveries != distinct*repeats || got.Duplicates != distinct*(repeats-1) || got.Stray != 4 {
		t.Errorf("distinct %d, deliveries %d, duplicates %d, stray %d; want %d, %d, %d, 4", got.Distinct, got.Deliveries,
			got.Duplicates, got.Stray, distinct, distinct*repeats, distinct*(repeats-1))
	}
	set := 0
	for i := range count.seen {
		set += bits.OnesCount64(count.seen[i].Load())
	}
	if set != distinct || got.Latency.Count != distinct || got.Latency.Max != time.Millisecond {
		t.Errorf("%d bits, latency %+v; want %d of them, 1 ms", set, got.Latency, distinct)
	}
}
