package postrider

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ID is a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits, so that
// ids sort by the time they were made. The zero ID means "none".
//
// Code uses the typed ids below, never ID itself, so that an endpoint's id cannot be handed to
// something that wants a tenant's.
type ID [16]byte

// The typed ids. Each prints with the prefix of its kind ("evt_…"), which is how REST shows it.
type (
	// TenantID names a Tenant, printed as "ten_…".
	TenantID struct{ ID }
	// EventID names an Event, printed as "evt_…".
	EventID struct{ ID }
	// EndpointID names an Endpoint, printed as "wh_…" on REST and "webhook-…" on GraphQL.
	EndpointID struct{ ID }
	// KeyID names a Key, printed as "key_…".
	KeyID struct{ ID }
	// UserID names a User, printed as "usr_…".
	UserID struct{ ID }
)

// DeliveryID names one delivery: the event, and the delivery's number among that event's
// deliveries, from 1. It prints as "dlv_<event>_<number>", so that the id alone tells a person
// which event is owed.
type DeliveryID struct {
	Event  EventID
	Number int
}

const (
	tenantPrefix   = "ten_"
	eventPrefix    = "evt_"
	endpointPrefix = "wh_"
	keyPrefix      = "key_"
	userPrefix     = "usr_"
	deliveryPrefix = "dlv_"
)

// NewTenantID makes an id for a tenant made at now.
func NewTenantID(now time.Time) TenantID { return TenantID{newID(now)} }

// NewEventID makes an id for an event accepted at now.
func NewEventID(now time.Time) EventID { return EventID{newID(now)} }

// NewEndpointID makes an id for an endpoint registered at now.
func NewEndpointID(now time.Time) EndpointID { return EndpointID{newID(now)} }

// NewKeyID makes an id for a key made at now.
func NewKeyID(now time.Time) KeyID { return KeyID{newID(now)} }

// NewUserID makes an id for a user made at now.
func NewUserID(now time.Time) UserID { return UserID{newID(now)} }

// NewID makes an id for something that has no kind of its own.
func NewID(now time.Time) ID { return newID(now) }

func (id TenantID) String() string   { return tenantPrefix + id.base32() }
func (id EventID) String() string    { return eventPrefix + id.base32() }
func (id EndpointID) String() string { return endpointPrefix + id.base32() }
func (id KeyID) String() string      { return keyPrefix + id.base32() }
func (id UserID) String() string     { return userPrefix + id.base32() }

func (id DeliveryID) String() string {
	return deliveryPrefix + id.Event.base32() + "_" + strconv.Itoa(id.Number)
}

// ParseTenantID reads what TenantID.String wrote. The error is of code CodeInvalid.
func ParseTenantID(s string) (TenantID, error) {
	id, err := parseText(s, tenantPrefix, "tenant")
	return TenantID{id}, err
}

// ParseEventID reads what EventID.String wrote. The error is of code CodeInvalid.
func ParseEventID(s string) (EventID, error) {
	id, err := parseText(s, eventPrefix, "event")
	return EventID{id}, err
}

// ParseEndpointID reads what EndpointID.String wrote. The error is of code CodeInvalid.
func ParseEndpointID(s string) (EndpointID, error) {
	id, err := parseText(s, endpointPrefix, "webhook")
	return EndpointID{id}, err
}

// ParseKeyID reads what KeyID.String wrote. The error is of code CodeInvalid.
func ParseKeyID(s string) (KeyID, error) {
	id, err := parseText(s, keyPrefix, "key")
	return KeyID{id}, err
}

// ParseUserID reads what UserID.String wrote. The error is of code CodeInvalid.
func ParseUserID(s string) (UserID, error) {
	id, err := parseText(s, userPrefix, "user")
	return UserID{id}, err
}

// ParseDeliveryID reads what DeliveryID.String wrote. The error is of code CodeInvalid.
func ParseDeliveryID(s string) (DeliveryID, error) {
	// The last "_" parts the number from the rest; the prefix holds one of its own.
	cut := strings.LastIndexByte(s, '_')
	if cut < 0 {
		return DeliveryID{}, notAnID(s, deliveryPrefix, "_1", "delivery")
	}
	event, eventErr := parseText(s[:cut], deliveryPrefix, "delivery")
	number, numberErr := strconv.Atoi(s[cut+1:])
	// Itoa again, because Atoi takes "+1" and "01" too, and one delivery has one id.
	if eventErr != nil || numberErr != nil || number < 1 || number > maxDeliveryNumber || strconv.Itoa(number) != s[cut+1:] {
		return DeliveryID{}, notAnID(s, deliveryPrefix, "_1", "delivery")
	}
	return DeliveryID{EventID{event}, number}, nil
}

