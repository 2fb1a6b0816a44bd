package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// KeySize is the size of a key, in bytes.
const KeySize = 32

// Bounds of a list of keys.
const (
	maxKeys     = 100
	maxIDLength = 32
)

// Key is one key of a ring with the id that values sealed by it name. The id is no secret.
type Key struct {
	ID     string
	secret postrider.Secret // KeySize bytes
}

// NewKey makes a key from its bytes. The error is of CodeInvalid and does not show them.
func NewKey(id string, secret []byte) (Key, error) {
	if !validID(id) {
		return Key{}, postrider.Errorf(postrider.CodeInvalid, "the id of an encryption key has 1 to %d letters, digits, \"-\", \"_\" and \".\"", maxIDLength)
	}
	if len(secret) != KeySize {
		return Key{}, postrider.Errorf(postrider.CodeInvalid, "the encryption key %q has %d bytes; it needs %d, in base64 (make one with: openssl rand -base64 32)", id, len(secret), KeySize)
	}
	return Key{id, postrider.NewSecret(string(secret))}, nil
}

// Generate makes a random key. Its id begins with the day.
func Generate(now time.Time) Key {
	var secret [KeySize]byte
	var tail [4]byte
	_, _ = rand.Read(secret[:]) // never fails (crypto/rand)
	_, _ = rand.Read(tail[:])
	return Key{now.UTC().Format("20060102") + "-" + hex.EncodeToString(tail[:]), postrider.NewSecret(string(secret[:]))}
}

// ParseKeys reads "id:base64" separated by commas or line breaks, the newest first. Lines that begin with
// "#" are passed over. The error is of CodeInvalid and shows no more of the text than ids.
func ParseKeys(text postrider.Secret) ([]Key, error) {
	var keys []Key
	for line := range strings.Lines(text.Reveal()) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			key, err := parseKey(part, len(keys)+1)
			if err != nil {
				return nil, err
			}
			if keys = append(keys, key); len(keys) > maxKeys {
				return nil, postrider.Errorf(postrider.CodeInvalid, "there are more than %d encryption keys; keep those that seal something", maxKeys)
			}
		}
	}
	if len(keys) == 0 {
		return nil, postrider.Errorf(postrider.CodeInvalid, "there is no encryption key; give id:base64, the base64 being that of %d random bytes", KeySize)
	}
	return keys, unique(keys)
}

func parseKey(part string, number int) (Key, error) {
	id, encoded, found := strings.Cut(part, ":")
	if !found || !validID(id) {
		return Key{}, postrider.Errorf(postrider.CodeInvalid, "encryption key %d is not of the form id:base64, where the id has 1 to %d letters, digits, \"-\", \"_\" and \".\"", number, maxIDLength)
	}
	// Both alphabets, with padding or without: what a person's tool printed is taken.
	encoded = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(encoded, "="))
	secret, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return Key{}, postrider.Errorf(postrider.CodeInvalid, "the encryption key %q is not base64", id)
	}
	return NewKey(id, secret)
}

func unique(keys []Key) error {
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if seen[key.ID] {
			return postrider.Errorf(postrider.CodeInvalid, "there are two encryption keys with the id %q", key.ID)
		}
		seen[key.ID] = true
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > maxIDLength {
		return false
	}
	for _, r := range []byte(id) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		default:
			return false
		}
	}
	return true
}

// text writes a key as parseKey reads it.
func (k Key) text() string {
	return k.ID + ":" + base64.StdEncoding.EncodeToString([]byte(k.secret.Reveal()))
}
