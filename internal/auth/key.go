package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"

	"github.com/postrider/postrider"
)

// The prefixes of generated keys. They let a person, and a scanner for leaked secrets, tell what the
// text is; authentication does not look at them.
const (
	LivePrefix = "pr_live_"
	TestPrefix = "pr_test_"
)

// MaxKeyLength bounds the text of a key, in bytes. MinOperatorKeyLength is the shortest text that an
// operator may choose as key.
const (
	MaxKeyLength         = 256
	MinOperatorKeyLength = 16
)

const keyBytes = 32 // 256 random bits

// GenerateKey makes the text of a key for the environment, with 256 bits from crypto/rand, and the
// hash under which it is stored.
func GenerateKey(environment postrider.Environment) (text postrider.Secret, hash [32]byte) {
	var random [keyBytes]byte
	// crypto/rand.Read never fails: it ends the program instead (crypto/rand documentation).
	_, _ = rand.Read(random[:])
	prefix := LivePrefix
	if environment == postrider.Sandbox {
		prefix = TestPrefix
	}
	encoding := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	text = postrider.NewSecret(prefix + encoding.EncodeToString(random[:]))
	return text, HashKey(text.Reveal())
}

// HashKey gives the hash under which a key is stored: SHA-256 of its text. A slow hash would add
// nothing, because the text has 256 random bits.
func HashKey(text string) [32]byte {
	if len(text) > MaxKeyLength {
		return sha256.Sum256([]byte(text))
	}
	var buffer [MaxKeyLength]byte // on the stack: hashing costs no allocation
	n := copy(buffer[:], text)
	return sha256.Sum256(buffer[:n])
}
