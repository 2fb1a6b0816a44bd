package postrider_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"pgregory.net/rapid"
)

// A kind is one of the typed ids, seen from outside.
type kind struct {
	name   string
	prefix string
	print  func(postrider.ID) string
	parse  func(string) (postrider.ID, error)
	text   func(postrider.ID) encoding.TextMarshaler
	into   func() (encoding.TextUnmarshaler, func() postrider.ID)
}

func kinds() []kind {
	return []kind{
		{
			"tenant", "ten_",
			func(id postrider.ID) string { return postrider.TenantID{ID: id}.String() },
			func(s string) (postrider.ID, error) { id, err := postrider.ParseTenantID(s); return id.ID, err },
			func(id postrider.ID) encoding.TextMarshaler { return postrider.TenantID{ID: id} },
			func() (encoding.TextUnmarshaler, func() postrider.ID) {
				id := new(postrider.TenantID)
				return id, func() postrider.ID { return id.ID }
			},
		},
		{
			"event", "evt_",
			func(id postrider.ID) string { return postrider.EventID{ID: id}.String() },
			func(s string) (postrider.ID, error) { id, err := postrider.ParseEventID(s); return id.ID, err },
			func(id postrider.ID) encoding.TextMarshaler { return postrider.EventID{ID: id} },
			func() (encoding.TextUnmarshaler, func() postrider.ID) {
				id := new(postrider.EventID)
				return id, func() postrider.ID { return id.ID }
			},
		},
		{
			"webhook", "wh_",
			func(id postrider.ID) string { return postrider.EndpointID{ID: id}.String() },
			func(s string) (postrider.ID, error) { id, err := postrider.ParseEndpointID(s); return id.ID, err },
			func(id postrider.ID) encoding.TextMarshaler { return postrider.EndpointID{ID: id} },
			func() (encoding.TextUnmarshaler, func() postrider.ID) {
				id := new(postrider.EndpointID)
				return id, func() postrider.ID { return id.ID }
			},
		},
		{
			"key", "key_",
			func(id postrider.ID) string { return postrider.KeyID{ID: id}.String() },
			func(s string) (postrider.ID, error) { id, err := postrider.ParseKeyID(s); return id.ID, err },
			func(id postrider.ID) encoding.TextMarshaler { return postrider.KeyID{ID: id} },
			func() (encoding.TextUnmarshaler, func() postrider.ID) {
				id := new(postrider.KeyID)
				return id, func() postrider.ID { return id.ID }
			},
		},
	}
}

func anyID() *rapid.Generator[postrider.ID] {
	return rapid.Custom(func(t *rapid.T) postrider.ID {
		return postrider.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	})
}

func TestEveryIDReadsBackAsItWasPrinted(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				id := anyID().Draw(t, "id")
				text := k.print(id)
				if len(text) != len(k.prefix)+26 || !strings.HasPrefix(text, k.prefix) {
					t.Fatalf("printed %q", text)
				}
				if got, err := k.parse(text); err != nil || got != id {
					t.Fatalf("parse(%q) = %x, %v; want %x", text, got, err, id)
				}
				marshalled, err := k.text(id).MarshalText()
				if err != nil || string(marshalled) != text {
					t.Fatalf("MarshalText = %q, %v; want %q", marshalled, err, text)
				}
				target, read := k.into()
				if err := target.UnmarshalText(marshalled); err != nil || read() != id {
					t.Fatalf("UnmarshalText(%q) gives %x, %v; want %x", marshalled, read(), err, id)
				}
			})
		})
	}
}

func TestPrintedIDsSortAsTheIDsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyID().Draw(t, "a"), anyID().Draw(t, "b")
		byBytes := bytes.Compare(a[:], b[:])
		textA, textB := postrider.EventID{ID: a}.String(), postrider.EventID{ID: b}.String()
		if byText := strings.Compare(textA, textB); byText != byBytes {
			t.Fatalf("%x and %x compare %d, %s and %s compare %d", a, b, byBytes, textA, textB, byText)
		}
		if byUUID := strings.Compare(a.UUID(), b.UUID()); byUUID != byBytes {
			t.Fatalf("%x and %x compare %d, as UUIDs %d", a, b, byBytes, byUUID)
		}
	})
}

// The vectors are those of the TypeID specification (spec/valid.yml).
func TestIDsAreWrittenAsTypeIDWritesThem(t *testing.T) {
	for _, vector := range []struct{ uuid, text string }{
		{"00000000-0000-0000-0000-000000000000", "00000000000000000000000000"},
		{"00000000-0000-0000-0000-000000000001", "00000000000000000000000001"},
		{"00000000-0000-0000-0000-00000000000a", "0000000000000000000000000a"},
		{"00000000-0000-0000-0000-000000000010", "0000000000000000000000000g"},
		{"00000000-0000-0000-0000-000000000020", "00000000000000000000000010"},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		{"0110c853-1d09-52d8-d73e-1194e95b5f19", "0123456789abcdefghjkmnpqrs"},
		{"01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"},
	} {
		id, ok := postrider.ParseUUID(vector.uuid)
		if !ok {
			t.Fatalf("ParseUUID(%q) refuses it", vector.uuid)
		}
		if got := (postrider.EventID{ID: id}).String(); got != "evt_"+vector.text {
			t.Errorf("%s prints as %s, want evt_%s", vector.uuid, got, vector.text)
		}
		if got, err := postrider.ParseEventID("evt_" + vector.text); err != nil || got.UUID() != vector.uuid {
			t.Errorf("evt_%s reads as %s, %v; want %s", vector.text, got.UUID(), err, vector.uuid)
		}
	}
}

