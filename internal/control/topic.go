package control

import (
	"bytes"
	"context"
	_ "embed" // the built-in topics
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/jsonscan"
	"github.com/postrider/postrider/internal/store"
)

// The bounds of the catalogue.
const (
	MaxCatalogue = 1000     // topics of its own, beside the built-in ones
	MaxExample   = 16 << 10 // bytes of example data, and of previous data

	maxCatalogueBytes = 4 << 20 // of all topics together, as they are stored
)

// Topic is what the catalogue tells of a topic, or what the tenant's webhooks do.
type Topic struct {
	Name        postrider.Topic
	Description string
	Example     []byte // JSON: data of a test event; nil for none
	Previous    []byte // JSON: previous data of a test event; nil for none
	Source      TopicSource
	Webhooks    int // how many webhooks of the tenant name it; 0 for who may not see webhooks
	CreatedAt   time.Time
	UpdatedAt   time.Time // both zero for what is not the operator's
}

// TopicSource says how a topic came to be known.
type TopicSource string

// The sources.
const (
	TopicBuiltIn  TopicSource = "builtin"  // from the seeds' documents
	TopicOperator TopicSource = "operator" // the operator put it into the catalogue
	TopicWebhook  TopicSource = "webhook"  // only webhooks name it; it may be a pattern
)

// TopicPolicy says what the catalogue means.
type TopicPolicy struct {
	Closed  bool `json:"closed"`  // topics that are not in it are refused when events are published and webhooks registered
	BuiltIn bool `json:"builtin"` // the built-in topics are in it
}

// catalogueSetting is the setting that holds the catalogue.
const catalogueSetting = "topics"

// storedCatalogue is the catalogue as it is stored.
type storedCatalogue struct {
	TopicPolicy
	Topics []storedTopic `json:"topics"`
}

type storedTopic struct {
	Name        postrider.Topic `json:"name"`
	Description string          `json:"description"`
	Example     json.RawMessage `json:"example,omitempty"`
	Previous    json.RawMessage `json:"previous_example,omitempty"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`
}

// catalogue is all topics by name. A catalogue that others can see is never changed.
type catalogue struct {
	policy TopicPolicy
	own    map[postrider.Topic]Topic // the operator's
	all    map[postrider.Topic]Topic // and those built in, when they are part of it
}

// topics keeps the catalogue in memory: publishing asks it without a lock and without a query.
type topics struct {
	builtin map[postrider.Topic]Topic
	current atomic.Pointer[catalogue] // nil until it was first needed
	mu      sync.Mutex                // held while it is read and while it changes
}

//go:embed builtin_topics.json
var builtinTopics []byte

func newTopics() *topics {
	t := &topics{builtin: make(map[postrider.Topic]Topic)}
	var known []storedTopic
	// The document is a part of the program and a test reads it; without it there would be no examples, no more.
	_ = json.Unmarshal(builtinTopics, &known)
	for _, topic := range known {
		t.builtin[topic.Name] = topic.topic(TopicBuiltIn)
	}
	return t
}

