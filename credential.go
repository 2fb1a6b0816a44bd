package postrider

import (
	"slices"
	"time"
)

// SecretRotation is the exchange of an endpoint's signing secret while both are known to its receiver.
// Contracts whose signature header carries a list sign with both until Until; the others sign with
// the old one until the tenant activates the new one, or until Until.
type SecretRotation struct {
	Next      Secret
	StartedAt time.Time
	Until     time.Time // from then on only Next is in force
}

// SigningSecrets gives the secrets to sign with at now, the newest first. list says that the contract's
// header carries several signatures.
func (e *Endpoint) SigningSecrets(now time.Time, list bool) []Secret {
	r := e.Rotation
	switch {
	case r == nil:
		return e.Secrets
	case !now.Before(r.Until):
		return []Secret{r.Next}
	case list:
		return append([]Secret{r.Next}, e.Secrets...)
	}
	return e.Secrets
}

// EndpointAuth is what an endpoint asks for beside the signature. The zero value asks for nothing.
type EndpointAuth struct {
	OAuth       *OAuthClient       // a bearer token in every request (000.22)
	Basic       *BasicAuth         // RFC 7617
	Headers     []SecretHeader     // sent as they are
	Certificate *ClientCertificate // shown in the TLS handshake
}

// IsZero reports whether nothing is asked for.
func (a *EndpointAuth) IsZero() bool {
	return a.OAuth == nil && a.Basic == nil && len(a.Headers) == 0 && a.Certificate == nil
}

// Equal reports whether both ask for the same.
func (a *EndpointAuth) Equal(b *EndpointAuth) bool {
	return same(a.OAuth, b.OAuth) && same(a.Basic, b.Basic) && slices.Equal(a.Headers, b.Headers) && same(a.Certificate, b.Certificate)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// OAuthClient gets tokens by the client credentials grant (RFC 6749, section 4.4).
type OAuthClient struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scope        string // space-separated; "" for none
	Audience     string // "" for none
	SecretInBody bool   // id and secret go into the body, for servers that do not take HTTP Basic (section 2.3.1)
}

// BasicAuth is a user name and a password.
type BasicAuth struct {
	Username string
	Password Secret
}

// SecretHeader is a header whose value is not shown again.
type SecretHeader struct {
	Name  string
	Value Secret
}

// ClientCertificate is a certificate chain and its private key, both PEM.
type ClientCertificate struct {
	Chain string
	Key   Secret
}
