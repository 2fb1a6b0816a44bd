package contract

import (
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/signature"
)

// Contract is a checked document, ready to render, judge and schedule. It never changes and is safe
// for concurrent use.
type Contract struct {
	document Document
	source   []byte
	status   *[600]statusKind // what each status means
}

func newContract(d Document, source []byte) *Contract {
	return &Contract{document: d, source: append([]byte(nil), source...), status: statusTable(d.Status)}
}

//go:embed builtin/*.yaml
var builtin embed.FS

// BuiltinNames gives the names of the built-in contracts, the default first.
func BuiltinNames() []string {
	return []string{"generic", "standard", "xemelgo", "ewarehousing", "shiip"}
}

// Builtin gives the built-in contracts in the order of BuiltinNames. They are parsed at each call.
func Builtin() []*Contract {
	var contracts []*Contract
	for _, name := range BuiltinNames() {
		source, err := builtin.ReadFile("builtin/" + name + ".yaml")
		if err != nil {
			panic(err) // the documents are part of the program
		}
		c, err := Parse(source)
		if err != nil {
			panic(fmt.Errorf("built-in contract %s: %w", name, err))
		}
		contracts = append(contracts, c)
	}
	return contracts
}

// Set finds contracts by name.
type Set struct {
	byName map[string]*Contract
	names  []string
}

// NewSet makes a set. Two contracts of one name are an error of CodeConflict.
func NewSet(contracts ...*Contract) (*Set, error) {
	s := &Set{byName: make(map[string]*Contract, len(contracts))}
	for _, c := range contracts {
		if _, taken := s.byName[c.Name()]; taken {
			return nil, postrider.Errorf(postrider.CodeConflict, "two contracts are named %q; give one of them another name", c.Name())
		}
		s.byName[c.Name()] = c
		s.names = append(s.names, c.Name())
	}
	return s, nil
}

// Find gives the contract of that name.
func (s *Set) Find(name string) (*Contract, bool) {
	c, found := s.byName[name]
	return c, found
}

// Names gives the names in the order of NewSet.
func (s *Set) Names() []string { return append([]string(nil), s.names...) }

// Name is the contract's name, unique in a Set.
func (c *Contract) Name() string { return c.document.Name }

// Source is the document's text as it was parsed.
func (c *Contract) Source() []byte { return append([]byte(nil), c.source...) }

// Document is a copy of the checked document, with defaults filled in. Its lists must not be changed.
func (c *Contract) Document() *Document {
	d := c.document
	return &d
}

// Schemes gives the contract's signatures, for a receiver's signature.NewVerifier.
func (c *Contract) Schemes() []signature.Scheme {
	return append([]signature.Scheme(nil), c.document.Signatures...)
}

// Timeout bounds an attempt, from its start to the response's status and headers (000.13, 002.13, 003.5, 004.1).
func (c *Contract) Timeout() time.Duration { return c.document.Limits.Timeout }

// ResponseLimit is how many bytes of a response's body are kept.
func (c *Contract) ResponseLimit() int { return c.document.Limits.Response }

// MaxInFlight is how many requests of one endpoint may go at the same time; 0 leaves it to the engine.
func (c *Contract) MaxInFlight() int { return c.document.Limits.InFlight }

// DisablesOnExhaustion reports whether a used-up schedule disables the endpoint (004.15).
func (c *Contract) DisablesOnExhaustion() bool { return c.document.Retry.DisableExhausted }

// MaxAttempts is the first attempt and all retries.
func (c *Contract) MaxAttempts() int { return 1 + len(c.document.Retry.Delays) }

// RequiresHTTPS reports whether an endpoint's URL must be https in env.
func (c *Contract) RequiresHTTPS(env postrider.Environment) bool {
	if env == postrider.Sandbox {
		return c.document.HTTPS.Sandbox
	}
	return c.document.HTTPS.Production
}

// SecretSuppliedByTenant reports whether a tenant must give the secret itself. Otherwise
// GenerateSecret makes one when the tenant gives none.
func (c *Contract) SecretSuppliedByTenant() bool { return c.document.Secret.SuppliedByTenant }

