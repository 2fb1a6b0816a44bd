package postrider

import "strings"

// Topic is the dotted name of what happened, such as "inventory.cycle_count": "event type" in seed
// 004, "group + action" in seed 002. In a subscription it may be a pattern, see Matches.
type Topic string

// MaxTopicLength bounds a topic, in bytes.
const MaxTopicLength = 128

// Validate reports whether t can be published: segments of letters, digits, "_" and "-",
// separated by dots. The error is of CodeInvalid.
func (t Topic) Validate() error { return t.validate(false) }

// ValidatePattern reports whether t can be subscribed to: as Validate, and a whole segment may be "*".
func (t Topic) ValidatePattern() error { return t.validate(true) }

func (t Topic) validate(pattern bool) error {
	if t == "" {
		return Errorf(CodeInvalid, "a topic cannot be empty")
	}
	if len(t) > MaxTopicLength {
		return Errorf(CodeInvalid, "a topic has at most %d bytes; this one has %d", MaxTopicLength, len(t))
	}
	start := 0
	for i := 0; i <= len(t); i++ {
		if i < len(t) && t[i] != '.' {
			if !isTopicByte(t[i]) && !(pattern && t[i] == '*') {
				return Errorf(CodeInvalid, "topic %q: use letters, digits, \"_\" and \"-\" in segments separated by dots", string(t))
			}
			continue
		}
		segment := t[start:i]
		if segment == "" {
			return Errorf(CodeInvalid, "topic %q has an empty segment", string(t))
		}
		if len(segment) > 1 && strings.Contains(string(segment), "*") {
			return Errorf(CodeInvalid, "topic %q: \"*\" stands for a whole segment, as in \"order.*\"", string(t))
		}
		start = i + 1
	}
	return nil
}

func isTopicByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// IsPattern reports whether t has a wildcard.
func (t Topic) IsPattern() bool { return strings.Contains(string(t), "*") }

// Matches reports whether the pattern t takes in topic. A segment "*" stands for exactly one
// segment; the pattern "*" alone takes in every topic.
func (t Topic) Matches(topic Topic) bool {
	if t == "*" || t == topic {
		return true
	}
	if !t.IsPattern() {
		return false
	}
	pattern, name := string(t), string(topic)
	for {
		p, patternRest, patternMore := strings.Cut(pattern, ".")
		n, nameRest, nameMore := strings.Cut(name, ".")
		if p != "*" && p != n || patternMore != nameMore {
			return false
		}
		if !patternMore {
			return true
		}
		pattern, name = patternRest, nameRest
	}
}
