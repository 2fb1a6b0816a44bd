package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"
	"sync"

	"github.com/postrider/postrider"
)

const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// key makes and checks raw signatures with one secret. It is safe for concurrent use.
type key struct {
	size    int       // bytes of a signature
	states  sync.Pool // of *state; an HMAC is keyed once and then only reset, which saves hashing the key again
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// state is what one signature needs while it is made.
type state struct {
	hash hash.Hash // keyed; nil for ed25519
	text []byte    // what is signed, or the part of it before the body
	sum  []byte
}

// newKey reads secret in the scheme's key form. A verifier's key may be public only.
func newKey(s Scheme, secret postrider.Secret, verifying bool) (*key, error) {
	if len(secret.Reveal()) > MaxSecretLength {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the secret has %d bytes; the limit is %d", len(secret.Reveal()), MaxSecretLength)
	}
	k := &key{}
	if s.Algorithm == Ed25519 {
		return k, k.readEd25519(secret.Reveal(), verifying)
	}
	secretBytes, err := DecodeKey(s.Key, secret)
	if err != nil {
		return nil, err
	}
	var algorithm func() hash.Hash
	switch s.Algorithm {
	case HMACSHA512:
		algorithm, k.size = sha512.New, sha512.Size
	case HMACSHA1:
		algorithm, k.size = sha1.New, sha1.Size
	default:
		algorithm, k.size = sha256.New, sha256.Size
	}
	k.states.New = func() any {
		return &state{hash: hmac.New(algorithm, secretBytes), sum: make([]byte, 0, sha512.Size)}
	}
	return k, nil
}

// DecodeKey gives the bytes that sign for a secret in a key form other than Ed25519's. The error is
// of CodeInvalid and shows nothing of the secret.
func DecodeKey(form KeyForm, secret postrider.Secret) ([]byte, error) {
	text := secret.Reveal()
	if text == "" {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the secret is empty")
	}
	if form == KeyUTF8 {
		return []byte(text), nil
	}
	encoded, prefixed := strings.CutPrefix(text, secretPrefix)
	decoded, ok := decodeBase64(encoded)
	switch {
	case ok && (prefixed || form == KeyWhsec):
		return decoded, nil
	case form == KeyWhsecOrUTF8:
		return []byte(text), nil
	}
	return nil, postrider.Errorf(postrider.CodeInvalid,
		"the secret is not of the form \"whsec_\" and base64 (standard alphabet), which this scheme needs")
}

// decodeBase64 takes the standard alphabet, with padding or without it. Stray bits at the end are
// passed over, as the libraries of Standard Webhooks do: both sides must come to the same key. An
// empty key is no key.
func decodeBase64(text string) ([]byte, bool) {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(decoded) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	if padding := len(text) - len(strings.TrimRight(text, "=")); padding > 0 && len(text)%4 != 0 {
		return nil, false
	}
	return decoded, true
}

// readEd25519 takes "whsk_" with 32 bytes of seed or 64 of seed and public key, and for a verifier
// also "whpk_" with 32. Without a prefix 64 bytes are private, and 32 are what the caller needs: a
// seed to sign with, a public key to verify with.
func (k *key) readEd25519(text string, verifying bool) error {
	k.size = ed25519.SignatureSize
	encoded, private := strings.CutPrefix(text, privatePrefix)
	encoded, public := strings.CutPrefix(encoded, publicPrefix)
	decoded, ok := decodeBase64(encoded)
	switch {
	case !ok || private && public:
		return postrider.Errorf(postrider.CodeInvalid, "the key is not of the form \"whsk_\" (private) or \"whpk_\" (public) and base64")
	case public && !verifying:
		return postrider.Errorf(postrider.CodeInvalid, "this is the public key (\"whpk_\"); signing needs the private one (\"whsk_\")")
	case len(decoded) == ed25519.PublicKeySize && verifying && !private:
		k.public = decoded
		return nil
	case len(decoded) == ed25519.SeedSize && !public:
		k.private = ed25519.NewKeyFromSeed(decoded)
	case len(decoded) == ed25519.PrivateKeySize && !public:
		k.private = ed25519.NewKeyFromSeed(decoded[:ed25519.SeedSize])
		if !bytes.Equal(k.private, decoded) {
			return postrider.Errorf(postrider.CodeInvalid, "the private key's two halves do not belong together")
		}
	default:
		return postrider.Errorf(postrider.CodeInvalid, "the key has %d bytes; an ed25519 private key has 32 or 64, a public one 32", len(decoded))
	}
	k.public = k.private.Public().(ed25519.PublicKey)
	k.states.New = func() any { return &state{sum: make([]byte, 0, ed25519.SignatureSize)} }
	return nil
}

// PublicKey gives the text ("whpk_…") that receivers of an ed25519 scheme verify with, for a private
// key ("whsk_…"). The error is of CodeInvalid.
func PublicKey(private postrider.Secret) (string, error) {
	k := &key{}
	if err := k.readEd25519(private.Reveal(), false); err != nil {
		return "", err
	}
	return publicPrefix + base64.StdEncoding.EncodeToString(k.public), nil
}

// take gives a state for one signature; give hands it back.
func (k *key) take() *state { return k.states.Get().(*state) }

func (k *key) give(st *state) {
	const keep = 64 << 10 // a rare huge ed25519 text should not stay for ever
	if cap(st.text) > keep {
		st.text = nil
	}
	k.states.Put(st)
}

// sign puts the raw signature of the parts into st.sum.
func (k *key) sign(st *state, over []Part, id string, timestamp, body []byte) {
	if st.hash == nil {
		st.text = appendParts(st.text[:0], over, id, timestamp, body)
		st.sum = append(st.sum[:0], ed25519.Sign(k.private, st.text)...)
		return
	}
	st.hash.Reset()
	st.text = st.text[:0]
	for i, part := range over {
		if i > 0 {
			st.text = append(st.text, '.')
		}
		switch part {
		case PartID:
			st.text = append(st.text, id...)
		case PartTimestamp:
			st.text = append(st.text, timestamp...)
		default: // the body goes into the hash uncopied
			if len(st.text) > 0 {
				st.hash.Write(st.text)
				st.text = st.text[:0]
			}
			st.hash.Write(body)
		}
	}
	if len(st.text) > 0 {
		st.hash.Write(st.text)
	}
	st.sum = st.hash.Sum(st.sum[:0])
}

// appendParts appends what is signed as one text.
func appendParts(dst []byte, over []Part, id string, timestamp, body []byte) []byte {
	for i, part := range over {
		if i > 0 {
			dst = append(dst, '.')
		}
		switch part {
		case PartID:
			dst = append(dst, id...)
		case PartTimestamp:
			dst = append(dst, timestamp...)
		default:
			dst = append(dst, body...)
		}
	}
	return dst
}
