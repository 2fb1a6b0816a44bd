package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// arrival is one request that a receiver got.
type arrival struct {
	at       time.Time
	receiver string // name of the subscription in the script
	topic    string // as the body tells it, "" when the contract's body does not
	id       string // of the event, as the contract tells it
	number   int    // of the receiver's requests, from 1
	refused  bool   // answered 503 on purpose, to be sent again
	fault    error  // nil: the signature is right
}

// verifier is what a receiver does with a request: it is given the signing secret, and tells topic and id.
type verifier func(secret string, header http.Header, body []byte) (topic, id string, err error)

// verifierOf gives the receiver's side of a built-in contract.
func verifierOf(contract string) (verifier, bool) {
	switch contract {
	case "generic":
		return verifyGeneric, true
	case "standard":
		return verifyStandard, true
	case "xemelgo":
		return verifyXemelgo, true
	case "ewarehousing":
		return verifyEwarehousing, true
	case "shiip":
		return verifyShiip, true
	}
	return nil, false
}

// verifyGeneric does what seed 004's receivers do (004.7), reads the envelope (004.4), and then, since the same
// request carries them, checks the Standard Webhooks headers too.
func verifyGeneric(secret string, header http.Header, body []byte) (string, string, error) {
	if !equal(header.Get("X-Webhook-Signature"), hex.EncodeToString(sum([]byte(secret), body))) {
		return "", "", errors.New("X-Webhook-Signature is not the body's")
	}
	var event struct {
		ID        string           `json:"id"`
		Type      string           `json:"type"`
		CreatedAt string           `json:"created_at"`
		Data      json.RawMessage  `json:"data"`
		Previous  *json.RawMessage `json:"previous_data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return "", "", fmt.Errorf("the body is not the envelope: %w", err)
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", event.CreatedAt); err != nil {
		return event.Type, event.ID, fmt.Errorf("created_at: %w", err)
	}
	if !bytes.Contains(body, []byte(`"previous_data":`)) {
		return event.Type, event.ID, errors.New("previous_data is missing")
	}
	if header.Get("webhook-id") != event.ID {
		return event.Type, event.ID, errors.New("webhook-id is not the event's id")
	}
	return event.Type, event.ID, verifyStandardHeaders(secret, header, body)
}

// verifyStandard does what a Standard Webhooks library does.
func verifyStandard(secret string, header http.Header, body []byte) (string, string, error) {
	var event struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(body, &event) // the type is for the eye; the signature is what counts
	return event.Type, header.Get("webhook-id"), verifyStandardHeaders(secret, header, body)
}

// standardTolerance is how far a Standard Webhooks timestamp may be off.
const standardTolerance = 5 * time.Minute

func verifyStandardHeaders(secret string, header http.Header, body []byte) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("webhook-timestamp is missing or not a number")
	}
	if age := time.Since(time.Unix(seconds, 0)).Abs(); age > standardTolerance {
		return fmt.Errorf("webhook-timestamp is %s off", age)
	}
	key := []byte(secret)
	if text, found := strings.CutPrefix(secret, "whsec_"); found {
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return errors.New("the secret is not base64")
		}
	}
	want := "v1," + base64.StdEncoding.EncodeToString(sum(key, []byte(id+"."+timestamp+"."), body))
	for _, candidate := range strings.Fields(header.Get("webhook-signature")) {
		if equal(candidate, want) {
			return nil
		}
	}
	return errors.New("no signature in webhook-signature is right")
}

// verifyXemelgo does what seed 000's Express receiver does (000.18): it hashes the parsed and
// re-serialized body. What the demo publishes has no numbers or keys that JavaScript would print
// differently, so that leaving out insignificant space is all that re-serializing does to it.
func verifyXemelgo(secret string, header http.Header, body []byte) (string, string, error) {
	signature, found := strings.CutPrefix(header.Get("xemelgo-signature"), "sha256=")
	if !found {
		return "", "", errors.New("xemelgo-signature does not begin with sha256=")
	}
	if header.Get("Content-Type") != "application/json" {
		return "", "", fmt.Errorf("the Content-Type is %q, not application/json", header.Get("Content-Type"))
	}
	var again bytes.Buffer
	if err := json.Compact(&again, body); err != nil {
		return "", "", fmt.Errorf("the body is not JSON: %w", err)
	}
	if !equal(signature, hex.EncodeToString(sum([]byte(secret), again.Bytes()))) {
		return "", "", errors.New("xemelgo-signature is not the re-serialized body's")
	}
	var event struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"eventTimestamp"`
		Topic     string `json:"topic"`
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Timestamp == 0 {
		return event.Topic, event.ID, errors.New("the body is not the envelope")
	}
	return event.Topic, event.ID, nil
}

// verifyEwarehousing does what seed 002's receiver does (002.7).
func verifyEwarehousing(secret string, header http.Header, body []byte) (string, string, error) {
	if !equal(header.Get("X-Hmac-SHA256"), base64.StdEncoding.EncodeToString(sum([]byte(secret), body))) {
		return "", "", errors.New("X-Hmac-SHA256 is not the original body's")
	}
	return "", header.Get("X-Webhook-Id"), nil
}

// verifyShiip does what seed 003's receivers do (003.8).
func verifyShiip(secret string, header http.Header, body []byte) (string, string, error) {
	if !equal(header.Get("X-Signature"), hex.EncodeToString(sum([]byte(secret), body))) {
		return "", "", errors.New("X-Signature is not the raw body's")
	}
	return "", header.Get("X-Webhook-Id"), nil
}

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func equal(got, want string) bool { return hmac.Equal([]byte(got), []byte(want)) }

// maxBody bounds what a receiver reads of a request, in bytes.
const maxBody = 8 << 20

// receiver is an HTTP server that verifies what it gets and reports each request to arrivals.
type receiver struct {
	name     string
	verify   verifier
	secret   atomic.Pointer[string] // set once registration has told it
	refuse   int64                  // answers 503 to this many requests before it takes one
	arrivals chan<- arrival
	gone     <-chan struct{} // nobody reads arrivals any more
	count    atomic.Int64
	listener net.Listener
	server   *http.Server
	ended    chan struct{}
}

func startReceiver(r *receiver) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the demo's receiver %s cannot listen: %w", r.name, err)
	}
	r.listener, r.ended = listener, make(chan struct{})
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(r.ended)
		_ = r.server.Serve(listener) // ends by stop
	}()
	return nil
}

func (r *receiver) url() string { return "http://" + r.listener.Addr().String() + "/webhooks" }

func (r *receiver) stop(ctx context.Context) {
	if r.server.Shutdown(ctx) != nil {
		_ = r.server.Close()
	}
	<-r.ended
}

// ServeHTTP verifies one request and answers as the receivers of the seeds do.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil || request.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a := arrival{at: time.Now(), receiver: r.name, number: int(r.count.Add(1))}
	if secret := r.secret.Load(); secret == nil {
		a.fault = errors.New("it came before the secret was known")
	} else {
		a.topic, a.id, a.fault = r.verify(*secret, request.Header, body)
	}
	a.refused = a.fault == nil && int64(a.number) <= r.refuse
	switch {
	case a.fault != nil:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"Unauthorized"}`)
	case a.refused:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		_, _ = io.WriteString(w, `{"received":true}`)
	}
	select {
	case r.arrivals <- a:
	case <-r.gone:
	}
}
