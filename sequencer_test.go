package postrider

import (
	"bytes"
	"testing"
	"time"
)

// The counter is put to its ends by hand: no clock would bring it there in a test's time.
func TestTheSequencerCarriesIntoTheNextFieldAndStaysUUIDv7(t *testing.T) {
	for _, test := range []struct {
		name      string
		hi, lo    uint64
		wantMilli int64 // more than before
		wantHi    uint64
	}{
		{name: "low bits full", hi: 0x7ff, lo: 1<<62 - 1, wantMilli: 0, wantHi: 0x800},
		{name: "all random bits full", hi: 0xfff, lo: 1<<62 - 1, wantMilli: 1, wantHi: 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Now()
			newID(now)
			sequencer.Lock()
			sequencer.hi, sequencer.lo = test.hi, test.lo
			milli := sequencer.milli
			sequencer.Unlock()
			last := ID{}
			for i := range 3 {
				id := newID(now)
				if id[6]>>4 != 7 || id[8]>>6 != 0b10 {
					t.Fatalf("%s is no UUIDv7", id.UUID())
				}
				if bytes.Compare(last[:], id[:]) >= 0 {
					t.Fatalf("%s does not come after %s", id.UUID(), last.UUID())
				}
				if got := id.Time().UnixMilli() - milli; got != test.wantMilli {
					t.Fatalf("id %d is %d ms after the clock, want %d", i, got, test.wantMilli)
				}
				if hi := uint64(id[6]&0xf)<<8 | uint64(id[7]); hi != test.wantHi {
					t.Fatalf("id %d has the high bits %#x, want %#x", i, hi, test.wantHi)
				}
				last = id
			}
		})
	}
}

func TestIDsOfOneMillisecondCannotBeGuessedFromTheirNeighbour(t *testing.T) {
	now := time.Now().Add(time.Second) // later than any id so far, so that the counter begins anew
	steps := make(map[[8]byte]bool)
	previous := newID(now)
	for range 1_000 {
		id := newID(now)
		var step [8]byte
		for i := range step {
			step[i] = id[8+i] - previous[8+i]
		}
		steps[step] = true
		previous = id
	}
	if len(steps) < 990 {
		t.Errorf("1,000 ids lie only %d different steps apart", len(steps))
	}
}