// CheckSecret reports whether s can sign under the contract: its length in code points (A001-13) and
// its key form. The error is of CodeInvalid and shows nothing of the secret. A contract without
// signatures takes any secret and uses none.
func (c *Contract) CheckSecret(s postrider.Secret) error {
	if len(c.document.Signatures) == 0 {
		return nil
	}
	rule, text := c.document.Secret, s.Reveal()
	if !utf8.ValidString(text) {
		return postrider.Errorf(postrider.CodeInvalid, "the secret is not valid UTF-8")
	}
	switch length := utf8.RuneCountInString(text); {
	case length < rule.MinLength:
		return postrider.Errorf(postrider.CodeInvalid, "the secret has %d characters; it must have more than %d", length, rule.MinLength-1)
	case length > rule.MaxLength:
		return postrider.Errorf(postrider.CodeInvalid, "the secret has %d characters; it may have at most %d", length, rule.MaxLength)
	}
	for _, scheme := range c.document.Signatures {
		if _, err := signature.NewSigner(scheme, []postrider.Secret{s}); err != nil {
			return err
		}
		if rule.MaxKeyBytes == 0 || scheme.Algorithm == signature.Ed25519 {
			continue
		}
		key, err := signature.DecodeKey(scheme.Key, s)
		if err != nil {
			return err
		}
		if len(key) < rule.MinKeyBytes || len(key) > rule.MaxKeyBytes {
			return postrider.Errorf(postrider.CodeInvalid, "the secret holds a key of %d bytes; it must have %d to %d",
				len(key), rule.MinKeyBytes, rule.MaxKeyBytes)
		}
	}
	return nil
}

// GenerateSecret makes a secret from random, which is crypto/rand.Reader but for tests. It fails
// when random does, and with CodeInvalid when the tenant must give the secret (000.6) or none is used.
func (c *Contract) GenerateSecret(random io.Reader) (postrider.Secret, error) {
	rule := c.document.Secret.Generated
	if rule.Bytes == 0 {
		return postrider.Secret{}, postrider.Errorf(postrider.CodeInvalid, "contract %q does not generate secrets; give one", c.Name())
	}
	key := make([]byte, rule.Bytes)
	if _, err := io.ReadFull(random, key); err != nil {
		return postrider.Secret{}, fmt.Errorf("random bytes for a secret: %w", err)
	}
	if rule.Encoding == signature.Hex {
		return postrider.NewSecret(rule.Prefix + hex.EncodeToString(key)), nil
	}
	return postrider.NewSecret(rule.Prefix + base64.StdEncoding.EncodeToString(key)), nil
}

// tryGenerated reports whether a secret as the contract would generate it passes its own rules.
func (c *Contract) tryGenerated() error {
	s, err := c.GenerateSecret(ones{})
	if err != nil {
		return err
	}
	return c.CheckSecret(s)
}

// ones is a source of bytes that are all 1.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// Scaled gives the contract with its schedule, dispatch rhythm and limit on Retry-After divided by
// factor, so that hours pass in seconds during development. Time limits of requests and what a
// receiver asks for in Retry-After stay. A factor that is not a positive number changes nothing.
func (c *Contract) Scaled(factor float64) *Contract {
	if !(factor > 0) || math.IsInf(factor, 0) || factor == 1 {
		return c
	}
	scaled := *c
	d := &scaled.document
	d.Retry.Delays = make([]time.Duration, len(c.document.Retry.Delays))
	for i, delay := range c.document.Retry.Delays {
		d.Retry.Delays[i] = divide(delay, factor)
	}
	d.Retry.RetryAfterLimit = divide(d.Retry.RetryAfterLimit, factor)
	d.Dispatch.Production = dividePeriod(d.Dispatch.Production, factor)
	d.Dispatch.Sandbox = dividePeriod(d.Dispatch.Sandbox, factor)
	return &scaled
}

// divide stays within what a Duration holds, and does not make a delay of nothing.
func divide(d time.Duration, factor float64) time.Duration {
	const most = 365 * day // of a factor below 1, which slows time down
	if d == 0 {
		return 0
	}
	return time.Duration(min(max(float64(d)/factor, float64(time.Millisecond)), float64(most)))
}

// dividePeriod keeps ticks on whole milliseconds, which is what due times are stored in.
func dividePeriod(d time.Duration, factor float64) time.Duration {
	return divide(d, factor).Round(time.Millisecond)
}
