package signature

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// Verifier checks the signature of received requests. It is prepared once for a set of secrets and
// is safe for concurrent use.
type Verifier struct {
	scheme Scheme
	layout layout
	keys   []*key
}

// NewVerifier prepares a Verifier. A request is good when any signature in it was made with any of
// the secrets. An error is of CodeInvalid and shows no secret.
func NewVerifier(s Scheme, secrets []postrider.Secret) (*Verifier, error) {
	keys, err := newKeys(s, secrets, true)
	if err != nil {
		return nil, err
	}
	s.Over = append([]Part(nil), s.Over...)
	l, _ := parseLayout(s.Format, s.Separator) // newKeys has validated the scheme
	return &Verifier{scheme: s, layout: l, keys: keys}, nil
}

// Problem is a closed list of words for what is wrong with a request's signature.
type Problem string

// The problems.
const (
	ProblemHeaderMissing       Problem = "header_missing"        // a header that the scheme needs is not there, or is empty
	ProblemHeaderRepeated      Problem = "header_repeated"       // a header that may stand once stands several times
	ProblemHeaderTooLong       Problem = "header_too_long"       // more than a signature header can hold
	ProblemWrongPrefix         Problem = "wrong_prefix"          // the value is not of the scheme's format
	ProblemWrongLength         Problem = "wrong_length"          // too long or too short for the algorithm
	ProblemWrongEncoding       Problem = "wrong_encoding"        // not lower-case hex, or not base64
	ProblemTimestampNotInteger Problem = "timestamp_not_integer" // not whole seconds in decimal
	ProblemTimestampTooOld     Problem = "timestamp_too_old"     // before now by more than the tolerance
	ProblemTimestampInFuture   Problem = "timestamp_in_future"   // after now by more than the tolerance
	ProblemNoMatch             Problem = "no_match"              // well formed, and made with no secret of ours over these bytes
)

// VerifyError says why a request was not taken. It shows neither a secret nor the signature that
// was expected, so that it may be logged; what it tells a stranger is no more than the format, but a
// receiver's answer need not tell even that.
type VerifyError struct {
	Problem Problem
	Header  string // the header at fault
	Message string // what is wrong, with likely causes
}

// Error gives the message.
func (e *VerifyError) Error() string { return e.Message }

// Verify reports nil when the request's signature is good, else a *VerifyError. The body is the
// bytes as received, before any parsing. The comparison takes the same time for every wrong
// signature of the right length. The request's id and age are the caller's to remember: a request
// repeated within the tolerance is good again.
func (v *Verifier) Verify(header http.Header, body []byte, now time.Time) error {
	value, problem := single(header, v.scheme.Header)
	if problem != nil {
		return problem
	}
	var id string
	if v.scheme.IDHeader != "" {
		if id, problem = single(header, v.scheme.IDHeader); problem != nil {
			return problem
		}
	}
	timestamp, signatures, problem := v.split(value)
	if problem != nil {
		return problem
	}
	if v.scheme.TimestampHeader != "" {
		if timestamp, problem = single(header, v.scheme.TimestampHeader); problem != nil {
			return problem
		}
	}
	if problem := v.checkTimestamp(timestamp, now); problem != nil {
		return problem
	}
	candidates, problem := v.decode(signatures)
	if problem != nil {
		return problem
	}
	if !v.match(candidates, id, timestamp, body) {
		return v.noMatch()
	}
	return nil
}

// single gives the value of a header that must stand exactly once. The name is found in any case,
// also in a map that was not filled through http.Header's methods.
func single(header http.Header, name string) (string, *VerifyError) {
	values := header.Values(name)
	if len(values) == 0 {
		for other, found := range header {
			if strings.EqualFold(other, name) {
				values = found
				break
			}
		}
	}
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", &VerifyError{ProblemHeaderMissing, name, fmt.Sprintf(
			"the request has no %q header: it was not sent by this sender, another contract is in use, or a proxy dropped the header", name)}
	case len(values) > 1:
		return "", &VerifyError{ProblemHeaderRepeated, name, fmt.Sprintf("the %q header stands %d times; one was sent", name, len(values))}
	case len(values[0]) > maxHeaderValue:
		return "", &VerifyError{ProblemHeaderTooLong, name, fmt.Sprintf(
			"the %q header has %d bytes; at most %d are read", name, len(values[0]), maxHeaderValue)}
	}
	return values[0], nil
}

// split takes the header's value apart into the timestamp, when it carries one, and the encoded
// signatures. Signatures with another prefix than the scheme's are passed over when the header is a
// list, because a sender may sign in several versions at once.
func (v *Verifier) split(value string) (timestamp string, signatures []string, problem *VerifyError) {
	wrong := &VerifyError{ProblemWrongPrefix, v.scheme.Header, fmt.Sprintf(
		"the %q header is not of the form %q: another contract or another version of the signature is in use", v.scheme.Header, v.scheme.Format)}
	rest := value
	if v.layout.timestamped {
		var found bool
		if rest, found = strings.CutPrefix(rest, v.layout.lead); !found {
			return "", nil, wrong
		}
		if timestamp, rest, found = strings.Cut(rest, v.layout.join); !found {
			return "", nil, wrong
		}
	} else {
		var found bool
		if rest, found = strings.CutPrefix(rest, v.layout.join); !found {
			return "", nil, wrong
		}
	}
	pieces := []string{rest}
	if v.layout.separator != "" {
		pieces = strings.SplitN(rest, v.layout.separator, maxCandidates+1)
	}
	if len(pieces) > maxCandidates {
		return "", nil, &VerifyError{ProblemHeaderTooLong, v.scheme.Header, fmt.Sprintf(
			"the %q header holds more than %d signatures", v.scheme.Header, maxCandidates)}
	}
	for _, piece := range pieces {
		piece, prefixed := strings.CutPrefix(piece, v.layout.prefix)
		piece, suffixed := strings.CutSuffix(piece, v.layout.suffix)
		if prefixed && suffixed {
			signatures = append(signatures, piece)
		}
	}
	if len(signatures) == 0 {
		return "", nil, wrong
	}
	return timestamp, signatures, nil
}

