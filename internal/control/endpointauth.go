package control

import (
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/signature"
)

// The bounds of what an endpoint may ask for beside the signature.
const (
	MaxAuthHeaders  = 20
	MaxHeaderBytes  = 4 << 10  // names and values of all of them
	MaxCertificate  = 32 << 10 // bytes of a chain, and of a key
	maxAuthText     = 1024     // bytes of an id, a user name, a scope, an audience
	maxAuthPassword = MaxSecret
)

// checkAuth notes what is wrong with what a webhook's endpoint asks for. Only when it is new a
// certificate is read: one that ended since then must not keep its webhook from being changed.
func (c *Control) checkAuth(faults *postrider.Faults, webhook *postrider.Endpoint, terms *contract.Contract, isNew bool) {
	asked := &webhook.Auth
	if asked.OAuth != nil && asked.Basic != nil {
		faults.Add("auth", "oauth2 and basic both are an Authorization header; use one of them")
	}
	if isNew {
		c.checkOAuth(faults, asked.OAuth)
		checkBasic(faults, asked.Basic)
	}
	checkOwnHeaders(faults, asked, terms)
	if asked.Certificate == nil {
		return
	}
	if isNew {
		checkCertificate(faults, asked.Certificate, c.now())
	}
	if strings.HasPrefix(strings.ToLower(webhook.URL), "http:") {
		faults.Add("auth.client_certificate", "can only be shown to an https url")
	}
}

func (c *Control) checkOAuth(faults *postrider.Faults, client *postrider.OAuthClient) {
	if client == nil {
		return
	}
	const at = "auth.oauth2."
	if client.TokenURL == "" {
		faults.Add(at+"token_url", "is required, such as https://auth.example.com/oauth/token")
	} else {
		faults.AddError(at+"token_url", c.parts.CheckURL(client.TokenURL, true))
	}
	checkText(faults, at+"client_id", client.ClientID, maxAuthText, true)
	checkText(faults, at+"client_secret", client.ClientSecret.Reveal(), maxAuthPassword, true)
	checkText(faults, at+"scope", client.Scope, maxAuthText, false)
	checkText(faults, at+"audience", client.Audience, maxAuthText, false)
}

func checkBasic(faults *postrider.Faults, basic *postrider.BasicAuth) {
	if basic == nil {
		return
	}
	checkText(faults, "auth.basic.username", basic.Username, maxAuthText, true)
	checkText(faults, "auth.basic.password", basic.Password.Reveal(), maxAuthPassword, true)
	if strings.Contains(basic.Username, ":") {
		faults.Add("auth.basic.username", "cannot hold a colon (RFC 7617)")
	}
}

// checkText notes what is wrong with a text, without showing it.
func checkText(faults *postrider.Faults, field, text string, most int, required bool) {
	switch {
	case text == "" && required:
		faults.Add(field, "is required")
	case len(text) > most:
		faults.Add(field, "has at most %d bytes; this one has %d", most, len(text))
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		faults.Add(field, "cannot hold control characters")
	}
}

// checkOwnHeaders asks that an endpoint's own headers can be sent and belong to nobody else.
func checkOwnHeaders(faults *postrider.Faults, asked *postrider.EndpointAuth, terms *contract.Contract) {
	const field = "auth.headers"
	if n := len(asked.Headers); n > MaxAuthHeaders {
		faults.Add(field, "has at most %d headers; this one has %d", MaxAuthHeaders, n)
		return
	}
	size, seen := 0, make(map[string]bool)
	for _, header := range asked.Headers {
		at := field + "." + bareName(header.Name)
		lower := strings.ToLower(header.Name)
		value := header.Value.Reveal()
		size += len(header.Name) + len(value)
		switch {
		case !signature.IsHeaderName(header.Name):
			faults.Add(at, "is not a header's name: use letters, digits and \"-\"")
		case seen[lower]:
			faults.Add(at, "stands twice")
		case egress.IsManagedHeader(header.Name) || lower == "content-encoding":
			faults.Add(at, "belongs to the connection and cannot be set")
		case lower == "authorization" && (asked.OAuth != nil || asked.Basic != nil):
			faults.Add(at, "is set by oauth2 or basic already")
		case terms != nil && setsHeader(terms, lower):
			faults.Add(at, "is set by the contract %q", terms.Name())
		case value == "" || strings.TrimSpace(value) != value || strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && r < ' ' || r > '~' }):
			faults.Add(at, "has a value that no header can carry: use visible ASCII characters")
		}
		seen[lower] = true
	}
	if size > MaxHeaderBytes {
		faults.Add(field, "have at most %d bytes, names and values together; these have %d", MaxHeaderBytes, size)
	}
}

// bareName shows a header's name in a fault, bounded.
func bareName(name string) string {
	quoted := strconv.QuoteToASCII(cut(name, 64))
	return quoted[1 : len(quoted)-1]
}

// setsHeader reports whether the contract sets the header, given in lower case.
func setsHeader(terms *contract.Contract, lower string) bool {
	document := terms.Document()
	for _, header := range document.Headers {
		if strings.ToLower(header.Name) == lower {
			return true
		}
	}
	for _, scheme := range document.Signatures {
		for _, name := range []string{scheme.Header, scheme.TimestampHeader, scheme.IDHeader} {
			if strings.ToLower(name) == lower {
				return true
			}
		}
	}
	return false
}

func checkCertificate(faults *postrider.Faults, certificate *postrider.ClientCertificate, now time.Time) {
	const at = "auth.client_certificate"
	switch {
	case certificate.Chain == "" || certificate.Key.IsZero():
		faults.Add(at, "needs a chain and a key, both in PEM form")
	case len(certificate.Chain) > MaxCertificate || len(certificate.Key.Reveal()) > MaxCertificate:
		faults.Add(at, "has at most %d KiB of chain and as much of key", MaxCertificate>>10)
	default:
		_, err := egress.ReadCertificate(certificate, now)
		faults.AddError(at, err)
	}
}

// LeafOf gives the certificate itself of a chain that was registered; nil when it cannot be read.
func LeafOf(certificate *postrider.ClientCertificate) *x509.Certificate {
	for rest := []byte(certificate.Chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if block.Type == "CERTIFICATE" {
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil
			}
			return leaf
		}
	}
}
