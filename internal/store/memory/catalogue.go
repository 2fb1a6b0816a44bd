package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// CreateEndpoint fulfils store.Endpoints.
func (s *Store) CreateEndpoint(ctx context.Context, endpoint *postrider.Endpoint) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if _, found := s.tenants[endpoint.Tenant]; !found {
		return notFound("tenant", endpoint.Tenant)
	}
	if s.endpoints[endpoint.ID] != nil {
		return postrider.Errorf(postrider.CodeConflict, "a webhook %s is there already", endpoint.ID)
	}
	s.endpoints[endpoint.ID] = clone(endpoint)
	return nil
}

// FindEndpoint fulfils store.Endpoints.
func (s *Store) FindEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID) (*postrider.Endpoint, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	e := s.registered(tenant, id)
	if e == nil {
		return nil, notFound("webhook", id)
	}
	return clone(e), nil
}

// Endpoints fulfils store.Endpoints.
func (s *Store) Endpoints(ctx context.Context, tenant postrider.TenantID, f store.EndpointFilter) ([]*postrider.Endpoint, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []*postrider.Endpoint
	for _, e := range s.sorted() {
		if e.Tenant == tenant && !e.Deleted() && (f.Environment == "" || e.Environment == f.Environment) &&
			(f.Contract == "" || e.Contract == f.Contract) && bytes.Compare(e.ID.ID[:], f.After.ID[:]) > 0 && len(found) < f.Limit {
			found = append(found, clone(e))
		}
	}
	return found, nil
}

// EachEndpoint fulfils store.Endpoints.
func (s *Store) EachEndpoint(ctx context.Context, visit func(*postrider.Endpoint) error) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	all := s.sorted()
	unlock()
	for _, e := range all {
		if e.Deleted() {
			continue
		}
		if err := visit(clone(e)); err != nil {
			return err
		}
	}
	return nil
}

// UpdateEndpoint fulfils store.Endpoints.
func (s *Store) UpdateEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, p store.EndpointPatch, now time.Time) (*postrider.Endpoint, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	e := s.registered(tenant, id)
	if e == nil {
		return nil, notFound("webhook", id)
	}
	changed := clone(e)
	set(&changed.URL, p.URL)
	set(&changed.Topics, p.Topics)
	set(&changed.Contract, p.Contract)
	set(&changed.Description, p.Description)
	set(&changed.Secrets, p.Secrets)
	set(&changed.MaxInFlight, p.MaxInFlight)
	set(&changed.RateLimit, p.RateLimit)
	set(&changed.RateBurst, p.RateBurst)
	set(&changed.Rotation, p.Rotation)
	set(&changed.Auth, p.Auth)
	changed = clone(changed) // what the patch points to stays its caller's
	if p.State != nil {
		wasDisabled := changed.State == postrider.EndpointDisabled
		changed.State = *p.State
		switch {
		case changed.State != postrider.EndpointDisabled:
			changed.DisabledReason, changed.DisabledAt = "", time.Time{}
		default:
			if !wasDisabled {
				changed.DisabledAt = milli(now)
			}
			set(&changed.DisabledReason, p.DisabledReason)
		}
	}
	changed.UpdatedAt = milli(now)
	s.endpoints[id] = changed
	return clone(changed), nil
}

// DeleteEndpoint fulfils store.Endpoints.
func (s *Store) DeleteEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, now time.Time) (*postrider.Endpoint, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	e := s.registered(tenant, id)
	if e == nil {
		return nil, notFound("webhook", id)
	}
	deleted := clone(e)
	deleted.DeletedAt = milli(now)
	s.endpoints[id] = deleted
	return clone(deleted), nil
}

// CreateKey fulfils store.Keys.
func (s *Store) CreateKey(ctx context.Context, key *postrider.Key) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if _, found := s.tenants[key.Tenant]; !found && !key.Tenant.IsZero() {
		return notFound("tenant", key.Tenant)
	}
	if _, found := s.apiKeys[key.Hash]; found {
		return postrider.Errorf(postrider.CodeConflict, "this key is there already")
	}
	s.apiKeys[key.Hash] = *key
	return nil
}

// FindKey fulfils store.Keys.
func (s *Store) FindKey(ctx context.Context, hash [32]byte) (*postrider.Key, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key, found := s.apiKeys[hash]; found {
		return &key, nil
	}
	return nil, postrider.Errorf(postrider.CodeNotFound, "there is no such key")
}

// Keys fulfils store.Keys.
func (s *Store) Keys(ctx context.Context, tenant postrider.TenantID) ([]postrider.Key, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []postrider.Key
	for _, key := range s.apiKeys {
		if key.Tenant == tenant {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, func(a, b postrider.Key) int { return bytes.Compare(a.ID.ID[:], b.ID.ID[:]) })
	return found, nil
}

// DeleteKey fulfils store.Keys.
func (s *Store) DeleteKey(ctx context.Context, tenant postrider.TenantID, id postrider.KeyID) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	for hash, key := range s.apiKeys {
		if key.Tenant == tenant && key.ID == id {
			delete(s.apiKeys, hash)
			return nil
		}
	}
	return notFound("key", id)
}

// TouchKeys fulfils store.Keys.
func (s *Store) TouchKeys(ctx context.Context, uses []store.KeyUse) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	last := make(map[postrider.KeyID]time.Time, len(uses))
	for _, use := range uses {
		if at := milli(use.At); at.After(last[use.Key]) {
			last[use.Key] = at
		}
	}
	for hash, key := range s.apiKeys {
		if at := last[key.ID]; at.After(key.LastUsedAt) {
			key.LastUsedAt = at
			s.apiKeys[hash] = key
		}
	}
	return nil
}

func (s *Store) registered(tenant postrider.TenantID, id postrider.EndpointID) *postrider.Endpoint {
	if e := s.endpoints[id]; e != nil && e.Tenant == tenant && !e.Deleted() {
		return e
	}
	return nil
}

func (s *Store) sorted() []*postrider.Endpoint {
	all := make([]*postrider.Endpoint, 0, len(s.endpoints))
	for _, e := range s.endpoints {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *postrider.Endpoint) int { return bytes.Compare(a.ID.ID[:], b.ID.ID[:]) })
	return all
}

func clone(e *postrider.Endpoint) *postrider.Endpoint {
	c := *e
	c.Topics, c.Secrets = slices.Clone(e.Topics), slices.Clone(e.Secrets)
	c.Rotation = copyOf(e.Rotation)
	c.Auth = postrider.EndpointAuth{
		OAuth: copyOf(e.Auth.OAuth), Basic: copyOf(e.Auth.Basic),
		Headers: slices.Clone(e.Auth.Headers), Certificate: copyOf(e.Auth.Certificate),
	}
	return &c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}
