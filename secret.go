package postrider

import "log/slog"

// Secret holds a text that must not be shown: a signing secret, a key, a password. It prints as
// "[secret]" wherever it is formatted, marshalled or logged; Reveal is the only way out, so that
// every place that uses the text can be found by that name.
type Secret struct{ text string }

// NewSecret wraps text. The text is kept as it is: untrimmed, unnormalized (FACTS trap 19).
func NewSecret(text string) Secret { return Secret{text} }

const hidden = "[secret]"

// Reveal gives the text itself.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// String hides the text.
func (s Secret) String() string { return hidden }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return hidden }

// MarshalText hides the text from JSON, YAML and flags.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the text from JSON, YAML, flags and environment variables.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