func (s *storedTopic) topic(source TopicSource) Topic {
	return Topic{Name: s.Name, Description: s.Description, Example: s.Example, Previous: s.Previous, Source: source, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// catalogue gives the catalogue, the first time from the store.
func (c *Control) catalogue(ctx context.Context) (*catalogue, error) {
	if current := c.topics.current.Load(); current != nil {
		return current, nil
	}
	c.topics.mu.Lock()
	defer c.topics.mu.Unlock()
	return c.readCatalogue(ctx)
}

// readCatalogue reads the catalogue when nobody did yet. The caller holds topics.mu.
func (c *Control) readCatalogue(ctx context.Context) (*catalogue, error) {
	if current := c.topics.current.Load(); current != nil {
		return current, nil
	}
	stored := storedCatalogue{TopicPolicy: TopicPolicy{BuiltIn: true}}
	text, err := c.parts.Store.Setting(ctx, catalogueSetting)
	if err != nil && postrider.ErrorCode(err) != postrider.CodeNotFound {
		return nil, err
	}
	if err == nil {
		if err := json.Unmarshal(text, &stored); err != nil {
			return nil, postrider.Errorf(postrider.CodeInternal, "the stored catalogue of topics cannot be read: %w", err)
		}
	}
	own := make(map[postrider.Topic]Topic, len(stored.Topics))
	for _, topic := range stored.Topics {
		own[topic.Name] = topic.topic(TopicOperator)
	}
	read := c.topics.with(stored.TopicPolicy, own)
	c.topics.current.Store(read)
	return read, nil
}

func (t *topics) with(policy TopicPolicy, own map[postrider.Topic]Topic) *catalogue {
	all := make(map[postrider.Topic]Topic, len(t.builtin)+len(own))
	if policy.BuiltIn {
		maps.Copy(all, t.builtin)
	}
	maps.Copy(all, own)
	return &catalogue{policy: policy, own: own, all: all}
}

// changeCatalogue writes what change makes of a copy of the catalogue, and notes it.
func (c *Control) changeCatalogue(ctx context.Context, p auth.Principal, subject, detail string, change func(now *catalogue) error) error {
	c.topics.mu.Lock()
	defer c.topics.mu.Unlock()
	current, err := c.readCatalogue(ctx)
	if err != nil {
		return err
	}
	next := &catalogue{policy: current.policy, own: maps.Clone(current.own), all: current.all}
	if err := change(next); err != nil {
		return err
	}
	stored := storedCatalogue{TopicPolicy: next.policy}
	for _, name := range slices.Sorted(maps.Keys(next.own)) {
		t := next.own[name]
		stored.Topics = append(stored.Topics, storedTopic{Name: t.Name, Description: t.Description, Example: t.Example, Previous: t.Previous, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt})
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return postrider.Errorf(postrider.CodeInternal, "the catalogue of topics: %w", err)
	}
	if len(stored.Topics) > MaxCatalogue || len(text) > maxCatalogueBytes {
		return postrider.Errorf(postrider.CodeConflict, "the catalogue is full: it holds at most %d topics and %d MiB", MaxCatalogue, maxCatalogueBytes>>20)
	}
	if err := c.parts.Store.PutSetting(ctx, catalogueSetting, text, false); err != nil {
		return err
	}
	c.topics.current.Store(c.topics.with(next.policy, next.own))
	return c.record(ctx, p, postrider.TenantID{}, auth.WriteTopics, subject, detail)
}

// CheckTopic reports whether events of this topic may be published: any while the catalogue is open. It
// costs a read from memory.
func (c *Control) CheckTopic(ctx context.Context, topic postrider.Topic) error {
	known, err := c.catalogue(ctx)
	if err != nil || !known.policy.Closed {
		return err
	}
	if _, found := known.all[topic]; found || topic.Validate() != nil {
		return nil // what is no topic at all is told by who reads the event
	}
	return postrider.FieldError("type", "%s is not in the catalogue of topics, which is closed; GET /v1/topics lists it", quote(string(topic)))
}

// takes reports whether a webhook may subscribe to the pattern.
func (k *catalogue) takes(pattern postrider.Topic) bool {
	if !k.policy.Closed || pattern == "*" {
		return true
	}
	for name := range k.all {
		if pattern.Matches(name) {
			return true
		}
	}
	return false
}

// TopicFilter chooses topics. Zero fields do not restrict.
type TopicFilter struct {
	Environment postrider.Environment // of the webhooks that count
	Source      TopicSource
	After       postrider.Topic // the cursor
	Limit       int
}

// Topics lists the catalogue and what the tenant's webhooks subscribe to, by name. more says that there
// are further ones.
func (c *Control) Topics(ctx context.Context, p auth.Principal, tenantName string, filter TopicFilter) (found []Topic, more bool, err error) {
	if err := p.Authorize(auth.ReadTopics); err != nil {
		return nil, false, err
	}
	known, err := c.catalogue(ctx)
	if err != nil {
		return nil, false, err
	}
	all := maps.Clone(known.all)
	if auth.Allowed(p.Role, auth.ReadWebhooks) {
		if err := c.countTopics(ctx, p, tenantName, filter.Environment, all); err != nil {
			return nil, false, err
		}
	}
	limit := pageLimit(filter.Limit)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		topic := all[name]
		if name <= filter.After || filter.Source != "" && topic.Source != filter.Source {
			continue
		}
		if found = append(found, topic); len(found) > limit {
			break
		}
	}
	found, more = page(found, limit)
	return found, more, nil
}

// countTopics notes in all how many webhooks of the tenant name each topic.
func (c *Control) countTopics(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment, all map[postrider.Topic]Topic) error {
	filter := store.EndpointFilter{Environment: environment, Limit: MaxPage}
	for further := true; further; {
		var webhooks []*postrider.Endpoint
		var err error
		if webhooks, further, err = c.Webhooks(ctx, p, tenantName, filter); err != nil {
			return err
		}
		for _, webhook := range webhooks {
			filter.After = webhook.ID
			for _, name := range webhook.Topics {
				topic, known := all[name]
				if !known {
					topic = Topic{Name: name, Source: TopicWebhook}
				}
				topic.Webhooks++
				all[name] = topic
			}
		}
	}
	return nil
}

// FindTopic gives a topic of the catalogue.
func (c *Control) FindTopic(ctx context.Context, p auth.Principal, name postrider.Topic) (*Topic, error) {
	if err := p.Authorize(auth.ReadTopics); err != nil {
		return nil, err
	}
	known, err := c.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	topic, found := known.all[name]
	if !found {
		return nil, noTopic(name)
	}
	return &topic, nil
}

func noTopic(name postrider.Topic) error {
	return postrider.Errorf(postrider.CodeNotFound, "there is no topic %s in the catalogue", quote(string(name)))
}

// TopicChange makes or changes a topic. Nil fields stay; an Example or a Previous that is empty, and not nil, is
// taken away.
type TopicChange struct {
	Description *string
	Example     []byte
	Previous    []byte
}

// CreateTopic puts a topic into the catalogue. A built-in topic of that name is replaced by it; CodeConflict
// when the operator's own is there already.
func (c *Control) CreateTopic(ctx context.Context, p auth.Principal, name postrider.Topic, in TopicChange) (*Topic, error) {
	if err := p.Authorize(auth.WriteTopics); err != nil {
		return nil, err
	}
	now := c.now()
	topic := Topic{Name: name, Source: TopicOperator, CreatedAt: now, UpdatedAt: now}
	var faults postrider.Faults
	faults.AddError("name", name.Validate())
	in.apply(&topic, &faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &topic, c.changeCatalogue(ctx, p, string(name), "created", func(known *catalogue) error {
		if _, found := known.own[name]; found {
			return postrider.Errorf(postrider.CodeConflict, "there is a topic %s in the catalogue already", quote(string(name)))
		}
		known.own[name] = topic
		return nil
	})
}

// UpdateTopic changes a topic. A built-in one becomes the operator's own.
func (c *Control) UpdateTopic(ctx context.Context, p auth.Principal, name postrider.Topic, in TopicChange) (*Topic, error) {
	if err := p.Authorize(auth.WriteTopics); err != nil {
		return nil, err
	}
	var topic Topic
	return &topic, c.changeCatalogue(ctx, p, string(name), "changed", func(known *catalogue) error {
		found := false
		if topic, found = known.all[name]; !found {
			return noTopic(name)
		}
		now := c.now()
		if topic.Source == TopicBuiltIn {
			topic.Source, topic.CreatedAt = TopicOperator, now
		}
		topic.UpdatedAt = now
		var faults postrider.Faults
		in.apply(&topic, &faults)
		known.own[name] = topic
		return faults.Err()
	})
}

// DeleteTopic takes the operator's topic out of the catalogue; a built-in one of that name shows again. A
// built-in one is a CodeConflict: the policy leaves them out.
func (c *Control) DeleteTopic(ctx context.Context, p auth.Principal, name postrider.Topic) error {
	if err := p.Authorize(auth.WriteTopics); err != nil {
		return err
	}
	return c.changeCatalogue(ctx, p, string(name), "deleted", func(known *catalogue) error {
		if _, found := known.own[name]; found {
			delete(known.own, name)
			return nil
		}
		if _, found := known.all[name]; found {
			return postrider.Errorf(postrider.CodeConflict, "topic %s is built in; the policy's \"builtin\": false leaves all of these out", quote(string(name)))
		}
		return noTopic(name)
	})
}

// TopicPolicy gives the policy of the catalogue.
func (c *Control) TopicPolicy(ctx context.Context, p auth.Principal) (TopicPolicy, error) {
	if err := p.Authorize(auth.ReadTopics); err != nil {
		return TopicPolicy{}, err
	}
	known, err := c.catalogue(ctx)
	if err != nil {
		return TopicPolicy{}, err
	}
	return known.policy, nil
}

// SetTopicPolicy opens or closes the catalogue. Webhooks that are registered stay as they are.
func (c *Control) SetTopicPolicy(ctx context.Context, p auth.Principal, policy TopicPolicy) error {
	if err := p.Authorize(auth.WriteTopics); err != nil {
		return err
	}
	detail := fmt.Sprintf("closed %t; builtin %t", policy.Closed, policy.BuiltIn)
	return c.changeCatalogue(ctx, p, "policy", detail, func(known *catalogue) error {
		known.policy = policy
		return nil
	})
}

// apply changes a topic and notes what is wrong with it.
func (in *TopicChange) apply(topic *Topic, faults *postrider.Faults) {
	if in.Description != nil {
		topic.Description = *in.Description
	}
	if n := utf8.RuneCountInString(topic.Description); n > MaxDescription {
		faults.Add("description", "has at most %d characters; this one has %d", MaxDescription, n)
	}
	topic.Example = example(faults, "example", topic.Example, in.Example)
	topic.Previous = example(faults, "previous_example", topic.Previous, in.Previous)
}

// example judges example data: any JSON value that could be published.
func example(faults *postrider.Faults, field string, now, given []byte) []byte {
	switch {
	case given == nil:
		return now
	case len(given) == 0:
		return nil
	case len(given) > MaxExample:
		faults.Add(field, "has at most %d bytes; this one has %d", MaxExample, len(given))
	default:
		if err := jsonscan.Valid(given, jsonscan.EventDepth-1); err != nil {
			faults.Add(field, "is not JSON: %s", err.Error())
		}
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, given) // what is not JSON is told already
	return compact.Bytes()
}

// exampleOf gives the data of a test event: the catalogue's example, else one that looks real, with
// the full object in data.object, and for an update the changed field's old value (004.5, 004.6).
func (c *Control) exampleOf(ctx context.Context, topic postrider.Topic) (data, previous []byte, err error) {
	known, err := c.catalogue(ctx)
	if err != nil {
		return nil, nil, err
	}
	if entry, found := known.all[topic]; found && entry.Example != nil {
		return entry.Example, entry.Previous, nil
	}
	data = []byte(`{"object":{"id":"test_123","name":"Test Name","status":"active"}}`)
	if strings.HasSuffix(string(topic), ".updated") {
		previous = []byte(`{"name":"Old Test Name"}`)
	}
	return data, previous, nil
}