// checkTimestamp judges the timestamp of a scheme that signs one.
func (v *Verifier) checkTimestamp(text string, now time.Time) *VerifyError {
	if !v.scheme.signs(PartTimestamp) {
		return nil
	}
	name := v.scheme.TimestampHeader
	if name == "" {
		name = v.scheme.Header
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > 12 || !isDigit(text[0]) {
		hint := ""
		if err == nil && len(text) > 12 {
			hint = "; it looks like milliseconds"
		}
		return &VerifyError{ProblemTimestampNotInteger, name, fmt.Sprintf(
			"the timestamp in %q is not a whole number of seconds since 1970%s", name, hint)}
	}
	if v.scheme.Tolerance == 0 {
		return nil
	}
	age := now.Sub(time.Unix(seconds, 0))
	switch {
	case age > v.scheme.Tolerance:
		return &VerifyError{ProblemTimestampTooOld, name, fmt.Sprintf(
			"the timestamp is %s old and %s is allowed: the request was held up or is a replay, or this machine's clock is fast",
			age.Round(time.Second), v.scheme.Tolerance)}
	case age < -v.scheme.Tolerance:
		return &VerifyError{ProblemTimestampInFuture, name, fmt.Sprintf(
			"the timestamp is %s in the future and %s is allowed: this machine's clock is slow, or the sender's is fast",
			(-age).Round(time.Second), v.scheme.Tolerance)}
	}
	return nil
}

// decode turns the signatures into bytes. One that can be read is enough; when none can, the first
// one's fault is told.
func (v *Verifier) decode(signatures []string) ([][]byte, *VerifyError) {
	size := v.keys[0].size
	length := hex.EncodedLen(size)
	if v.scheme.Encoding == Base64 {
		length = base64.StdEncoding.EncodedLen(size)
	}
	var first *VerifyError
	candidates := make([][]byte, 0, len(signatures))
	for _, text := range signatures {
		decoded, problem := v.decodeOne(text, size, length)
		if problem == nil {
			candidates = append(candidates, decoded)
		} else if first == nil {
			first = problem
		}
	}
	if len(candidates) == 0 {
		return nil, first
	}
	return candidates, nil
}

func (v *Verifier) decodeOne(text string, size, length int) ([]byte, *VerifyError) {
	name := v.scheme.Header
	wrong := func(problem Problem, format string, args ...any) *VerifyError {
		return &VerifyError{problem, name, fmt.Sprintf(format, args...)}
	}
	if len(text) != length {
		return nil, wrong(ProblemWrongLength, "the signature in %q has %d characters; %s in %s has %d",
			name, len(text), v.scheme.Algorithm, v.scheme.Encoding, length)
	}
	if v.scheme.Encoding == Base64 {
		decoded, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(decoded) != size {
			return nil, wrong(ProblemWrongEncoding, "the signature in %q is not base64 (standard alphabet with padding)", name)
		}
		return decoded, nil
	}
	decoded, err := hex.DecodeString(text)
	if err != nil {
		return nil, wrong(ProblemWrongEncoding, "the signature in %q is not hex", name)
	}
	if strings.ToLower(text) != text {
		return nil, wrong(ProblemWrongEncoding, "the signature in %q is in upper-case hex; it is sent in lower case", name)
	}
	return decoded, nil
}

// match compares every candidate with every key's signature, and goes through all of them whatever
// it finds, so that the time tells nothing about which secret or which signature came close.
func (v *Verifier) match(candidates [][]byte, id, timestamp string, body []byte) bool {
	matched := 0
	var text []byte
	if v.scheme.Algorithm == Ed25519 {
		text = appendParts(nil, v.scheme.Over, id, []byte(timestamp), body)
	}
	for _, k := range v.keys {
		if v.scheme.Algorithm == Ed25519 {
			for _, candidate := range candidates {
				if ed25519.Verify(k.public, text, candidate) {
					matched = 1
				}
			}
			continue
		}
		st := k.take()
		k.sign(st, v.scheme.Over, id, []byte(timestamp), body)
		for _, candidate := range candidates {
			matched |= subtle.ConstantTimeCompare(st.sum, candidate)
		}
		k.give(st)
	}
	return matched == 1
}

func (v *Verifier) noMatch() *VerifyError {
	var causes strings.Builder
	causes.WriteString("the body was changed before verification (verify the bytes as received, before any JSON parsing), ")
	causes.WriteString("or the secret is another endpoint's or one that was rotated away")
	if v.scheme.Key != KeyUTF8 && v.scheme.Algorithm != Ed25519 {
		causes.WriteString(", or the secret lost its \"whsec_\" form on the way")
	}
	if len(v.scheme.Over) > 1 {
		causes.WriteString(", or a proxy changed the id or timestamp header")
	}
	return &VerifyError{ProblemNoMatch, v.scheme.Header, fmt.Sprintf(
		"no signature in %q matches: %s, or the request was not sent by this sender", v.scheme.Header, causes.String())}
}
