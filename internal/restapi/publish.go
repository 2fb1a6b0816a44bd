package restapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/jsonscan"
)

const (
	publishPath = "/v1/events"
	ndjson      = "application/x-ndjson"
)

// publish answers POST /v1/events. The event is durable when 202 is answered.
func (h *Handler) publish(w http.ResponseWriter, r *http.Request, c *call) {
	receipt, err := h.publishOne(r, c)
	if err != nil {
		h.refuse(w, r, c, err)
		return
	}
	header := w.Header()
	header["Content-Type"] = h.json
	if receipt.Duplicate {
		header["Idempotent-Replayed"] = h.yes
	}
	w.WriteHeader(http.StatusAccepted)
	var buffer [256]byte
	// The error of a write to a client that has gone is nobody's concern: the event is kept.
	_, _ = w.Write(append(appendReceipt(buffer[:0], &receipt, false), '\n'))
}

func (h *Handler) publishOne(r *http.Request, c *call) (ingest.Receipt, error) {
	if err := checkJSON(r.Header); err != nil {
		return ingest.Receipt{}, err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return ingest.Receipt{}, err
	}
	text, err := readBody(r, h.options.MaxEventBytes)
	if err != nil {
		return ingest.Receipt{}, err
	}
	tenant, err := publishTenant(r)
	if err != nil {
		return ingest.Receipt{}, err
	}
	event := &ingest.Publication{IdempotencyKey: key}
	if err := h.read(r, c, tenant, text, event); err != nil {
		return ingest.Receipt{}, err
	}
	return h.parts.Publisher.Publish(r.Context(), event)
}

// publishTenant reads ?tenant=, which holds for the events that name no tenant. Nothing else is asked for.
func publishTenant(r *http.Request) (string, error) {
	if r.URL.RawQuery == "" {
		return "", nil
	}
	query := r.URL.Query()
	for name := range query {
		if name != "tenant" {
			return "", postrider.FieldError(bounded(name), "unknown query parameter")
		}
	}
	return query.Get("tenant"), nil
}

// read parses one event and finds out whose it is.
func (h *Handler) read(r *http.Request, c *call, tenant string, text []byte, event *ingest.Publication) error {
	p := h.parsers.get()
	defer h.parsers.put(p)
	named, err := p.parse(text, event)
	if err != nil {
		return err
	}
	if tenant, err = (TenantQuery{tenant}).with(named); err != nil {
		return err
	}
	if event.Environment, err = c.principal.In(event.Environment); err != nil {
		return err
	}
	if event.Tenant, err = h.parts.Control.Tenant(r.Context(), c.principal, tenant); err != nil {
		return err
	}
	return h.parts.Control.CheckTopic(r.Context(), event.Topic)
}

// publishBatch answers POST /v1/events/batch: every element has an answer of its own, in order.
func (h *Handler) publishBatch(w http.ResponseWriter, r *http.Request, c *call) {
	results, err := h.publishMany(r, c)
	if err != nil {
		h.refuse(w, r, c, err)
		return
	}
	body := make([]byte, 0, 16+96*len(results))
	body = append(body, `{"data":[`...)
	for i := range results {
		if i > 0 {
			body = append(body, ',')
		}
		if results[i].Err != nil {
			f := h.fault(r.Context(), c, results[i].Err)
			body = append(body, marshal(f.body)...)
			continue
		}
		body = appendReceipt(body, &results[i].Receipt, results[i].Receipt.Duplicate)
	}
	body = append(body, "]}\n"...)
	w.Header()["Content-Type"] = h.json
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(body) // as above: the events are kept
}

// publishMany reads, publishes and answers the elements of a batch. The error is about the batch as
// a whole: then nothing of it was accepted.
func (h *Handler) publishMany(r *http.Request, c *call) ([]ingest.Result, error) {
	split := h.splitArray
	if isNDJSON(r.Header) {
		split = h.splitLines
	} else if err := checkJSON(r.Header); err != nil {
		return nil, err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return nil, err
	}
	text, err := readBody(r, h.options.MaxBatchBytes)
	if err != nil {
		return nil, err
	}
	tenant, err := publishTenant(r)
	if err != nil {
		return nil, err
	}
	elements, err := split(text)
	if err != nil {
		return nil, err
	}
	results := make([]ingest.Result, len(elements))
	good := make([]*ingest.Publication, 0, len(elements))
	places := make([]int, 0, len(elements))
	events := make([]ingest.Publication, len(elements))
	for i, element := range elements {
		if results[i].Err = h.readElement(r, c, tenant, element, key, i, &events[i]); results[i].Err == nil {
			good, places = append(good, &events[i]), append(places, i)
		}
	}
	for k, result := range h.parts.Publisher.PublishBatch(r.Context(), good) {
		results[places[k]] = result
	}
	return results, failedAlike(results)
}

