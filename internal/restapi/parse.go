package restapi

import (
	"errors"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/jsonscan"
)

// The members of a published event, as bits of parser.seen.
const (
	memberType = 1 << iota
	memberData
	memberPrevious
	memberID
	memberOccurredAt
	memberTenant
	memberEnvironment
)

// parser reads published events, made by hand for speed: one pass over the text, no reflection, and
// no allocation but for the strings that outlive it. Get one from newParser and give it back.
type parser struct {
	event  *ingest.Publication
	tenant string // named by the publisher, "" when not
	seen   uint
	faults postrider.Faults
	count  int
	visit  func(key, value []byte) error // p.member, bound once so that scanning allocates no closure
}

// parsers keeps parsers between requests.
type parsers struct{ pool sync.Pool }

func newParsers() *parsers {
	return &parsers{pool: sync.Pool{New: func() any {
		p := &parser{}
		p.visit = p.member
		return p
	}}}
}

func (ps *parsers) get() *parser { return ps.pool.Get().(*parser) }

func (ps *parsers) put(p *parser) {
	*p = parser{visit: p.visit}
	ps.pool.Put(p)
}

// parse reads one published event into event, whose Data and Previous then point into text, and
// gives the tenant that it names. The error is of CodeInvalid and tells all faults at once; what
// topics, ids and environments look like is ingest's to say.
func (p *parser) parse(text []byte, event *ingest.Publication) (tenant string, err error) {
	p.event, p.tenant, p.seen, p.faults, p.count = event, "", 0, postrider.Faults{}, 0
	err = jsonscan.Members(text, jsonscan.EventDepth, p.visit)
	if err != nil && !errors.Is(err, errEnough) {
		return "", notAnEvent(err)
	}
	if err == nil {
		if p.seen&memberType == 0 {
			p.faults.Add("type", "is required: what happened, such as \"order.created\"")
		}
		if p.seen&memberData == 0 {
			p.faults.Add("data", "is required: any JSON value")
		}
	}
	return p.tenant, p.faults.Err()
}

func notAnEvent(err error) error {
	return &postrider.Error{Code: postrider.CodeInvalid, Message: "the event is not a JSON object: " + err.Error(), Err: err}
}

// member takes one member of the event.
func (p *parser) member(key, value []byte) error {
	switch string(key) { // the compiler makes no string of it
	case "type":
		if p.once(memberType, "type") {
			p.event.Topic = postrider.Topic(p.text("type", value))
		}
	case "data":
		if p.once(memberData, "data") {
			p.event.Data = value
		}
	case "previous_data":
		if p.once(memberPrevious, "previous_data") && string(value) != "null" {
			p.event.Previous = value
		}
	case "id":
		if p.once(memberID, "id") && string(value) != "null" {
			if p.event.GivenID = p.text("id", value); p.event.GivenID == "" {
				p.fault("id", "cannot be empty; leave it out to get one")
			}
		}
	case "occurred_at":
		if p.once(memberOccurredAt, "occurred_at") && string(value) != "null" {
			p.event.OccurredAt = p.time(value)
		}
	case "tenant":
		if p.once(memberTenant, "tenant") && string(value) != "null" {
			p.tenant = p.text("tenant", value)
		}
	case "environment":
		if p.once(memberEnvironment, "environment") && string(value) != "null" {
			p.event.Environment = postrider.Environment(p.text("environment", value))
		}
	default:
		p.fault(bounded(string(key)), "unknown field")
	}
	if p.count >= maxBodyFaults {
		return errEnough
	}
	return nil
}

// once notes that a member was met, and reports whether for the first time.
func (p *parser) once(member uint, name string) bool {
	if p.seen&member != 0 {
		p.fault(name, "stands twice")
		return false
	}
	p.seen |= member
	return true
}

func (p *parser) fault(field, message string) {
	p.faults.Add(field, "%s", message)
	p.count++
}

// text reads a string.
func (p *parser) text(field string, token []byte) string {
	if token[0] != '"' {
		p.fault(field, "must be a string")
		return ""
	}
	if text, plain := unescaped(token); plain {
		return string(text)
	}
	text, err := jsonscan.Unquote(token)
	if err != nil {
		p.fault(field, "is not good text: "+err.Error())
	}
	return text
}

// unescaped gives what stands between the quotes of a string token that has no escapes.
func unescaped(token []byte) ([]byte, bool) {
	inner := token[1 : len(token)-1]
	for _, c := range inner {
		if c == '\\' {
			return nil, false
		}
	}
	return inner, true
}

// time reads a time of RFC 3339 to the millisecond.
func (p *parser) time(token []byte) time.Time {
	text := p.text("occurred_at", token)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.fault("occurred_at", "must be a time such as \"2026-02-18T10:30:00Z\"")
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}
