package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
)

// The rule of seed 001 for a password, and the most that is hashed.
const (
	MinPasswordLength = 8    // characters, one of them a digit (001.3)
	MaxPasswordLength = 1024 // bytes
)

// PasswordOptions shape Passwords. Zero fields have the defaults named here.
type PasswordOptions struct {
	// MemoryKiB and Passes are the cost of one hash: 19,456 (19 MiB) and 2, which OWASP's password
	// storage cheat sheet gives for argon2id on a server.
	MemoryKiB, Passes uint32
	// AtOnce bounds the hashes under way: half of the processors, and at least one, so that logins
	// leave the other half to events.
	AtOnce int
	// Waiting bounds the callers that wait for a hash: 256. One more is refused.
	Waiting int
	// Apart hashes outside of this process: nil, inside.
	Apart *Apart
}

// Passwords hashes and checks passwords with argon2id (RFC 9106), a bounded number at a time: every
// hash takes its memory only while it runs. It is safe for concurrent use.
type Passwords struct {
	cost   cost
	places chan struct{} // one for each caller inside, waiting or hashing
	slots  chan struct{} // one for each hash under way
	decoy  phc           // stands in for the hash of a user who is not there
	apart  *Apart
	hashes atomic.Uint64
}

// NewPasswords makes Passwords.
func NewPasswords(o PasswordOptions) *Passwords {
	if o.MemoryKiB == 0 {
		o.MemoryKiB = 19 << 10
	}
	if o.Passes == 0 {
		o.Passes = 2
	}
	if o.AtOnce <= 0 {
		o.AtOnce = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.Waiting <= 0 {
		o.Waiting = 256
	}
	p := &Passwords{
		cost:   cost{memory: o.MemoryKiB, passes: o.Passes, lanes: 1},
		places: make(chan struct{}, o.AtOnce+o.Waiting),
		slots:  make(chan struct{}, o.AtOnce),
		apart:  o.Apart,
	}
	p.decoy = newPHC(p.cost)
	p.decoy.sum = make([]byte, sumBytes)
	_, _ = rand.Read(p.decoy.sum) // no password has this hash
	return p
}

// CheckPassword reports whether somebody may have the password: at least 8 characters and a digit
// (001.3). The error is of CodeInvalid and does not show it.
func CheckPassword(password postrider.Secret) error {
	text := password.Reveal()
	switch {
	case !utf8.ValidString(text):
		return postrider.Errorf(postrider.CodeInvalid, "is not good UTF-8")
	case len(text) > MaxPasswordLength:
		return postrider.Errorf(postrider.CodeInvalid, "has at most %d bytes", MaxPasswordLength)
	case utf8.RuneCountInString(text) < MinPasswordLength:
		return postrider.Errorf(postrider.CodeInvalid, "needs at least %d characters", MinPasswordLength)
	case !strings.ContainsAny(text, "0123456789"):
		return postrider.Errorf(postrider.CodeInvalid, "needs at least one digit")
	}
	return nil
}

// Hash gives the PHC string under which the password is stored. CodeUnavailable when too many callers
// wait, or when ctx ends first.
func (p *Passwords) Hash(ctx context.Context, password postrider.Secret) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	made := newPHC(p.cost)
	made.sum = p.derive(password, &made)
	return made.String(), nil
}

// Verify reports whether the password is the one of the stored PHC string, and whether that was made
// at another cost than new ones are. stored is "" for a user who is not there: then the answer takes
// as long as for one who is, and is no. admit is asked just before hashing, after the wait: its error
// ends the call. Other errors are as for Hash.
func (p *Passwords) Verify(ctx context.Context, stored string, password postrider.Secret, admit func() error) (good, stale bool, err error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	if err := admit(); err != nil {
		return false, false, err
	}
	wanted, known := p.decoy, false // nobody's password is longer than the most that is hashed
	if stored != "" {
		if wanted, err = parsePHC(stored); err != nil {
			return false, false, err
		}
		known = len(password.Reveal()) <= MaxPasswordLength
	}
	same := subtle.ConstantTimeCompare(p.derive(password, &wanted), wanted.sum) == 1
	return same && known, wanted.cost != p.cost, nil
}

// Hashes counts the hashes made, so that tests and metrics can tell what a login cost.
func (p *Passwords) Hashes() uint64 { return p.hashes.Load() }

// enter waits for a slot. The caller calls leave when the hash is done.
func (p *Passwords) enter(ctx context.Context) (leave func(), err error) {
	select {
	case p.places <- struct{}{}:
	default:
		return nil, &postrider.Error{Code: postrider.CodeUnavailable, RetryAfter: time.Second,
			Message: "too many logins are under way; try again in a moment"}
	}
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots; <-p.places }, nil
	case <-ctx.Done():
		<-p.places
		return nil, &postrider.Error{Code: postrider.CodeUnavailable, RetryAfter: time.Second, Err: ctx.Err(),
			Message: "the request ended before the password could be checked; try again"}
	}
}

func (p *Passwords) derive(password postrider.Secret, by *phc) []byte {
	p.hashes.Add(1)
	text := password.Reveal()
	if len(text) > MaxPasswordLength {
		text = text[:MaxPasswordLength] // nobody has such a password; the time is the same
	}
	request := &hashRequest{Password: []byte(text), Salt: by.salt, Memory: by.memory, Passes: by.passes, Lanes: by.lanes, Length: uint32(len(by.sum))}
	if p.apart != nil {
		return p.apart.derive(request)
	}
	return request.derive()
}
