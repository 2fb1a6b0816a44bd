package postrider

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Secret holds a text that must not be shown: a signing secret, a key, a password. It prints as
// "[secret]" wherever it is formatted, marshalled or logged; Reveal is the only way out, so that
// every place that uses the text can be found by that name. Two Secrets of the same text are ==.
type Secret struct {
	// A handle and not a string: fmt calls no method of a value in somebody's unexported field, or
	// of one given to a verb such as %p. It prints the handle's address there, and not the text.
	text unique.Handle[string]
}

// NewSecret wraps text. The text is kept as it is: untrimmed, unnormalized (FACTS trap 19).
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

const hidden = "[secret]"

// Reveal gives the text itself.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether both hold the same text, in a time that tells nothing of it but its length.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the text.
func (s Secret) String() string { return hidden }

// Format hides the text from every verb of fmt: %d and %x would go past String.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalText hides the text from JSON, YAML and flags.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the text from JSON, YAML, flags and environment variables.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
