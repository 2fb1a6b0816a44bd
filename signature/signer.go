package signature

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider"
)

// Signer writes the signature header of requests. It is prepared once for a set of secrets and is
// safe for concurrent use.
type Signer struct {
	layout layout
	over   []Part
	hex    bool
	keys   []*key
}

// NewSigner prepares a Signer. The secrets in force are given newest first; a scheme without a
// Separator signs with the first alone. An error is of CodeInvalid and shows no secret.
func NewSigner(s Scheme, secrets []postrider.Secret) (*Signer, error) {
	keys, err := newKeys(s, secrets, false)
	if err != nil {
		return nil, err
	}
	l, _ := parseLayout(s.Format, s.Separator) // newKeys has validated the scheme
	if s.Separator == "" {
		keys = keys[:1]
	}
	return &Signer{layout: l, over: append([]Part(nil), s.Over...), hex: s.Encoding == Hex, keys: keys}, nil
}

func newKeys(s Scheme, secrets []postrider.Secret, verifying bool) ([]*key, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("signature scheme: %w", err)
	}
	if len(secrets) == 0 || len(secrets) > MaxSecrets {
		return nil, postrider.Errorf(postrider.CodeInvalid, "a signature needs 1 to %d secrets; there are %d", MaxSecrets, len(secrets))
	}
	keys := make([]*key, 0, len(secrets))
	for _, secret := range secrets {
		k, err := newKey(s, secret, verifying)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// AppendHeader appends the value of the scheme's header for one request and returns the extended
// slice. The id is used only when the scheme signs it, the timestamp (cut to whole seconds) only
// when the scheme signs that; body is the very bytes that are sent.
func (s *Signer) AppendHeader(dst []byte, id string, timestamp time.Time, body []byte) []byte {
	var digits [20]byte
	seconds := strconv.AppendInt(digits[:0], timestamp.Unix(), 10)
	if s.layout.timestamped {
		dst = append(dst, s.layout.lead...)
		dst = append(dst, seconds...)
	}
	dst = append(dst, s.layout.join...)
	for i, k := range s.keys {
		if i > 0 {
			dst = append(dst, s.layout.separator...)
		}
		dst = append(dst, s.layout.prefix...)
		st := k.take()
		k.sign(st, s.over, id, seconds, body)
		if s.hex {
			dst = hex.AppendEncode(dst, st.sum)
		} else {
			dst = base64.StdEncoding.AppendEncode(dst, st.sum)
		}
		k.give(st)
		dst = append(dst, s.layout.suffix...)
	}
	return dst
}
