package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// signers are the keys that sign and check tokens: one that signs, and the public halves of those
// before it for as long as tokens of theirs may live. They are kept in one setting of the store, which
// seals it.
type signers struct {
	settings store.Settings
	keyLife  time.Duration

	changing sync.Mutex // held over a rotation or a reload

	mu       sync.RWMutex // guards what follows; never held over a query
	all      []signingKey // the one that signs is the last
	reloaded time.Time
}

// signingKey is one key as it is kept.
type signingKey struct {
	ID        string            `json:"id"` // thumbprint, RFC 7638 and RFC 8037
	Seed      []byte            `json:"seed,omitempty"`
	Public    ed25519.PublicKey `json:"public"`
	CreatedAt time.Time         `json:"created_at"`
	Until     time.Time         `json:"until,omitzero"` // when it is forgotten; zero for the one that signs
}

const (
	signersSetting = "token-keys"
	// maxTokenLife bounds TokenOptions.Life. A key that signs no more is kept for so long.
	maxTokenLife = 24 * time.Hour
	// reloadPause is the least time between two looks into the store for a key that is not known,
	// since whoever sends nonsense causes them.
	reloadPause = 5 * time.Second
)

// loadSigners reads the keys, or makes the first one.
func loadSigners(ctx context.Context, settings store.Settings, keyLife time.Duration, now time.Time) (*signers, error) {
	s := &signers{settings: settings, keyLife: keyLife}
	err := s.load(ctx, now)
	if postrider.ErrorCode(err) != postrider.CodeNotFound {
		return s, err
	}
	first := []signingKey{newSigningKey(now)}
	err = s.write(ctx, first, true)
	if postrider.ErrorCode(err) == postrider.CodeConflict { // another process was faster
		return s, s.load(ctx, now)
	}
	if err != nil {
		return nil, err
	}
	s.set(first, now)
	return s, nil
}

// signing gives the key to sign with, and changes it when it is old.
func (s *signers) signing(ctx context.Context, now time.Time) (signingKey, error) {
	key := s.last()
	if now.Sub(key.CreatedAt) < s.keyLife {
		return key, nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if key = s.last(); now.Sub(key.CreatedAt) < s.keyLife {
		return key, nil
	}
	return s.change(ctx, now)
}

// rotate makes a new key to sign with. What the ones before it signed stays good until it ends.
func (s *signers) rotate(ctx context.Context, now time.Time) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	_, err := s.change(ctx, now)
	return err
}

// change does what rotate says; the caller holds changing.
func (s *signers) change(ctx context.Context, now time.Time) (signingKey, error) {
	next := newSigningKey(now)
	var all []signingKey
	for _, key := range s.known(now) {
		if key.Until.IsZero() {
			key.Seed, key.Until = nil, now.Add(maxTokenLife)
		}
		all = append(all, key)
	}
	all = append(all, next)
	if err := s.write(ctx, all, false); err != nil {
		return signingKey{}, err
	}
	s.set(all, now)
	return next, nil
}

// public finds the key of an id. One that is not known may have been made by another process.
func (s *signers) public(ctx context.Context, id string, now time.Time) (ed25519.PublicKey, bool) {
	if key, found := s.find(id, now); found {
		return key, true
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.RLock()
	recent := now.Sub(s.reloaded) < reloadPause
	s.mu.RUnlock()
	if !recent {
		if err := s.load(ctx, now); err != nil {
			return nil, false
		}
	}
	return s.find(id, now)
}

// jwks writes the public keys as a JWK Set (RFC 7517, RFC 8037).
func (s *signers) jwks(now time.Time) []byte {
	type jwk struct {
		Type      string `json:"kty"`
		Curve     string `json:"crv"`
		Use       string `json:"use"`
		Algorithm string `json:"alg"`
		ID        string `json:"kid"`
		X         string `json:"x"`
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, key := range s.known(now) {
		set.Keys = append(set.Keys, jwk{"OKP", "Ed25519", "sig", "EdDSA", key.ID, base64.RawURLEncoding.EncodeToString(key.Public)})
	}
	text, _ := json.Marshal(set) // strings only: it cannot fail
	return text
}

func (s *signers) load(ctx context.Context, now time.Time) error {
	text, err := s.settings.Setting(ctx, signersSetting)
	if err != nil {
		return err
	}
	var all []signingKey
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		return postrider.Errorf(postrider.CodeInternal, "the stored keys that sign tokens are damaged")
	}
	for _, key := range all {
		if len(key.Public) != ed25519.PublicKeySize || key.Until.IsZero() && len(key.Seed) != ed25519.SeedSize {
			return postrider.Errorf(postrider.CodeInternal, "a stored key that signs tokens is damaged")
		}
	}
	if !all[len(all)-1].Until.IsZero() {
		return postrider.Errorf(postrider.CodeInternal, "no stored key signs tokens")
	}
	s.set(all, now)
	return nil
}

func (s *signers) write(ctx context.Context, all []signingKey, create bool) error {
	text, err := json.Marshal(all)
	if err != nil {
		return &postrider.Error{Code: postrider.CodeInternal, Err: err}
	}
	return s.settings.PutSetting(ctx, signersSetting, text, create)
}

func (s *signers) set(all []signingKey, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.reloaded = all, now
}

func (s *signers) last() signingKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[len(s.all)-1]
}

// known gives the keys that are good at now.
func (s *signers) known(now time.Time) []signingKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var good []signingKey
	for _, key := range s.all {
		if key.Until.IsZero() || now.Before(key.Until) {
			good = append(good, key)
		}
	}
	return good
}

func (s *signers) find(id string, now time.Time) (ed25519.PublicKey, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range s.all {
		if key.ID == id && (key.Until.IsZero() || now.Before(key.Until)) {
			return key.Public, true
		}
	}
	return nil, false
}

func newSigningKey(now time.Time) signingKey {
	seed := make([]byte, ed25519.SeedSize)
	// crypto/rand.Read never fails: it ends the program instead (crypto/rand documentation).
	_, _ = rand.Read(seed)
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return signingKey{ID: thumbprint(public), Seed: seed, Public: public, CreatedAt: now}
}

// thumbprint names a public key by its content (RFC 8037, appendix A.3).
func thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
