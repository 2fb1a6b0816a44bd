package sqlite

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
)

// FuzzReadRecord: whatever stands in the file, reading ends without harm, and what could be read is
// written back as the same bytes or reads the same again.
func FuzzReadRecord(f *testing.F) {
	full := &postrider.Attempt{Duration: time.Second, Phases: postrider.Phases{DNS: 1, Connect: 2, TLS: 3, FirstByte: 4},
		Outcome: postrider.Outcome{Detail: "d", RetryAfter: time.Minute},
		Request: postrider.RequestHead{URL: "https://example.org", Header: []postrider.HeaderField{{Name: "A", Value: "b"}, {Name: "C"}}},
		Response: postrider.Response{Header: []postrider.HeaderField{{Name: "Server", Value: "x"}}, Body: []byte("ok"), Truncated: true,
			RemoteAddr: "192.0.2.1:443"}}
	f.Add(appendRecord(nil, full))
	f.Add(appendRecord(nil, &postrider.Attempt{}))
	f.Add([]byte{recordVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{recordVersion + 1})
	f.Fuzz(func(t *testing.T, record []byte) {
		var once, twice postrider.Attempt
		if readRecord(record, &once) != nil {
			return
		}
		again := appendRecord(nil, &once)
		if err := readRecord(again, &twice); err != nil {
			t.Fatalf("written again it cannot be read: %v", err)
		}
		if diff := cmp.Diff(once, twice); diff != "" && once.Duration >= 0 && once.Phases.DNS >= 0 && once.Phases.Connect >= 0 &&
			once.Phases.TLS >= 0 && once.Phases.FirstByte >= 0 && once.Outcome.RetryAfter >= 0 {
			t.Error(diff)
		}
	})
}

func TestARecordThatIsCutCannotBeRead(t *testing.T) {
	record := appendRecord(nil, &postrider.Attempt{Outcome: postrider.Outcome{Detail: "detail"}, Response: postrider.Response{Body: []byte("body")}})
	for n := range len(record) {
		if err := readRecord(record[:n], new(postrider.Attempt)); err == nil {
			t.Errorf("the first %d of %d bytes were read", n, len(record))
		}
	}
	if err := readRecord(append(record, 0), new(postrider.Attempt)); err == nil {
		t.Error("a byte too many was read")
	}
}

func FuzzDecodeReasons(f *testing.F) {
	f.Add(encodeReasons([]postrider.Reason{{Code: postrider.ReasonNoSubscriber}, {Endpoint: postrider.NewEndpointID(time.Now()), Code: "x"}}))
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, blob []byte) {
		once, err := decodeReasons(blob)
		if err != nil {
			return
		}
		twice, err := decodeReasons(encodeReasons(once))
		if diff := cmp.Diff(once, twice); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}