func TestNewIDsAreUUIDv7OfTheirTime(t *testing.T) {
	before := time.Now().UTC().Truncate(time.Millisecond)
	id := postrider.NewEventID(before)
	if version := id.ID[6] >> 4; version != 7 {
		t.Errorf("version %d in %s, want 7", version, id.UUID())
	}
	if variant := id.ID[8] >> 6; variant != 0b10 {
		t.Errorf("variant %02b in %s, want 10", variant, id.UUID())
	}
	// Other tests may have made ids of this process before, and the clock may have been set back
	// since: the id's time is never before the one given, and hardly after it.
	if made := id.Time(); made.Before(before) || made.After(before.Add(time.Second)) {
		t.Errorf("an id made at %v says %v", before, made)
	}
	if made := id.Time(); made.Location() != time.UTC {
		t.Errorf("an id's time is in %v, want UTC", made.Location())
	}
	if id.IsZero() || !(postrider.EventID{}).IsZero() {
		t.Error("only the zero id is zero")
	}
}

func TestNewIDsGrowStrictlyWhateverTheClockDoes(t *testing.T) {
	clock := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		previous := postrider.NewEventID(clock)
		for range rapid.IntRange(1, 200).Draw(t, "ids") {
			step := time.Duration(rapid.Int64Range(-3, 3).Draw(t, "step in ms")) * time.Millisecond
			next := postrider.NewEventID(clock.Add(step))
			if bytes.Compare(previous.ID[:], next.ID[:]) >= 0 || previous.String() >= next.String() {
				t.Fatalf("%s was made after %s and does not come after it", next, previous)
			}
			if next.ID[6]>>4 != 7 || next.ID[8]>>6 != 0b10 {
				t.Fatalf("%s is no UUIDv7", next.UUID())
			}
			previous = next
		}
	})
}

func TestNewIDsOfManyGoroutinesAreAllDifferent(t *testing.T) {
	const goroutines, each = 8, 2_000
	now := time.Now()
	made := make(chan []postrider.ID, goroutines)
	for range goroutines {
		go func() {
			ids := make([]postrider.ID, 0, each)
			for range each {
				ids = append(ids, postrider.NewKeyID(now).ID, postrider.NewTenantID(now).ID, postrider.NewEndpointID(now).ID)
			}
			made <- ids
		}()
	}
	seen := make(map[postrider.ID]bool, 3*goroutines*each)
	for range goroutines {
		ids := <-made
		if !slices.IsSortedFunc(ids, func(a, b postrider.ID) int { return bytes.Compare(a[:], b[:]) }) {
			t.Error("one goroutine's ids do not grow")
		}
		for _, id := range ids {
			if seen[id] {
				t.Fatalf("%s was made twice", id.UUID())
			}
			seen[id] = true
		}
	}
}

func TestTextsThatAreNoIDsAreRefusedInPlainWords(t *testing.T) {
	const good = "01h455vb4pex5vsknk084sn02q"
	for _, k := range kinds() {
		for _, text := range []string{
			"", k.prefix, good, k.prefix + good[1:], k.prefix + good + "0", "other_" + good,
			k.prefix + "81h455vb4pex5vsknk084sn02q",                            // 131 bits
			k.prefix + strings.ToUpper(good), strings.ToUpper(k.prefix) + good, // one id has one text
			k.prefix + strings.Replace(good, "5", "i", 1), k.prefix + strings.Replace(good, "5", "u", 1),
			" " + k.prefix + good, k.prefix + good + "\n", k.prefix + good + "\x00", k.prefix + k.prefix + good,
			k.prefix + strings.Repeat("é", 13),
		} {
			id, err := k.parse(text)
			if postrider.ErrorCode(err) != postrider.CodeInvalid {
				t.Errorf("%s: parse(%q) = %x, %v; want an error of code invalid", k.name, text, id, err)
				continue
			}
			if id != (postrider.ID{}) {
				t.Errorf("%s: parse(%q) gives %x beside its error", k.name, text, id)
			}
			if !strings.Contains(err.Error(), "is not a "+k.name+" id: it looks like "+k.prefix) {
				t.Errorf("%s: parse(%q) says %q, which helps nobody", k.name, text, err)
			}
		}
	}
}

func TestAnErrorShowsNoMoreOfABadIDThanAnIDHas(t *testing.T) {
	hostile := "evt_" + strings.Repeat("0", 1<<20)
	_, eventErr := postrider.ParseEventID(hostile)
	_, deliveryErr := postrider.ParseDeliveryID(hostile)
	for _, err := range []error{eventErr, deliveryErr} {
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("a text of a megabyte gives an error of %d bytes", len(fmt.Sprint(err)))
		}
	}
}

func TestUUIDReadsBackInEitherCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anyID().Draw(t, "id")
		for _, text := range []string{id.UUID(), strings.ToUpper(id.UUID())} {
			if got, ok := postrider.ParseUUID(text); !ok || got != id {
				t.Fatalf("ParseUUID(%q) = %x, %v; want %x", text, got, ok, id)
			}
		}
	})
}

func TestTextsThatAreNoUUIDsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}",
		"01890a5d-ac96-774b-bcce-b302099a805", "01890a5d-ac96-774b-bcce-b302099a80570",
		"01890a5g-ac96-774b-bcce-b302099a8057", "01890a5d_ac96_774b_bcce_b302099a8057",
		"01890a5d-ac96-774b-bcce-b302099a80--", // as long as a UUID, with hyphens where digits belong
		"--------------------------------0000",
		"01890a5-dac96-774b-bcce-b302099a8057",
	} {
		if id, ok := postrider.ParseUUID(text); ok || !id.IsZero() {
			t.Errorf("ParseUUID(%q) = %s, %v; want it refused", text, id.UUID(), ok)
		}
	}
}

func TestDeliveryIDReadsBackAsItWasPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := postrider.DeliveryID{
			Event:  postrider.EventID{ID: anyID().Draw(t, "event")},
			Number: rapid.IntRange(1, 1<<30).Draw(t, "number"),
		}
		if got, err := postrider.ParseDeliveryID(id.String()); err != nil || got != id {
			t.Fatalf("ParseDeliveryID(%q) = %v, %v", id, got, err)
		}
		inJSON, err := json.Marshal(map[postrider.DeliveryID]postrider.DeliveryID{id: id})
		if err != nil {
			t.Fatal(err)
		}
		var back map[postrider.DeliveryID]postrider.DeliveryID
		if err := json.Unmarshal(inJSON, &back); err != nil || back[id] != id {
			t.Fatalf("%s reads back as %v, %v", inJSON, back, err)
		}
	})
}

func TestTextsThatAreNoDeliveryIDsAreRefused(t *testing.T) {
	const event = "01h455vb4pex5vsknk084sn02q"
	for _, text := range []string{
		"", "_", "__", "dlv", "dlv_", "dlv__", "dlv__1", "dlv_1", "_1", "1",
		event + "_1", "evt_" + event + "_1", "dlv_" + event, "dlv_" + event + "_",
		"dlv_" + event + "_0", "dlv_" + event + "_-1", "dlv_" + event + "_+1", "dlv_" + event + "_01",
		"dlv_" + event + "_1 ", "dlv_" + event + "_1.0", "dlv_" + event + "_1e3", "dlv_" + event + "_0x1",
		"dlv_" + event + "_1_1", "dlv_" + event + "__1", "dlv_dlv_" + event + "_1", "dlv_evt_" + event + "_1",
		"dlv_" + event + "_1073741825", "dlv_" + event + "_18446744073709551617", "dlv_" + event + "_١",
		"dlv_" + event[1:] + "_1", "dlv_" + event + "0_1", "dlv_8" + event[1:] + "_1", "DLV_" + event + "_1",
	} {
		id, err := postrider.ParseDeliveryID(text)
		if postrider.ErrorCode(err) != postrider.CodeInvalid || id != (postrider.DeliveryID{}) {
			t.Errorf("ParseDeliveryID(%q) = %v, %v; want an error of code invalid", text, id, err)
		}
	}
}

// FuzzParseIDs holds that whatever a parser takes is exactly what the printer writes, so that an id has
// one text, and that a refusal is an error of code invalid and a zero id.
func FuzzParseIDs(f *testing.F) {
	for _, seed := range []string{
		"", "_", "dlv_01h455vb4pex5vsknk084sn02q_1", "dlv_01h455vb4pex5vsknk084sn02q_1073741824", "dlv__1",
		"evt_01h455vb4pex5vsknk084sn02q", "ten_7zzzzzzzzzzzzzzzzzzzzzzzzz", "wh_00000000000000000000000000",
		"key_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a80--",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range kinds() {
			id, err := k.parse(text)
			if err == nil && k.print(id) != text {
				t.Errorf("%s: %q reads as %s", k.name, text, k.print(id))
			}
			if err != nil && (postrider.ErrorCode(err) != postrider.CodeInvalid || !id.IsZero()) {
				t.Errorf("%s: %q gives %x, %v", k.name, text, id, err)
			}
		}
		delivery, err := postrider.ParseDeliveryID(text)
		if err == nil && delivery.String() != text {
			t.Errorf("delivery: %q reads as %s", text, delivery)
		}
		if err != nil && (postrider.ErrorCode(err) != postrider.CodeInvalid || delivery != postrider.DeliveryID{}) {
			t.Errorf("delivery: %q gives %v, %v", text, delivery, err)
		}
		if id, ok := postrider.ParseUUID(text); ok && id.UUID() != strings.ToLower(text) {
			t.Errorf("uuid: %q reads as %s", text, id.UUID())
		}
	})
}
