package contract

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
	"github.com/postrider/postrider/signature"
)

// Renderer makes the requests of one endpoint. It is prepared once for each configuration of the
// endpoint and is safe for concurrent use.
type Renderer struct {
	form    Form
	pieces  []piece // of the envelope; none when the data is sent alone
	closing string
	headers []headerPiece
	signers []signerPiece

	// While a rotation is under way: who signs from until on. Both are keyed once, so that the moment of
	// the change costs a comparison and no new renderer.
	until      time.Time // zero: no rotation
	afterwards []signerPiece
}

// piece is one member of the envelope: literal text up to the value, and the value.
type piece struct {
	literal string
	value   Source
}

type headerPiece struct {
	field  postrider.HeaderField // with an empty Value when it is dynamic
	source Source
}

type signerPiece struct {
	name   string
	signer *signature.Signer
	uuid   bool // the id that is signed is the UUID
}

// Request is what is sent: the exact body, and every header but those of the HTTP client itself
// (Host, Content-Length, User-Agent).
type Request struct {
	Body   []byte
	Header []postrider.HeaderField

	scratch []byte // header values while they are made
	ends    []int
}

// NewRenderer prepares a renderer for the endpoint's secrets. While a rotation is under way, signatures
// whose header carries a list are made with the new secret and the old, the others with the old alone;
// from the rotation's end on, by the attempt's clock, all are made with the new. The error is of
// CodeInvalid when a secret is missing or not in the form that the contract's signatures need.
func (c *Contract) NewRenderer(endpoint *postrider.Endpoint) (*Renderer, error) {
	r := &Renderer{form: c.document.Body.Form}
	for i, field := range c.document.Body.Fields {
		literal := string(jsonscan.AppendQuoted([]byte(separator(i)), field.Name)) + ":"
		r.pieces = append(r.pieces, piece{literal, field.Value})
		r.closing = "}"
	}
	for _, h := range c.document.Headers {
		r.headers = append(r.headers, headerPiece{postrider.HeaderField{Name: h.Name, Value: h.Literal}, h.Source})
	}
	if endpoint.Rotation == nil {
		var err error
		r.signers, err = c.signers(endpoint, time.Time{})
		return r, err
	}
	r.until = endpoint.Rotation.Until
	var before, after error
	r.signers, before = c.signers(endpoint, r.until.Add(-time.Nanosecond))
	r.afterwards, after = c.signers(endpoint, r.until)
	return r, cmp.Or(before, after)
}

// signers keys the contract's signatures with the secrets in force at now.
func (c *Contract) signers(endpoint *postrider.Endpoint, now time.Time) ([]signerPiece, error) {
	signers := make([]signerPiece, 0, len(c.document.Signatures))
	for _, scheme := range c.document.Signatures {
		signer, err := signature.NewSigner(scheme, endpoint.SigningSecrets(now, scheme.Separator != ""))
		if err != nil {
			return nil, err
		}
		signers = append(signers, signerPiece{scheme.Header, signer, c.carriesUUID(scheme.IDHeader)})
	}
	return signers, nil
}

func separator(i int) string {
	if i == 0 {
		return "{"
	}
	return ","
}

func (c *Contract) carriesUUID(header string) bool {
	for _, h := range c.document.Headers {
		if header != "" && h.Source == SourceUUID && strings.EqualFold(h.Name, header) {
			return true
		}
	}
	return false
}

// Render puts the request of one attempt into dst, whose slices it reuses. It is a pure function of
// the endpoint's configuration, the event and now, the attempt's clock; now shows only in headers
// whose source is attempt.timestamp, in signatures over it, and in which secrets sign during a rotation. Everything else is the same in every
// attempt. The error is of CodeInvalid: an event that intake should not have taken.
func (r *Renderer) Render(dst *Request, event *postrider.Event, now time.Time) error {
	ids := identity{event: event}
	body, err := r.appendBody(dst.Body[:0], &ids)
	dst.Body = body
	if err != nil {
		return err
	}
	return r.renderHeader(dst, &ids, now)
}

// identity keeps an event's ids as text, each made when it is first asked for.
type identity struct {
	event        *postrider.Event
	public, uuid string
}

func (i *identity) publicID() string {
	if i.public == "" {
		i.public = i.event.PublicID()
	}
	return i.public
}

// uuidText is the id that the publisher gave when it is a UUID, byte for byte, else the event's own.
func (i *identity) uuidText() string {
	if i.uuid == "" {
		if _, ok := postrider.ParseUUID(i.event.GivenID); ok {
			i.uuid = i.event.GivenID
		} else {
			i.uuid = i.event.ID.UUID()
		}
	}
	return i.uuid
}

