package auth

import (
	"context"
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider"
)

// Keys finds stored keys; store.Keys fulfils it.
type Keys interface {
	FindKey(ctx context.Context, hash [32]byte) (*postrider.Key, error)
}

// Options shape an Authenticator. Zero fields have the defaults named here.
type Options struct {
	// CacheLife is how long a found key is remembered: 10 s. Revoking through this process ends it at
	// once (see Forget); a revocation by another process is seen when the life is over.
	CacheLife time.Duration
	// CacheSize bounds how many keys are remembered: 10,000.
	CacheSize int
	// Now is the clock: time.Now.
	Now func() time.Time
}

// Authenticator finds out who sends a request. It is safe for concurrent use.
type Authenticator struct {
	keys    Keys
	options Options

	mu      sync.RWMutex // guards what follows; never held over a query
	found   map[[32]byte]remembered
	forgets uint64 // counts Forget, so that a query that began before it cannot bring a key back
}

type remembered struct {
	hash      [32]byte
	principal Principal
	until     time.Time // of the memory, and never after the key's own end
}

// New makes an Authenticator over the stored keys.
func New(o Options, keys Keys) *Authenticator {
	if o.CacheLife <= 0 {
		o.CacheLife = 10 * time.Second
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 10_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Authenticator{keys: keys, options: o, found: make(map[[32]byte]remembered)}
}

// Authenticate finds the principal of an Authorization header, "Bearer <key>" (RFC 6750, section 2.1;
// the scheme's case does not matter). The error is of CodeUnauthenticated, or the store's.
func (a *Authenticator) Authenticate(ctx context.Context, header string) (Principal, error) {
	if header == "" {
		return Principal{}, errMissing()
	}
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.TrimLeft(text, " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return Principal{}, postrider.Errorf(postrider.CodeUnauthenticated,
			"the Authorization header is not \"Bearer <key>\"")
	}
	return a.Key(ctx, text)
}

// Key finds the principal of a key's text. The error is of CodeUnauthenticated, or the store's.
func (a *Authenticator) Key(ctx context.Context, text string) (Principal, error) {
	if len(text) > MaxKeyLength {
		return Principal{}, errUnknown()
	}
	hash, now := HashKey(text), a.options.Now()
	a.mu.RLock()
	hit, found := a.found[hash]
	forgets := a.forgets
	a.mu.RUnlock()
	if found && now.Before(hit.until) && subtle.ConstantTimeCompare(hash[:], hit.hash[:]) == 1 {
		return hit.principal, nil
	}
	return a.find(ctx, hash, now, forgets)
}

// find asks the store and remembers what it found.
func (a *Authenticator) find(ctx context.Context, hash [32]byte, now time.Time, forgets uint64) (Principal, error) {
	key, err := a.keys.FindKey(ctx, hash)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return Principal{}, errUnknown()
	}
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare(hash[:], key.Hash[:]) != 1 {
		return Principal{}, errUnknown()
	}
	if !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt) {
		return Principal{}, postrider.Errorf(postrider.CodeUnauthenticated, "the key has expired; ask for a new one")
	}
	until := now.Add(a.options.CacheLife)
	if !key.ExpiresAt.IsZero() && key.ExpiresAt.Before(until) {
		until = key.ExpiresAt
	}
	principal := Principal{Role: key.Role, Tenant: key.Tenant, Environment: key.Environment, KeyID: key.ID}
	a.remember(remembered{hash: hash, principal: principal, until: until}, now, forgets)
	return principal, nil
}

func (a *Authenticator) remember(r remembered, now time.Time, forgets uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgets != forgets {
		return
	}
	if len(a.found) >= a.options.CacheSize {
		for hash, old := range a.found {
			if !now.Before(old.until) {
				delete(a.found, hash)
			}
		}
		if len(a.found) >= a.options.CacheSize {
			clear(a.found) // more keys in use than room: begin again rather than search for the oldest
		}
	}
	a.found[r.hash] = r
}

// Forget drops what is remembered of all keys. Revoking a key calls it, so that the next request
// with that key is refused.
func (a *Authenticator) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	clear(a.found)
}

func errMissing() error {
	return postrider.Errorf(postrider.CodeUnauthenticated,
		"this needs a key: send the header \"Authorization: Bearer <key>\"")
}

func errUnknown() error {
	return postrider.Errorf(postrider.CodeUnauthenticated, "the key is not known: it is mistyped, or was revoked")
}
