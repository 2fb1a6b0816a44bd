package signature

import (
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// Algorithm names what computes a signature.
type Algorithm string

// The algorithms. SHA-1 stands here for receivers that know nothing newer; HMAC-SHA1 is not broken
// as SHA-1 is, but a new contract should not choose it.
const (
	HMACSHA256 Algorithm = "hmac-sha256"
	HMACSHA512 Algorithm = "hmac-sha512"
	HMACSHA1   Algorithm = "hmac-sha1"
	Ed25519    Algorithm = "ed25519"
)

// KeyForm says how a secret's text becomes a key.
type KeyForm string

// The key forms.
const (
	// KeyUTF8 takes the UTF-8 bytes of the secret, untrimmed and unnormalized.
	KeyUTF8 KeyForm = "utf8"
	// KeyWhsec takes the text after an optional "whsec_" as base64 of the key (Standard Webhooks).
	// For Ed25519 the prefixes are "whsk_" (private: 32 bytes of seed, or 64 of seed and public key)
	// and "whpk_" (public: 32 bytes).
	KeyWhsec KeyForm = "whsec"
	// KeyWhsecOrUTF8 is KeyWhsec for a secret that starts with "whsec_" and goes on in base64, and
	// KeyUTF8 for every other one, so that a tenant's own secret of any shape can sign.
	KeyWhsecOrUTF8 KeyForm = "whsec_or_utf8"
)

// Encoding says how a signature's bytes become text.
type Encoding string

// The encodings.
const (
	Hex    Encoding = "hex"    // lower case; receivers that compare texts refuse upper case (FACTS 003.9)
	Base64 Encoding = "base64" // standard alphabet with padding (FACTS 002.7)
)

// Part is a piece of what is signed.
type Part string

// The parts.
const (
	PartBody      Part = "body"      // the very bytes sent
	PartID        Part = "id"        // the value of IDHeader
	PartTimestamp Part = "timestamp" // the attempt's time: whole seconds since 1970, decimal
)

// Scheme is one way of signing a request.
type Scheme struct {
	Header    string // name of the header that carries the signature
	Algorithm Algorithm
	Key       KeyForm
	Over      []Part // what is signed; several parts are joined with "."
	Encoding  Encoding

	// Format is the header's value: literal text around "{signature}", and "{timestamp}" before it
	// where the header carries the time. "{signature}", "sha256={signature}",
	// "t={timestamp},v1={signature}" and "v1,{signature}" are all in use.
	Format string

	// Separator stands between several signatures in one header; "" when the header carries one.
	// With a Separator inside Format, what follows its last occurrence is repeated for each
	// signature: "t={timestamp},v1={signature}" and "," give "t=1,v1=aa,v1=bb".
	Separator string

	TimestampHeader string        // header that carries the timestamp, unless Format does
	IDHeader        string        // header that carries the id, when it is signed
	Tolerance       time.Duration // how far a timestamp may be from the receiver's clock, either way; 0: not checked
}

// Bounds of a scheme and of what a Verifier looks at.
const (
	MaxHeaderName   = 128       // bytes of a header's name
	MaxFormat       = 128       // bytes of Format
	MaxSecrets      = 16        // secrets in force at the same time
	MaxSecretLength = 4096      // bytes of one secret
	MaxTolerance    = 24 * 3600 // seconds
	maxHeaderValue  = 8 << 10   // bytes of the signature header that Verify reads
	maxCandidates   = 32        // signatures in one header that Verify tries
)

const (
	signatureMark = "{signature}"
	timestampMark = "{timestamp}"
)

// Validate reports all that is wrong with s, as one Error of CodeInvalid whose Fields are named as
// in a contract: header, algorithm, key, over, encoding, format, separator, timestamp_header,
// id_header, tolerance.
func (s Scheme) Validate() error {
	var faults postrider.Faults
	if !IsHeaderName(s.Header) {
		faults.Add("header", "%q is not a header name", s.Header)
	}
	switch s.Algorithm {
	case HMACSHA256, HMACSHA512, HMACSHA1, Ed25519:
	default:
		faults.Add("algorithm", "%q is unknown: use hmac-sha256, hmac-sha512, hmac-sha1 or ed25519", string(s.Algorithm))
	}
	switch s.Key {
	case KeyWhsec:
	case KeyUTF8, KeyWhsecOrUTF8:
		if s.Algorithm == Ed25519 {
			faults.Add("key", "an ed25519 key is base64: use whsec")
		}
	default:
		faults.Add("key", "%q is unknown: use utf8, whsec or whsec_or_utf8", string(s.Key))
	}
	if s.Encoding != Hex && s.Encoding != Base64 {
		faults.Add("encoding", "%q is unknown: use hex or base64", string(s.Encoding))
	}
	s.validateOver(&faults)
	s.validateFormat(&faults)
	s.validateHeaders(&faults)
	return faults.Err()
}

func (s Scheme) validateOver(faults *postrider.Faults) {
	seen := make(map[Part]bool, len(s.Over))
	for _, part := range s.Over {
		switch {
		case part != PartBody && part != PartID && part != PartTimestamp:
			faults.Add("over", "%q is unknown: use body, or a list such as id.timestamp.body", string(part))
		case seen[part]:
			faults.Add("over", "%q stands there twice", string(part))
		}
		seen[part] = true
	}
	if !seen[PartBody] {
		faults.Add("over", "the body is not signed, so anybody could change it")
	}
}

func (s Scheme) validateFormat(faults *postrider.Faults) {
	if len(s.Format) > MaxFormat || !isVisible(s.Format) {
		faults.Add("format", "use at most %d visible ASCII characters", MaxFormat)
		return
	}
	if s.Separator != "" && (len(s.Separator) > 2 || !isVisible(s.Separator) || strings.ContainsAny(s.Separator, alphabetSample)) {
		faults.Add("separator", "use one or two characters that no signature holds, such as \",\" or \" \"")
		return
	}
	if _, problem := parseLayout(s.Format, s.Separator); problem != "" {
		faults.Add("format", "%s", problem)
	}
}

func (s Scheme) validateHeaders(faults *postrider.Faults) {
	inFormat := strings.Contains(s.Format, timestampMark)
	timestamped := s.signs(PartTimestamp)
	switch {
	case timestamped && !inFormat && s.TimestampHeader == "":
		faults.Add("timestamp_header", "the timestamp is signed, so a receiver needs it: name its header here, or put {timestamp} into the format")
	case !timestamped && (inFormat || s.TimestampHeader != ""):
		faults.Add("over", "the timestamp is sent but not signed, so anybody could change it")
	case inFormat && s.TimestampHeader != "":
		faults.Add("timestamp_header", "the format carries the timestamp already")
	case s.TimestampHeader != "" && !IsHeaderName(s.TimestampHeader):
		faults.Add("timestamp_header", "%q is not a header name", s.TimestampHeader)
	}
	switch {
	case s.signs(PartID) && s.IDHeader == "":
		faults.Add("id_header", "the id is signed, so a receiver needs it: name its header here")
	case !s.signs(PartID) && s.IDHeader != "":
		faults.Add("over", "id_header is named but the id is not signed")
	case s.IDHeader != "" && !IsHeaderName(s.IDHeader):
		faults.Add("id_header", "%q is not a header name", s.IDHeader)
	}
	switch {
	case s.Tolerance < 0 || s.Tolerance > MaxTolerance*time.Second:
		faults.Add("tolerance", "use a duration up to 24h")
	case s.Tolerance > 0 && !timestamped:
		faults.Add("tolerance", "no timestamp is signed, so there is nothing to be tolerant about")
	}
}

func (s Scheme) signs(part Part) bool {
	for _, p := range s.Over {
		if p == part {
			return true
		}
	}
	return false
}

// IsHeaderName reports whether name can name a header: an RFC 9110 token (section 5.1) of at most
// MaxHeaderName bytes.
func IsHeaderName(name string) bool {
	if name == "" || len(name) > MaxHeaderName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// alphabetSample holds every character an encoded signature can hold.
const alphabetSample = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

// layout is a Format taken apart: lead, the timestamp, join, and then the signatures, each between
// prefix and suffix, with the separator between them.
type layout struct {
	lead, join     string
	timestamped    bool
	prefix, suffix string
	separator      string
}

// parseLayout takes format apart, or says in words why it cannot be taken.
func parseLayout(format, separator string) (layout, string) {
	before, suffix, found := strings.Cut(format, signatureMark)
	if !found {
		return layout{}, "there is no {signature} in it"
	}
	l := layout{suffix: suffix, separator: separator}
	rest := before
	l.lead, rest, l.timestamped = strings.Cut(before, timestampMark)
	if !l.timestamped {
		l.lead, rest = "", before
	}
	if strings.ContainsAny(l.lead+rest+suffix, "{}") {
		return layout{}, "use {signature} once, and {timestamp} at most once and before it"
	}
	at := -1
	if separator != "" {
		at = strings.LastIndex(rest, separator)
	}
	switch {
	case at >= 0:
		l.join, l.prefix = rest[:at+len(separator)], rest[at+len(separator):]
	case l.timestamped && separator != "":
		return layout{}, "the separator must stand between {timestamp} and {signature}"
	case l.timestamped:
		l.join = rest
	default:
		l.prefix = rest
	}
	switch {
	case l.timestamped && (l.join == "" || isDigit(l.join[0])):
		return layout{}, "put a character that is not a digit between {timestamp} and {signature}"
	case suffix != "" && strings.IndexByte(alphabetSample, suffix[0]) >= 0:
		return layout{}, "what follows {signature} could be a part of it"
	case separator != "" && strings.Contains(suffix, separator):
		return layout{}, "the separator stands behind {signature}"
	}
	return l, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