func (r *Renderer) appendBody(dst []byte, ids *identity) ([]byte, error) {
	if len(r.pieces) == 0 {
		return r.appendJSON(dst, ids.event.Data, "{}")
	}
	var err error
	for _, p := range r.pieces {
		dst = append(dst, p.literal...)
		switch p.value {
		case SourceData:
			dst, err = r.appendJSON(dst, ids.event.Data, "{}")
		case SourcePrevious:
			dst, err = r.appendJSON(dst, ids.event.Previous, "null")
		case SourceOccurredMS, SourceOccurredSeconds:
			dst = appendText(dst, p.value, ids, time.Time{})
		case SourceOccurred, SourceOccurredMilli: // made of characters that need no escape
			dst = append(appendText(append(dst, '"'), p.value, ids, time.Time{}), '"')
		default:
			dst = jsonscan.AppendQuoted(dst, textOf(p.value, ids))
		}
		if err != nil {
			return dst, err
		}
	}
	return append(dst, r.closing...), nil
}

// appendJSON appends published JSON in the contract's form, or what stands for none. A body is never
// empty (A002-9).
func (r *Renderer) appendJSON(dst, json []byte, none string) ([]byte, error) {
	switch {
	case len(json) == 0:
		return append(dst, none...), nil
	case r.form == FormECMAScript:
		return AppendECMAScript(dst, json)
	}
	return append(dst, json...), nil
}

// renderHeader makes all values that change in one buffer and turns it into one string, which the
// fields then share.
func (r *Renderer) renderHeader(dst *Request, ids *identity, now time.Time) error {
	text, ends := dst.scratch[:0], dst.ends[:0]
	for i := range r.headers {
		if source := r.headers[i].source; source != "" {
			text = appendText(text, source, ids, now)
			ends = append(ends, len(text))
		}
	}
	if at := notVisible(text); at >= 0 {
		dst.scratch, dst.ends = text, ends
		return postrider.Errorf(postrider.CodeInvalid, "the event's id or topic holds a character (%q) that no header can carry", text[at])
	}
	signers := r.signers
	if !r.until.IsZero() && !now.Before(r.until) {
		signers = r.afterwards
	}
	for i := range signers {
		id := ""
		if signers[i].uuid {
			id = ids.uuidText()
		} else {
			id = ids.publicID()
		}
		text = signers[i].signer.AppendHeader(text, id, now, dst.Body)
		ends = append(ends, len(text))
	}
	dst.scratch, dst.ends = text, ends
	values, next, start := string(text), 0, 0
	take := func() string {
		value := values[start:ends[next]]
		start = ends[next]
		next++
		return value
	}
	dst.Header = dst.Header[:0]
	for i := range r.headers {
		field := r.headers[i].field
		if r.headers[i].source != "" {
			field.Value = take()
		}
		dst.Header = append(dst.Header, field)
	}
	for i := range signers {
		dst.Header = append(dst.Header, postrider.HeaderField{Name: signers[i].name, Value: take()})
	}
	return nil
}

func notVisible(text []byte) int {
	for i, c := range text {
		if c <= ' ' || c > '~' {
			return i
		}
	}
	return -1
}

// textOf gives a source that is text already.
func textOf(source Source, ids *identity) string {
	switch source {
	case SourceID:
		return ids.publicID()
	case SourceUUID:
		return ids.uuidText()
	case SourceTopic:
		return string(ids.event.Topic)
	}
	return string(ids.event.Environment)
}

// appendText appends any source but the JSON ones.
func appendText(dst []byte, source Source, ids *identity, now time.Time) []byte {
	occurred := ids.event.OccurredAt
	switch source {
	case SourceOccurredMS:
		return strconv.AppendInt(dst, occurred.UnixMilli(), 10)
	case SourceOccurredSeconds:
		return strconv.AppendInt(dst, occurred.Unix(), 10)
	case SourceOccurred:
		return occurred.UTC().AppendFormat(dst, time.RFC3339)
	case SourceOccurredMilli:
		dst = occurred.UTC().AppendFormat(dst, time.RFC3339)
		milli := occurred.Nanosecond() / int(time.Millisecond)
		return append(dst[:len(dst)-1], '.', byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10), 'Z')
	case SourceTimestamp:
		return strconv.AppendInt(dst, now.Unix(), 10)
	}
	return append(dst, textOf(source, ids)...)
}