// readElement reads one element of a batch. It keeps copies of the data, so that one slow delivery
// does not hold the whole batch in memory.
func (h *Handler) readElement(r *http.Request, c *call, tenant string, text []byte, key string, index int, event *ingest.Publication) error {
	if len(text) > h.options.MaxEventBytes {
		return postrider.Errorf(postrider.CodeTooLarge, "the event has %d bytes; the most is %d", len(text), h.options.MaxEventBytes)
	}
	if err := h.read(r, c, tenant, text, event); err != nil {
		return err
	}
	own := make([]byte, 0, len(event.Data)+len(event.Previous))
	own = append(append(own, event.Data...), event.Previous...)
	if n := len(event.Data); event.Previous != nil {
		event.Data, event.Previous = own[:n:n], own[n:]
	} else {
		event.Data = own
	}
	if key != "" {
		event.IdempotencyKey = key + "/" + strconv.Itoa(index)
	}
	return nil
}

// failedAlike gives the error of a batch of which nothing was accepted because the store could not
// take it, so that the publisher sees by the status that all of it is to be sent again.
func failedAlike(results []ingest.Result) error {
	for i := range results {
		switch postrider.ErrorCode(results[i].Err) {
		case postrider.CodeUnavailable, postrider.CodeStorageFull, postrider.CodeInternal:
		default:
			return nil
		}
	}
	if len(results) == 0 {
		return nil
	}
	return results[0].Err
}

// splitArray finds the elements of a JSON array.
func (h *Handler) splitArray(text []byte) ([][]byte, error) {
	elements := make([][]byte, 0, 128)
	err := jsonscan.Elements(text, jsonscan.MaxDepth, func(_ int, value []byte) error {
		if len(elements) == h.options.MaxBatchEvents {
			return h.tooMany()
		}
		elements = append(elements, value)
		return nil
	})
	if syntax, ok := errors.AsType[*jsonscan.SyntaxError](err); ok {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the batch is not a JSON array: %s; nothing of it was taken", syntax.Error())
	}
	return elements, err
}

// splitLines finds the lines of NDJSON; empty ones do not count.
func (h *Handler) splitLines(text []byte) ([][]byte, error) {
	var elements [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(elements) == h.options.MaxBatchEvents {
			return nil, h.tooMany()
		}
		elements = append(elements, line)
	}
	return elements, nil
}

func (h *Handler) tooMany() error {
	return postrider.Errorf(postrider.CodeTooLarge, "a batch has at most %d events; nothing of this one was taken", h.options.MaxBatchEvents)
}

func isNDJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == ndjson && header.Get("Content-Encoding") == ""
}

// idempotencyKey reads the header Idempotency-Key, "" when there is none.
func idempotencyKey(header http.Header) (string, error) {
	values := header["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	const most = ingest.MaxIdempotencyKeyLength - 8 // room for the place in a batch
	if len(values) > 1 || !plain(values[0], most) {
		return "", postrider.FieldError("Idempotency-Key", "send one, of 1 to %d visible ASCII characters", most)
	}
	return values[0], nil
}

// readBody reads a body of at most limit bytes.
func readBody(r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, tooLarge(limit)
	}
	if r.ContentLength >= 0 {
		text := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, text); err != nil {
			return nil, cutOff(err)
		}
		return text, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil {
		return nil, cutOff(err)
	}
	if len(text) > limit {
		return nil, tooLarge(limit)
	}
	return text, nil
}

func tooLarge(limit int) error {
	return postrider.Errorf(postrider.CodeTooLarge, "the body has more than %d bytes, the most that this call takes", limit)
}

func cutOff(err error) error {
	return &postrider.Error{Code: postrider.CodeInvalid, Message: "the body ended early or did not arrive in time; nothing was taken", Err: err}
}

// appendReceipt writes api.EventAccepted.
func appendReceipt(dst []byte, receipt *ingest.Receipt, replayed bool) []byte {
	dst = jsonscan.AppendQuoted(append(dst, `{"id":`...), receipt.ID)
	dst = jsonscan.AppendQuoted(append(dst, `,"type":`...), string(receipt.Topic))
	dst = strconv.AppendInt(append(dst, `,"deliveries":`...), int64(receipt.Deliveries), 10)
	if replayed {
		dst = append(dst, `,"replayed":true`...)
	}
	return append(dst, '}')
}

// api500 is the body of an answer after a panic.
func api500(requestID string) []byte {
	return append(marshal(api.ErrorBody{Error: api.Error{
		Code: string(postrider.CodeInternal), Message: "something went wrong inside the gateway; its log has more under request id " + requestID,
	}}), '\n')
}
