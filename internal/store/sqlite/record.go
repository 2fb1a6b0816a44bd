package sqlite

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/postrider/postrider"
)

// attempt.record holds what is shown of an attempt and never searched:
//
//	version (1 byte, 1)
//	duration, dns, connect, tls, first byte, retry after   (uvarint nanoseconds each)
//	detail, URL, remote address                            (text)
//	request header, response header                        (uvarint count, then name and value texts)
//	response body                                          (text), truncated (1 byte, 0 or 1)
//
// A text is its length (uvarint) and its bytes.
const recordVersion = 1

var errRecord = errors.New("an attempt's record cannot be read")

func appendRecord(dst []byte, a *postrider.Attempt) []byte {
	dst = append(dst, recordVersion)
	for _, d := range [...]time.Duration{a.Duration, a.Phases.DNS, a.Phases.Connect, a.Phases.TLS, a.Phases.FirstByte, a.Outcome.RetryAfter} {
		dst = binary.AppendUvarint(dst, uint64(max(d, 0)))
	}
	dst = appendText(dst, a.Outcome.Detail)
	dst = appendText(dst, a.Request.URL)
	dst = appendText(dst, a.Response.RemoteAddr)
	dst = appendHeader(dst, a.Request.Header)
	dst = appendHeader(dst, a.Response.Header)
	dst = appendText(dst, a.Response.Body)
	if a.Response.Truncated {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

func appendHeader(dst []byte, header []postrider.HeaderField) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(header)))
	for i := range header {
		dst = appendText(dst, header[i].Name)
		dst = appendText(dst, header[i].Value)
	}
	return dst
}

// readRecord fills a from what appendRecord wrote.
func readRecord(record []byte, a *postrider.Attempt) error {
	r := recordReader{rest: record}
	if r.byte() != recordVersion {
		return errRecord
	}
	for _, d := range [...]*time.Duration{&a.Duration, &a.Phases.DNS, &a.Phases.Connect, &a.Phases.TLS, &a.Phases.FirstByte, &a.Outcome.RetryAfter} {
		*d = time.Duration(r.uvarint())
	}
	a.Outcome.Detail = string(r.text())
	a.Request.URL = string(r.text())
	a.Response.RemoteAddr = string(r.text())
	a.Request.Header = r.header()
	a.Response.Header = r.header()
	if body := r.text(); len(body) > 0 {
		a.Response.Body = append([]byte(nil), body...)
	}
	a.Response.Truncated = r.byte() == 1
	if r.bad || len(r.rest) > 0 {
		return errRecord
	}
	return nil
}

// recordReader takes values off the front of rest; bad says that something was missing.
type recordReader struct {
	rest []byte
	bad  bool
}

func (r *recordReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *recordReader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *recordReader) header() []postrider.HeaderField {
	n := r.uvarint()
	if n > uint64(len(r.rest))/2 { // a field takes two bytes at least
		r.bad, r.rest = true, nil
		return nil
	}
	if n == 0 {
		return nil
	}
	header := make([]postrider.HeaderField, n)
	for i := range header {
		header[i] = postrider.HeaderField{Name: string(r.text()), Value: string(r.text())}
	}
	return header
}

// event.reasons is, for each reason, the endpoint's id (16 bytes, zero for none) and the code (text as above).

func encodeReasons(reasons []postrider.Reason) []byte {
	var blob []byte
	for i := range reasons {
		blob = append(blob, reasons[i].Endpoint.ID[:]...)
		blob = appendText(blob, string(reasons[i].Code))
	}
	return blob
}

func decodeReasons(blob []byte) ([]postrider.Reason, error) {
	var reasons []postrider.Reason
	r := recordReader{rest: blob}
	for len(r.rest) > 0 {
		var reason postrider.Reason
		if n := copy(reason.Endpoint.ID[:], r.rest); n < len(reason.Endpoint.ID) {
			return nil, errors.New("an event's reasons cannot be read")
		}
		r.rest = r.rest[len(reason.Endpoint.ID):]
		reason.Code = postrider.ReasonCode(r.text())
		reasons = append(reasons, reason)
	}
	if r.bad {
		return nil, errors.New("an event's reasons cannot be read")
	}
	return reasons, nil
}