// maxDeliveryNumber bounds the deliveries of one event: endpoints of a tenant and replays together.
const maxDeliveryNumber = 1 << 30

// IsZero reports whether id is the zero ID, "none".
func (id ID) IsZero() bool { return id == ID{} }

// Time is the moment the id was made, to the millisecond, in UTC.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// UUID is the id in the form of RFC 9562: "0190163d-8694-739b-aea5-966c26f8ad91".
func (id ID) UUID() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// ParseUUID reads the form of RFC 9562, upper or lower case, of any version.
func ParseUUID(s string) (ID, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, false
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	var id ID
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, false
	}
	return id, true
}

// alphabet is Crockford's base 32 in lower case: no i, l, o, u.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// textLength is the number of base 32 characters of an ID: 130 bits for 128.
const textLength = 26

// base32 writes the id most significant bits first, so that the texts sort as the ids do.
func (id ID) base32() string {
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var b [textLength]byte
	for i := textLength - 1; i >= 0; i-- {
		b[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(b[:])
}

func parseText(s, prefix, kind string) (ID, error) {
	text, found := strings.CutPrefix(s, prefix)
	if !found || len(text) != textLength || text[0] > '7' {
		return ID{}, notAnID(s, prefix, "", kind)
	}
	var hi, lo uint64
	for i := range textLength {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return ID{}, notAnID(s, prefix, "", kind)
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(digit)
	}
	var id ID
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}

// notAnID says what is wrong with a text that should have been an id, and what one looks like. The
// text comes from outside, so that no more of it is shown than an id has.
func notAnID(s, prefix, suffix, kind string) error {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return Errorf(CodeInvalid, "%q is not a %s id: it looks like %s01h455vb4pex5vsknk084sn02q%s", s, kind, prefix, suffix)
}

// MarshalText and UnmarshalText let ids stand in JSON and YAML as their printed form.

// MarshalText prints the id.
func (id TenantID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText prints the id.
func (id EventID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText prints the id.
func (id EndpointID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText prints the id.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText prints the id.
func (id UserID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText prints the id.
func (id DeliveryID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText printed.
func (id *TenantID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseTenantID(string(text))
	return err
}

// UnmarshalText reads what MarshalText printed.
func (id *EventID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseEventID(string(text))
	return err
}

// UnmarshalText reads what MarshalText printed.
func (id *EndpointID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseEndpointID(string(text))
	return err
}

// UnmarshalText reads what MarshalText printed.
func (id *UserID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseUserID(string(text))
	return err
}

// UnmarshalText reads what MarshalText printed.
func (id *KeyID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseKeyID(string(text))
	return err
}

// UnmarshalText reads what MarshalText printed.
func (id *DeliveryID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseDeliveryID(string(text))
	return err
}

// sequencer makes the ids of one process strictly increasing: within a millisecond the 74 random
// bits count up from a random start (RFC 9562, section 6.2, method 2), and a clock that steps back
// keeps the last millisecond. It is the one piece of process-wide state in the house, because
// uniqueness is a promise about the process and not about any of its parts.
var sequencer struct {
	sync.Mutex
	milli  int64
	hi, lo uint64 // 12 and 62 random bits
}

func newID(now time.Time) ID {
	sequencer.Lock()
	defer sequencer.Unlock()
	if milli := now.UnixMilli(); milli > sequencer.milli {
		var seed [16]byte
		// crypto/rand.Read never fails: it ends the program instead (crypto/rand documentation).
		_, _ = rand.Read(seed[:])
		sequencer.milli = milli
		sequencer.hi = binary.BigEndian.Uint64(seed[:8]) & 0x7ff // top bit clear: room to count
		sequencer.lo = binary.BigEndian.Uint64(seed[8:]) & (1<<62 - 1)
	} else {
		var step [4]byte
		_, _ = rand.Read(step[:])
		sequencer.lo += 1 + uint64(binary.BigEndian.Uint32(step[:])) // not guessable from its neighbour
		if sequencer.lo > 1<<62-1 {
			sequencer.lo &= 1<<62 - 1
			if sequencer.hi++; sequencer.hi > 0xfff {
				sequencer.hi = 0
				sequencer.milli++
			}
		}
	}
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(sequencer.milli)<<16|0x7000|sequencer.hi)
	binary.BigEndian.PutUint64(id[8:], 1<<63|sequencer.lo)
	return id
}
