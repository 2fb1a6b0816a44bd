package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/jsonscan"
)

// relay is the yardstick: the same publish request as the product's, the same contract rendered and
// signed, the same HTTP client of the standard library, and nothing else. It keeps what it accepted in
// memory, tries each delivery once, and forgets it. What the product costs beyond it is the price of durability,
// explanation and fairness.
//
// 202 is answered when the event is in a bounded queue; a full queue holds its publishers back.
type relay struct {
	targets   []relayTarget
	transport *http.Transport
	queue     chan *postrider.Event
	buffers   sync.Pool // of *[]byte
}

type relayTarget struct {
	post     *http.Request // without header and body
	renderer *contract.Renderer
}

// Bounds of the relay.
const (
	relayQueue   = 4096 // events
	relaySenders = 64
	relayTimeout = 5 * time.Second // the generic contract's
	maxPublish   = 8 << 20         // bytes of a publish request's body
)

// newRelay makes a relay that delivers every event to all targets, signed with secret.
func newRelay(targets []string, secret postrider.Secret) (*relay, error) {
	generic, err := genericContract()
	if err != nil {
		return nil, err
	}
	r := &relay{
		queue:   make(chan *postrider.Event, relayQueue),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
		transport: &http.Transport{
			MaxIdleConnsPerHost: relaySenders * len(targets), IdleConnTimeout: time.Minute, DisableCompression: true,
		},
	}
	for _, target := range targets {
		post, err := http.NewRequest(http.MethodPost, target, nil)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		renderer, err := generic.NewRenderer(&postrider.Endpoint{
			ID: postrider.NewEndpointID(now), Tenant: postrider.NewTenantID(now), Environment: postrider.Production,
			URL: target, Topics: []postrider.Topic{"*"}, Contract: generic.Name(), State: postrider.EndpointEnabled,
			Secrets: []postrider.Secret{secret},
		})
		if err != nil {
			return nil, err
		}
		r.targets = append(r.targets, relayTarget{post: post, renderer: renderer})
	}
	return r, nil
}

// runRelay serves until ctx ends; it writes its address to ready.
func runRelay(ctx context.Context, r *relay, ready io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(ready).Encode(serverAddress{URL: "http://" + listener.Addr().String()}); err != nil {
		return errors.Join(err, listener.Close())
	}
	var senders sync.WaitGroup
	for range relaySenders {
		senders.Go(func() { r.send(ctx) })
	}
	err = serveUntil(ctx, listener, r)
	senders.Wait()
	r.transport.CloseIdleConnections()
	return err
}

// serverAddress is what a relay prints when it is ready.
type serverAddress struct {
	URL string `json:"url"`
}

// ServeHTTP takes a publish request: one event, or a JSON array of them.
func (r *relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	single := request.URL.Path == "/v1/events"
	if request.Method != http.MethodPost || !single && request.URL.Path != "/v1/events/batch" {
		http.NotFound(w, request)
		return
	}
	buffer := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buffer)
	body, err := readBody(request, (*buffer)[:0], maxPublish)
	*buffer = body[:0]
	if err != nil {
		refuse(w, err)
		return
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	answer := make([]byte, 0, 256)
	if single {
		answer, err = r.accept(request.Context(), answer, body, now)
	} else {
		answer = append(answer, `{"data":[`...)
		err = jsonscan.Elements(body, jsonscan.MaxDepth, func(index int, value []byte) error {
			if index > 0 {
				answer = append(answer, ',')
			}
			var err error
			answer, err = r.accept(request.Context(), answer, value, now)
			return err
		})
		answer = append(answer, "]}"...)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(answer))}
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(answer)
}

// jsonType is assigned to headers as it is, which saves an allocation; nobody changes it.
var jsonType = []string{"application/json"}

// accept queues the event that text publishes and appends its answer.
func (r *relay) accept(ctx context.Context, answer, text []byte, now time.Time) ([]byte, error) {
	event, err := parsePublication(text, now)
	if err != nil {
		return answer, err
	}
	select {
	case r.queue <- event:
	case <-ctx.Done():
		return answer, ctx.Err()
	}
	answer = append(answer, `{"id":"`...)
	answer = append(answer, event.PublicID()...)
	answer = append(answer, `","type":"`...)
	answer = append(answer, event.Topic...)
	answer = append(answer, `","deliveries":`...)
	answer = strconv.AppendInt(answer, int64(len(r.targets)), 10)
	return append(answer, '}'), nil
}

// parsePublication reads the members of a publish body that a relay needs, and checks all of it. The event
// owns its bytes.
func parsePublication(text []byte, now time.Time) (*postrider.Event, error) {
	event := &postrider.Event{
		ID: postrider.NewEventID(now), Environment: postrider.Production, OccurredAt: now, AcceptedAt: now,
	}
	err := jsonscan.Members(text, jsonscan.MaxDepth, func(key, value []byte) error {
		switch string(key) {
		case "type":
			topic, err := jsonscan.Unquote(value)
			if err != nil {
				return err
			}
			event.Topic = postrider.Topic(topic)
			return event.Topic.Validate()
		case "data":
			event.Data = bytes.Clone(value)
		case "previous_data":
			event.Previous = bytes.Clone(value)
		default:
			return postrider.FieldError(string(key), "the relay does not know this member")
		}
		return nil
	})
	if err == nil && (event.Topic == "" || event.Data == nil) {
		err = postrider.Errorf(postrider.CodeInvalid, "give type and data")
	}
	return event, err
}

func refuse(w http.ResponseWriter, err error) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": string(postrider.CodeInvalid), "message": err.Error()}})
}

// send delivers queued events until ctx ends.
func (r *relay) send(ctx context.Context) {
	var request contract.Request // its slices are used again for every event
	for {
		select {
		case event := <-r.queue:
			for i := range r.targets {
				_ = r.deliver(ctx, &r.targets[i], &request, event) // what fails is lost, and the sink will miss it
			}
		case <-ctx.Done():
			return
		}
	}
}

// maxRelayed bounds the answer that is read, so that the connection can be used again, in bytes.
const maxRelayed = 64 << 10

// deliver renders, signs and posts one event once.
func (r *relay) deliver(ctx context.Context, target *relayTarget, request *contract.Request, event *postrider.Event) error {
	request.Body = nil // the transport may still read the body of the request before this one
	if err := target.renderer.Render(request, event, time.Now()); err != nil {
		return err
	}
	header := make(http.Header, len(request.Header))
	values := make([]string, len(request.Header)) // one allocation for all the headers' values
	for i, field := range request.Header {
		values[i] = field.Value
		header[http.CanonicalHeaderKey(field.Name)] = values[i : i+1 : i+1]
	}
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	post := target.post.WithContext(ctx)
	post.Header = header
	post.Body, post.ContentLength = io.NopCloser(bytes.NewReader(request.Body)), int64(len(request.Body))
	response, err := r.transport.RoundTrip(post)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxRelayed))
	return errors.Join(err, response.Body.Close())
}
