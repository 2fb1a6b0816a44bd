package auth

import (
	"context"
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
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
	// Tokens checks ID tokens, which are taken where keys are: nil, none are.
	Tokens *Tokens
	// Now is the clock: time.Now.
	Now func() time.Time
}

// Authenticator finds out who sends a request. It is safe for concurrent use.
type Authenticator struct {
	keys    Keys
	options Options
	found   *memory[[32]byte, keyHolder]

	mu   sync.Mutex // guards used; never held over a query
	used map[postrider.KeyID]time.Time
}

// keyHolder is a key's principal, with the hash that it was found by.
type keyHolder struct {
	hash      [32]byte
	principal Principal
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
	return &Authenticator{keys: keys, options: o, found: newMemory[[32]byte, keyHolder](o.CacheLife, o.CacheSize),
		used: make(map[postrider.KeyID]time.Time)}
}

// Authenticate finds the principal of an Authorization header, "Bearer <key>" or "Bearer <ID token>"
// (RFC 6750, section 2.1; the scheme's case does not matter). The error is of CodeUnauthenticated, or
// the store's.
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
	if len(text) > MaxKeyLength && a.options.Tokens != nil { // no key is so long, and every token is longer
		return a.options.Tokens.Check(ctx, text, a.options.Now())
	}
	return a.Key(ctx, text)
}

// Key finds the principal of a key's text. The error is of CodeUnauthenticated, or the store's.
func (a *Authenticator) Key(ctx context.Context, text string) (Principal, error) {
	if len(text) > MaxKeyLength {
		return Principal{}, errUnknown()
	}
	hash, now := HashKey(text), a.options.Now()
	hit, found, ticket := a.found.recall(hash, now)
	if found && subtle.ConstantTimeCompare(hash[:], hit.hash[:]) == 1 {
		return hit.principal, nil
	}
	return a.find(ctx, hash, now, ticket)
}

// find asks the store and remembers what it found.
func (a *Authenticator) find(ctx context.Context, hash [32]byte, now time.Time, ticket uint64) (Principal, error) {
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
	principal := Principal{Role: key.Role, Tenant: key.Tenant, Environment: key.Environment, KeyID: key.ID}
	a.found.remember(hash, keyHolder{hash, principal}, now, key.ExpiresAt, ticket)
	a.use(key, now)
	return principal, nil
}

// use notes that the key was used, unless that is known to the minute already.
func (a *Authenticator) use(key *postrider.Key, now time.Time) {
	if now.Sub(key.LastUsedAt) < usePause {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, noted := a.used[key.ID]; noted || len(a.used) < a.options.CacheSize {
		a.used[key.ID] = now.UTC().Truncate(time.Millisecond)
	}
}

// usePause is how exact the time of a key's last use is kept.
const usePause = time.Minute

// KeyUses keeps when keys were last used; store.Keys fulfils it.
type KeyUses interface {
	TouchKeys(ctx context.Context, uses []store.KeyUse) error
}

// KeepUses writes down, in one transaction, which keys were used since it was last called: each at
// most once a minute. Whoever owns the Authenticator calls it from time to time. After an error the
// uses are still to be written.
func (a *Authenticator) KeepUses(ctx context.Context, uses KeyUses) error {
	a.mu.Lock()
	used := a.used
	a.used = make(map[postrider.KeyID]time.Time)
	a.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	batch := make([]store.KeyUse, 0, len(used))
	for key, at := range used {
		batch = append(batch, store.KeyUse{Key: key, At: at})
	}
	err := uses.TouchKeys(ctx, batch)
	if err == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, at := range used {
		if _, later := a.used[key]; !later {
			a.used[key] = at
		}
	}
	return err
}

// Forget drops what is remembered of all keys. Revoking a key calls it, so that the next request
// with that key is refused.
func (a *Authenticator) Forget() { a.found.forget() }

func errMissing() error {
	return postrider.Errorf(postrider.CodeUnauthenticated,
		"this needs a key: send the header \"Authorization: Bearer <key>\"")
}

func errUnknown() error {
	return postrider.Errorf(postrider.CodeUnauthenticated, "the key is not known: it is mistyped, or was revoked")
}
