package ingest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// Index answers, for a topic, which endpoints of a tenant's environment want it. Reading takes no
// lock; a change copies what it touches. It is safe for concurrent use.
type Index struct {
	contracts *contract.Set

	mu      sync.Mutex // held by writers only
	tenants atomic.Pointer[map[scope]*subscriptions]
}

// scope is the part of the world inside which topics meet endpoints.
type scope struct {
	tenant      postrider.TenantID
	environment postrider.Environment
}

// Subscriber is an endpoint with what accepting an event needs to know of it.
type Subscriber struct {
	Endpoint *postrider.Endpoint // shared and immutable
	Contract *contract.Contract
}

// Match is who gets an event: shared by all events of a topic until an endpoint changes.
type Match struct {
	Subscribers []Subscriber
	Reasons     []postrider.Reason
}

// subscriptions are the endpoints of one scope. It is never changed once it is published.
type subscriptions struct {
	endpoints []Subscriber // oldest first
	exact     map[postrider.Topic]*Match
	patterns  []Subscriber // those with a wildcard, oldest first
}

// NewIndex makes an empty index. The contracts are those that endpoints may name.
func NewIndex(contracts *contract.Set) *Index {
	index := &Index{contracts: contracts}
	index.tenants.Store(&map[scope]*subscriptions{})
	return index
}

// EndpointLister gives all endpoints; the store is one.
type EndpointLister interface {
	EachEndpoint(ctx context.Context, visit func(*postrider.Endpoint) error) error
}

// Load fills the index with every endpoint there is. It is meant for the start.
func (x *Index) Load(ctx context.Context, lister EndpointLister) error {
	all := make(map[scope][]Subscriber)
	err := lister.EachEndpoint(ctx, func(endpoint *postrider.Endpoint) error {
		subscriber, err := x.subscriber(endpoint)
		if err != nil {
			return err
		}
		where := scope{endpoint.Tenant, endpoint.Environment}
		all[where] = append(all[where], subscriber)
		return nil
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	tenants := make(map[scope]*subscriptions, len(all))
	for where, endpoints := range all {
		tenants[where] = newSubscriptions(endpoints)
	}
	x.tenants.Store(&tenants)
	return nil
}

// Put adds an endpoint, or replaces what is known of it. The endpoint must not be changed afterwards.
func (x *Index) Put(endpoint *postrider.Endpoint) error {
	subscriber, err := x.subscriber(endpoint)
	if err != nil {
		return err
	}
	x.change(endpoint, func(endpoints []Subscriber) []Subscriber { return append(endpoints, subscriber) })
	return nil
}

// Remove takes an endpoint out, so that no event accepted from now on is owed to it.
func (x *Index) Remove(endpoint *postrider.Endpoint) {
	x.change(endpoint, func(endpoints []Subscriber) []Subscriber { return endpoints })
}

// Match finds who gets an event of this topic. It never gives nil.
func (x *Index) Match(tenant postrider.TenantID, environment postrider.Environment, topic postrider.Topic) *Match {
	known := (*x.tenants.Load())[scope{tenant, environment}]
	if known == nil {
		return nobody
	}
	if match := known.exact[topic]; match != nil {
		return match
	}
	if len(known.patterns) == 0 {
		return nobody
	}
	return newMatch(known.patterns, topic)
}

func (x *Index) subscriber(endpoint *postrider.Endpoint) (Subscriber, error) {
	c, found := x.contracts.Find(endpoint.Contract)
	if !found {
		return Subscriber{}, postrider.Errorf(postrider.CodeInvalid,
			"webhook %s names the contract %q, which is not known; known are %v", endpoint.ID, endpoint.Contract, x.contracts.Names())
	}
	return Subscriber{Endpoint: endpoint, Contract: c}, nil
}

// change rebuilds the endpoint's scope: its endpoints less this one, then as edit leaves them.
func (x *Index) change(endpoint *postrider.Endpoint, edit func([]Subscriber) []Subscriber) {
	x.mu.Lock()
	defer x.mu.Unlock()
	where := scope{endpoint.Tenant, endpoint.Environment}
	tenants := maps.Clone(*x.tenants.Load())
	var others []Subscriber
	if known := tenants[where]; known != nil {
		others = make([]Subscriber, 0, len(known.endpoints)+1)
		for _, s := range known.endpoints {
			if s.Endpoint.ID != endpoint.ID {
				others = append(others, s)
			}
		}
	}
	if others = edit(others); len(others) == 0 {
		delete(tenants, where)
	} else {
		tenants[where] = newSubscriptions(others)
	}
	x.tenants.Store(&tenants)
}

// nobody is the answer where no endpoint wants the topic.
var nobody = &Match{Reasons: []postrider.Reason{{Code: postrider.ReasonNoSubscriber}}}

func newSubscriptions(endpoints []Subscriber) *subscriptions {
	slices.SortFunc(endpoints, func(a, b Subscriber) int {
		return slices.Compare(a.Endpoint.ID.ID[:], b.Endpoint.ID.ID[:])
	})
	known := &subscriptions{endpoints: endpoints, exact: make(map[postrider.Topic]*Match)}
	for _, s := range endpoints {
		if slices.ContainsFunc(s.Endpoint.Topics, postrider.Topic.IsPattern) {
			known.patterns = append(known.patterns, s)
		}
	}
	byTopic := make(map[postrider.Topic][]Subscriber)
	for _, s := range endpoints {
		for _, topic := range s.Endpoint.Topics {
			if !topic.IsPattern() {
				byTopic[topic] = append(byTopic[topic], s)
			}
		}
	}
	for topic, named := range byTopic {
		known.exact[topic] = newMatch(merge(named, known.patterns), topic)
	}
	return known
}

// merge joins two lists that are sorted by endpoint id, each endpoint once.
func merge(a, b []Subscriber) []Subscriber {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b Subscriber) int {
		return slices.Compare(a.Endpoint.ID.ID[:], b.Endpoint.ID.ID[:])
	})
	return slices.CompactFunc(all, func(a, b Subscriber) bool { return a.Endpoint.ID == b.Endpoint.ID })
}

func newMatch(candidates []Subscriber, topic postrider.Topic) *Match {
	match := &Match{}
	for _, s := range candidates {
		switch {
		case !s.Endpoint.Subscribes(topic):
		case s.Endpoint.State == postrider.EndpointDisabled:
			match.Reasons = append(match.Reasons, postrider.Reason{Endpoint: s.Endpoint.ID, Code: postrider.ReasonEndpointDisabled})
		default:
			match.Subscribers = append(match.Subscribers, s)
		}
	}
	if len(match.Subscribers) == 0 && len(match.Reasons) == 0 {
		return nobody
	}
	return match
}
