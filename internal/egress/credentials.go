package egress

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// Credentials are what an endpoint asks for beside the signature, made ready for sending: basic
// authentication, headers of its own, an OAuth token, a client certificate. They are prepared once for
// each configuration, hold the token while it is good, and are safe for concurrent use. A nil
// Credentials asks for nothing.
type Credentials struct {
	fields      []postrider.HeaderField // sent as they are
	shown       []postrider.HeaderField // the names of all that is sent, with hidden values
	tokens      *tokens                 // nil: no OAuth
	certificate *certificate            // nil: none
	secrets     []string                // what must not be seen in what comes back
}

// hiddenValue stands in records where a secret was sent.
const hiddenValue = "[secret]"

// NewCredentials prepares what auth asks for, nil when that is nothing. Errors are of CodeInvalid and
// show no secret.
func NewCredentials(auth *postrider.EndpointAuth) (*Credentials, error) {
	if auth.IsZero() {
		return nil, nil
	}
	c := &Credentials{}
	if basic := auth.Basic; basic != nil {
		pair := base64.StdEncoding.EncodeToString([]byte(basic.Username + ":" + basic.Password.Reveal()))
		c.add("Authorization", "Basic "+pair)
		c.hide(pair, basic.Password.Reveal())
	}
	for _, header := range auth.Headers {
		c.add(header.Name, header.Value.Reveal())
		c.hide(header.Value.Reveal())
	}
	if auth.OAuth != nil {
		c.tokens = newTokens(auth.OAuth)
		c.shown = append(c.shown, postrider.HeaderField{Name: "Authorization", Value: hiddenValue})
		c.hide(auth.OAuth.ClientSecret.Reveal())
	}
	if auth.Certificate != nil {
		var err error
		if c.certificate, err = readCertificate(auth.Certificate); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Shown gives the headers that are sent on the endpoint's behalf, with their values hidden, for the
// record of a request. The slice must not be changed.
func (c *Credentials) Shown() []postrider.HeaderField {
	if c == nil {
		return nil
	}
	return c.shown
}

func (c *Credentials) add(name, value string) {
	c.fields = append(c.fields, postrider.HeaderField{Name: name, Value: value})
	c.shown = append(c.shown, postrider.HeaderField{Name: name, Value: hiddenValue})
}

// leastHidden is the shortest text that is looked for in answers: hiding a secret of three characters
// would blot out half of an innocent body.
const leastHidden = 4

// hide notes texts, and how JSON and forms spell them, as not to be seen in answers.
func (c *Credentials) hide(texts ...string) {
	for _, text := range texts {
		quoted := jsonscan.AppendQuoted(nil, text)
		spellings := []string{text, string(quoted[1 : len(quoted)-1]), url.QueryEscape(text)}
		if careful, err := json.Marshal(text); err == nil { // with <, > and & escaped
			spellings = append(spellings, string(careful[1:len(careful)-1]))
		}
		for _, spelled := range spellings {
			if len(spelled) >= leastHidden && !slices.Contains(c.secrets, spelled) {
				c.secrets = append(c.secrets, spelled)
			}
		}
	}
	// The longest first: one may hold another.
	slices.SortStableFunc(c.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// headerWith joins the contract's fields with the endpoint's own. Where both name a header, the
// contract's stands: registration refuses such a conflict, but a contract may change later.
func (c *Credentials) headerWith(fields []postrider.HeaderField, token string) []postrider.HeaderField {
	joined := make([]postrider.HeaderField, len(fields), len(fields)+len(c.fields)+1)
	copy(joined, fields)
	taken := func(name string) bool {
		return slices.ContainsFunc(fields, func(f postrider.HeaderField) bool { return strings.EqualFold(f.Name, name) })
	}
	for _, own := range c.fields {
		if !taken(own.Name) {
			joined = append(joined, own)
		}
	}
	if token != "" && !taken("Authorization") {
		joined = append(joined, postrider.HeaderField{Name: "Authorization", Value: "Bearer " + token})
	}
	return joined
}

// scrub takes out of an answer what was sent in confidence: receivers that echo a request's headers
// are common, and what comes back is kept and shown.
func (c *Credentials) scrub(result *Result, tokens ...string) {
	hide := func(secret string) {
		if len(secret) < leastHidden {
			return
		}
		result.Response.Body = hideIn(result.Response.Body, secret, result.Response.Truncated)
		for i := range result.Response.Header {
			field := &result.Response.Header[i]
			field.Name = strings.ReplaceAll(field.Name, secret, hiddenValue)
			field.Value = strings.ReplaceAll(field.Value, secret, hiddenValue)
		}
		result.Detail = strings.ReplaceAll(result.Detail, secret, hiddenValue)
	}
	for _, token := range tokens {
		hide(token)
	}
	for _, secret := range c.secrets {
		hide(secret)
	}
}

// hideIn replaces the secret in a body, and its beginning at the end of a body that was cut.
func hideIn(body []byte, secret string, cut bool) []byte {
	if bytes.Contains(body, []byte(secret)) {
		body = bytes.ReplaceAll(body, []byte(secret), []byte(hiddenValue))
	}
	if !cut {
		return body
	}
	for n := min(len(secret)-1, len(body)); n >= leastHidden; n-- {
		if bytes.HasSuffix(body, []byte(secret[:n])) {
			return append(body[:len(body)-n:len(body)-n], hiddenValue...)
		}
	}
	return body
}

// IsManagedHeader reports whether the name is one that the connection needs for itself and that no
// endpoint or contract may set.
func IsManagedHeader(name string) bool { return kindOf(name) == headerManaged }
