package restapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/ingest"
)

// FuzzParseEvent holds the parser against encoding/json: what it takes is JSON that says the same,
// with data byte for byte, and what it refuses, it refuses with a message and without a panic.
func FuzzParseEvent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"a","data":1}`,
		`{"type":"a.b","data":{"x":[1,2,{"y":null}]},"previous_data":{"z":1e400},"id":"q:1","occurred_at":"2026-02-18T10:30:00.5Z","tenant":"acme","environment":"sandbox"}`,
		`{"\u0074ype":"\u0061","data":"\ud800"}`, `{"type":"a","data":1,"data":2}`, `{"type":"a","data":1,"x":0}`, `{"id":null,"type":"a","previous_data":null,"data":null}`,
		`[]`, `{`, ``, `{"type":1,"data":{}}`, "\ufeff{}", `{"type":"a" , "data" : [ ] }  `,
	} {
		f.Add([]byte(seed))
	}
	parsers := newParsers()
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		p := parsers.get()
		defer parsers.put(p)
		var event ingest.Publication
		tenant, err := p.parse(text, &event)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			if postrider.ErrorCode(err) != postrider.CodeInvalid || err.Error() == "" || len(err.Error()) > 20_000 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		var oracle struct {
			Type         string
			Data         json.RawMessage
			PreviousData json.RawMessage `json:"previous_data"`
			ID           *string
			OccurredAt   *time.Time `json:"occurred_at"`
			Tenant       *string
			Environment  *string
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&oracle); err != nil {
			t.Fatalf("took what encoding/json refuses: %v", err)
		}
		if oracle.Type != string(event.Topic) || !bytes.Equal(oracle.Data, event.Data) || oracle.Data == nil {
			t.Errorf("type %q data %s, want %q %s", event.Topic, event.Data, oracle.Type, oracle.Data)
		}
		if string(oracle.PreviousData) == "null" {
			oracle.PreviousData = nil
		}
		if !bytes.Equal(oracle.PreviousData, event.Previous) {
			t.Errorf("previous data %s, want %s", event.Previous, oracle.PreviousData)
		}
		for got, want := range map[string]*string{event.GivenID: oracle.ID, tenant: oracle.Tenant, string(event.Environment): oracle.Environment} {
			if want != nil && *want != got && !(event.GivenID == got || tenant == got || string(event.Environment) == got) {
				t.Errorf("got %q, want %q", got, *want)
			}
		}
		if oracle.OccurredAt != nil && !oracle.OccurredAt.UTC().Truncate(time.Millisecond).Equal(event.OccurredAt) {
			t.Errorf("occurred at %v, want %v", event.OccurredAt, oracle.OccurredAt)
		}
	})
}

// taker takes every event, so that a benchmark measures the handler alone.
type taker struct{}

func (taker) Publish(_ context.Context, p *ingest.Publication) (ingest.Receipt, error) {
	return ingest.Receipt{ID: "evt_01h455vb4pex5vsknk084sn02q", Topic: p.Topic, Deliveries: 1}, nil
}

func (taker) PublishBatch(_ context.Context, batch []*ingest.Publication) []ingest.Result {
	results := make([]ingest.Result, len(batch))
	for i, p := range batch {
		results[i].Receipt = ingest.Receipt{ID: "evt_01h455vb4pex5vsknk084sn02q", Topic: p.Topic, Deliveries: 1}
	}
	return results
}

// oneKey knows one key.
type oneKey struct{ key postrider.Key }

func (k oneKey) FindKey(context.Context, [32]byte) (*postrider.Key, error) { return &k.key, nil }

// noSettings has no setting.
type noSettings struct{ control.Store }

func (noSettings) Setting(context.Context, string) ([]byte, error) {
	return nil, postrider.Errorf(postrider.CodeNotFound, "no setting")
}

func newPublishing(t testing.TB, options ...func(*Options)) (*Handler, *http.Request) {
	text, hash := auth.GenerateKey(postrider.Production)
	keys := auth.New(auth.Options{}, oneKey{postrider.Key{Hash: hash, Role: postrider.RolePublisher,
		Tenant: postrider.NewTenantID(time.Now()), Environment: postrider.Production}})
	var o Options
	for _, option := range options {
		option(&o)
	}
	h, err := New(o, Parts{Control: control.New(control.Options{}, control.Parts{Store: noSettings{}}), Publisher: taker{}, Authenticator: keys,
		Ready: func(context.Context) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+text.Reveal())
	r.Header.Set("Content-Type", "application/json")
	return h, r
}

// discard is a response writer that keeps nothing but its header map.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

var oneKilobyte = `{"type":"order.created","data":{"object":{"id":"res_123","name":"` + strings.Repeat("n", 900) + `","status":"active"}}}`

// publishOnce sends text through the handler as net/http would, without its allocations.
func publishOnce(h *Handler, r *http.Request, w *discard, b *body, text []byte) {
	b.Reset(text)
	r.Body, r.ContentLength = b, int64(len(text))
	clear(w.header)
	h.ServeHTTP(w, r)
}

// TestPublishingAllocatesLittle pins the cost of the way that every event goes: the body, the
// publication, the topic, and what the request id needs.
func TestPublishingAllocatesLittle(t *testing.T) {
	h, r := newPublishing(t)
	w, b, text := &discard{header: http.Header{}}, &body{}, []byte(oneKilobyte)
	allocations := testing.AllocsPerRun(500, func() { publishOnce(h, r, w, b, text) })
	if w.status != 202 {
		t.Fatalf("status %d", w.status)
	}
	if allocations > 9 {
		t.Errorf("publishing allocates %v times in the handler", allocations)
	}
}

// TestTheLimitOfAKeyCostsNoAllocation compares publishing with and without it.
func TestTheLimitOfAKeyCostsNoAllocation(t *testing.T) {
	measure := func(limit int) float64 {
		h, r := newPublishing(t, func(o *Options) { o.PublishLimit = limit })
		w, b, text := &discard{header: http.Header{}}, &body{}, []byte(oneKilobyte)
		return testing.AllocsPerRun(2000, func() { publishOnce(h, r, w, b, text) })
	}
	if without, with := measure(-1), measure(0); with > without {
		t.Errorf("publishing allocates %v times with a limit and %v times without one", with, without)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, limit := range []struct {
		name   string
		minute int
	}{{"limited", 1_000_000_000}, {"unlimited", -1}} {
		b.Run(limit.name, func(b *testing.B) {
			h, r := newPublishing(b, func(o *Options) { o.PublishLimit = limit.minute })
			w, reader, text := &discard{header: http.Header{}}, &body{}, []byte(oneKilobyte)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				publishOnce(h, r, w, reader, text)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	p, text := newParsers().get(), []byte(oneKilobyte)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var event ingest.Publication
		if _, err := p.parse(text, &event); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishBatch(b *testing.B) {
	h, r := newPublishing(b)
	r.URL.Path = "/v1/events/batch"
	w, reader := &discard{header: http.Header{}}, &body{}
	text := []byte("[" + strings.Repeat(oneKilobyte+",", 99) + oneKilobyte + "]")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		publishOnce(h, r, w, reader, text)
		if w.status != 202 {
			b.Fatal(w.status)
		}
	}
}
