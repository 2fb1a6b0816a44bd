package bench

import (
	"bytes"
	"strconv"
	"time"
)

// A marker stands at the head of every event's data: which run of the load generator it belongs
// to, its number in that run, and when it was sent. Its numbers have a fixed width, so that the load
// generator patches them into a request it built once.
type marker struct {
	run    int
	number int
	sent   time.Time
}

// The marker's members, in this order, from the opening brace of the data.
const (
	markerRun    = `{"bench_run":`
	markerNumber = `,"bench_event":`
	markerSent   = `,"bench_sent":`

	numberBase  = 1_000_000_000 // added to run and number: ten digits, always
	numberWidth = 10
	sentWidth   = 19 // Unix nanoseconds, until the year 2286

	markerLength = len(markerRun) + numberWidth + len(markerNumber) + numberWidth + len(markerSent) + sentWidth
)

// minData and maxData bound the size of an event's data in bytes.
const (
	minData = 128
	maxData = 900 << 10 // below the product's limit of a publish body, with room for its frame
)

// newData makes event data of exactly size bytes: a marker with all numbers zero (to be patched),
// then members such as an ordinary order has.
func newData(size int) []byte {
	const (
		item  = `{"sku":"A-10442","quantity":12,"price":19.95,"note":"r\u00e9assort \"B\""},`
		open  = `,"items":[`
		close = `{}],"fill":"`
	)
	data := make([]byte, 0, size)
	data = append(data, markerRun...)
	data = append(data, "0000000000"...)
	data = append(data, markerNumber...)
	data = append(data, "0000000000"...)
	data = append(data, markerSent...)
	data = append(data, "0000000000000000000"...)
	data = append(data, open...)
	for len(data)+len(item)+len(close)+2 <= size {
		data = append(data, item...)
	}
	data = append(data, close...)
	for len(data)+2 < size {
		data = append(data, 'x')
	}
	data = append(data, `"}`...)
	patchMarker(data, marker{sent: time.Unix(1_000_000_000, 0)})
	return data
}

// patchMarker writes m over the marker at the head of data.
func patchMarker(data []byte, m marker) {
	at := len(markerRun)
	putDigits(data[at:at+numberWidth], int64(numberBase+m.run))
	at += numberWidth + len(markerNumber)
	putDigits(data[at:at+numberWidth], int64(numberBase+m.number))
	at += numberWidth + len(markerSent)
	putDigits(data[at:at+sentWidth], m.sent.UnixNano())
}

// findMarker finds the marker in a delivery's body, wherever the contract put the data.
func findMarker(body []byte) (marker, bool) {
	at := bytes.Index(body, []byte(markerRun))
	if at < 0 || len(body) < at+markerLength {
		return marker{}, false
	}
	rest := body[at+len(markerRun):]
	run, ok1 := digits(rest[:numberWidth])
	rest = rest[numberWidth:]
	number, ok2 := digits(rest[len(markerNumber) : len(markerNumber)+numberWidth])
	rest = rest[len(markerNumber)+numberWidth:]
	sent, ok3 := digits(rest[len(markerSent) : len(markerSent)+sentWidth])
	if !ok1 || !ok2 || !ok3 || run < numberBase || number < numberBase {
		return marker{}, false
	}
	return marker{run: int(run - numberBase), number: int(number - numberBase), sent: time.Unix(0, sent)}, true
}

func putDigits(dst []byte, v int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

func digits(text []byte) (int64, bool) {
	v, err := strconv.ParseInt(string(text), 10, 64)
	return v, err == nil
}
