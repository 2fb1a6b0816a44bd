// Package jsonscan reads JSON texts strictly, where they lie: RFC 8259 to the letter, UTF-8 checked,
// nesting bounded, nothing decoded that nobody asked for, and nothing allocated on the way.
//
// Valid checks a whole text. Members and Elements check it too and hand out the members of an object
// or the elements of an array as slices of the text, so that a surface can pick the fields it knows
// and keep the rest byte for byte. Unquote and AppendQuoted turn a single string token into text and back.
//
// What is stricter than in other readers: bytes that are not UTF-8 and a byte order mark are faults,
// and so is nesting deeper than the caller allows. What is as lenient as RFC 8259: keys may repeat
// (section 4; the caller decides), numbers have no limit of size or precision (section 6), and an
// escape may name half of a surrogate pair (section 8.2).
package jsonscan

import (
	"bytes"
	"fmt"
)

// The deepest nesting of whole texts, in levels: "[]" has one, "[{}]" two.
const (
	// MaxDepth leaves room for a value of 1,000 levels inside an event inside an array of events.
	MaxDepth = 1002
	// EventDepth leaves room for a value of 1,000 levels inside the body that publishes it or the
	// envelope that delivers it.
	EventDepth = MaxDepth - 1
)

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset  int    // bytes of the text before the fault
	Message string // in plain words, fit for the publisher: "expected a comma or }"
}

// Error gives "at byte 17: expected a comma or }".
func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Message) }

// The faults. A scanning function returns where it stopped and one of these, "" when all was well.
const (
	faultByteOrderMark = "begins with a byte order mark; send UTF-8 without one"
	faultEmpty         = "the text is empty where a JSON value should be"
	faultNoValue       = "expected a value"
	faultNoObject      = "expected an object, which begins with {"
	faultNoArray       = "expected an array, which begins with ["
	faultNoKey         = "expected a key in double quotes"
	faultNoColon       = "expected a colon after the key"
	faultInObject      = "expected a comma or }"
	faultInArray       = "expected a comma or ]"
	faultUnclosed      = "the text ends before all that was opened is closed"
	faultTrailing      = "expected the end of the text after the value"
	faultTooDeep       = "nested too deeply"
	faultNoString      = "expected a string in double quotes"
	faultOpenString    = "the text ends inside a string"
	faultControl       = "a control character in a string must be written as an escape, such as \\n or \\u0000"
	faultNotUTF8       = "not valid UTF-8"
	faultEscape        = "unknown escape; JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hex digits"
	faultHex           = "\\u needs four hex digits"
	faultLone          = "half of a surrogate pair stands alone; it is no character"
	faultDigit         = "expected a digit"
	faultLeadingZero   = "a number must not begin with 0 before other digits"
)

// Valid reports nil when text is exactly one JSON value, with whitespace around it or without, nested
// at most maxDepth levels (MaxDepth when maxDepth is more); else a *SyntaxError.
func Valid(text []byte, maxDepth int) error {
	maxDepth = min(maxDepth, MaxDepth)
	i, fault := scanStart(text)
	if fault == "" {
		i, fault = scanValue(text, i, maxDepth)
	}
	return finish(text, i, fault, maxDepth)
}

// Members calls visit for every member of the object that text is, in the order of the text and
// duplicates included. key is the name without quotes and escapes (half of a surrogate pair appears
// in it as the three bytes that UTF-8 would use, which no valid name holds); value is the bytes of
// the value as they stand in text, without the whitespace around them. Both may be kept as long as text.
//
// The text is checked as by Valid, the object itself being the first level, but piece by piece:
// visit sees the members before a fault. The error is visit's own, which ends the scan, or a *SyntaxError.
func Members(text []byte, maxDepth int, visit func(key, value []byte) error) error {
	maxDepth = min(maxDepth, MaxDepth)
	i, fault := scanOpening(text, '{', maxDepth, faultNoObject)
	if fault == "" && i < len(text) && text[i] == '}' {
		return finish(text, i+1, "", maxDepth)
	}
	for fault == "" {
		keyStart := i
		var keyEnd int
		if i, keyEnd, fault = scanKey(text, i); fault != "" {
			break
		}
		valueStart := i
		if i, fault = scanValue(text, i, maxDepth-1); fault != "" {
			break
		}
		if err := visit(unescapedKey(text[keyStart+1:keyEnd-1]), text[valueStart:i]); err != nil {
			return err
		}
		var more bool
		if i, more, fault = scanSeparator(text, i, '}', faultInObject); !more {
			break
		}
	}
	return finish(text, i, fault, maxDepth)
}

// Elements calls visit for every element of the array that text is, in order: index counts from 0,
// value is as for Members, and so is the error.
func Elements(text []byte, maxDepth int, visit func(index int, value []byte) error) error {
	maxDepth = min(maxDepth, MaxDepth)
	i, fault := scanOpening(text, '[', maxDepth, faultNoArray)
	if fault == "" && i < len(text) && text[i] == ']' {
		return finish(text, i+1, "", maxDepth)
	}
	for index := 0; fault == ""; index++ {
		start := i
		if i, fault = scanValue(text, i, maxDepth-1); fault != "" {
			break
		}
		if err := visit(index, text[start:i]); err != nil {
			return err
		}
		var more bool
		if i, more, fault = scanSeparator(text, i, ']', faultInArray); !more {
			break
		}
	}
	return finish(text, i, fault, maxDepth)
}

// finish checks what follows the value that ended at i, and makes the error of a fault found at i.
func finish(text []byte, i int, fault string, maxDepth int) error {
	if fault == "" {
		if i = skipSpace(text, i); i == len(text) {
			return nil
		}
		fault = faultTrailing
	}
	if fault == faultTooDeep {
		fault = fmt.Sprintf("nested deeper than %d levels", max(maxDepth, 0))
	}
	return &SyntaxError{Offset: i, Message: fault}
}

// scanStart finds where the value of a whole text begins.
func scanStart(text []byte) (int, string) {
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return 0, faultByteOrderMark
	}
	i := skipSpace(text, 0)
	if i == len(text) {
		return i, faultEmpty
	}
	return i, ""
}

// scanOpening passes the bracket that opens a whole text, and the whitespace after it.
func scanOpening(text []byte, bracket byte, room int, otherwise string) (int, string) {
	i, fault := scanStart(text)
	switch {
	case fault != "":
		return i, fault
	case text[i] != bracket:
		return i, otherwise
	case room < 1:
		return i, faultTooDeep
	}
	return skipSpace(text, i+1), ""
}

// scanSeparator passes what follows a member or an element: a comma with the whitespace around it,
// when there is more, or the closing bracket.
func scanSeparator(text []byte, i int, closing byte, otherwise string) (next int, more bool, fault string) {
	i = skipSpace(text, i)
	switch {
	case i >= len(text):
		return i, false, faultUnclosed
	case text[i] == ',':
		return skipSpace(text, i+1), true, ""
	case text[i] == closing:
		return i + 1, false, ""
	}
	return i, false, otherwise
}

// scanKey passes the key at i, the colon and the whitespace around it. next is where the value
// begins, end the byte after the key's closing quote.
func scanKey(text []byte, i int) (next, end int, fault string) {
	if i >= len(text) {
		return i, i, faultUnclosed
	}
	if text[i] != '"' {
		return i, i, faultNoKey
	}
	if end, fault = scanString(text, i); fault != "" {
		return end, end, fault
	}
	i = end
	if i < len(text) && text[i] != ':' {
		i = skipSpace(text, i)
	}
	if i >= len(text) {
		return i, end, faultUnclosed
	}
	if text[i] != ':' {
		return i, end, faultNoColon
	}
	return skipSpace(text, i+1), end, ""
}

// scanValue passes the value that begins at i and may nest room levels.
func scanValue(text []byte, i, room int) (int, string) {
	if i < len(text) && (text[i] == '{' || text[i] == '[') {
		return scanContainer(text, i, room)
	}
	return scanScalar(text, i)
}

// nesting remembers which of the open levels are objects, a bit a level, so that the depth of a
// hostile text costs no stack.
type nesting struct {
	depth   int
	objects [(MaxDepth + 63) / 64]uint64
}

func (n *nesting) enter(object bool) {
	word, bit := n.depth/64, uint64(1)<<(n.depth%64)
	if object {
		n.objects[word] |= bit
	} else {
		n.objects[word] &^= bit
	}
	n.depth++
}

func (n *nesting) inObject() bool {
	level := n.depth - 1
	return n.objects[level/64]>>(level%64)&1 == 1
}

// scanContainer passes the object or array at i and all that is in it.
func scanContainer(text []byte, i, room int) (int, string) {
	var open nesting
	var fault string
	for {
		// A value begins at i.
		opens := i < len(text) && (text[i] == '{' || text[i] == '[')
		if !opens {
			if i, fault = scanScalar(text, i); fault != "" {
				return i, fault
			}
		} else {
			if open.depth >= room {
				return i, faultTooDeep
			}
			object := text[i] == '{'
			open.enter(object)
			i = skipSpace(text, i+1)
			if i >= len(text) || text[i] != '}' && text[i] != ']' {
				if object {
					if i, _, fault = scanKey(text, i); fault != "" {
						return i, fault
					}
				}
				continue
			}
			if (text[i] == '}') != object {
				if object {
					return i, faultNoKey
				}
				return i, faultNoValue
			}
			open.depth--
			i++
		}
		// A value ended before i: close what ends with it, up to the next comma.
		for more := false; !more; {
			if open.depth == 0 {
				return i, ""
			}
			object := open.inObject()
			closing, otherwise := byte(']'), faultInArray
			if object {
				closing, otherwise = '}', faultInObject
			}
			if i, more, fault = scanSeparator(text, i, closing, otherwise); fault != "" {
				return i, fault
			}
			if !more {
				open.depth--
			} else if object {
				if i, _, fault = scanKey(text, i); fault != "" {
					return i, fault
				}
			}
		}
	}
}

// scanScalar passes the string, number or literal at i.
func scanScalar(text []byte, i int) (int, string) {
	if i >= len(text) {
		return i, faultUnclosed
	}
	literal := ""
	switch c := text[i]; c {
	case '"':
		return scanString(text, i)
	case 't':
		literal = "true"
	case 'f':
		literal = "false"
	case 'n':
		literal = "null"
	default:
		if c == '-' || isDigit(c) {
			return scanNumber(text, i)
		}
		return i, faultNoValue
	}
	if len(text)-i < len(literal) || string(text[i:i+len(literal)]) != literal {
		return i, faultNoValue
	}
	return i + len(literal), ""
}

// scanNumber passes the number at i, which begins with a digit or a minus.
func scanNumber(text []byte, i int) (int, string) {
	if text[i] == '-' {
		i++
	}
	first := i
	if i = skipDigits(text, i); i == first {
		return i, faultDigit
	}
	if text[first] == '0' && i > first+1 {
		return first, faultLeadingZero
	}
	if i < len(text) && text[i] == '.' {
		first = i + 1
		if i = skipDigits(text, first); i == first {
			return i, faultDigit
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		first = i
		if i = skipDigits(text, first); i == first {
			return i, faultDigit
		}
	}
	return i, ""
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func skipDigits(text []byte, i int) int {
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	return i
}

// skipSpace passes whitespace. Most texts have none, so the first look is kept small enough to inline.
func skipSpace(text []byte, i int) int {
	if i >= len(text) || text[i] > ' ' {
		return i
	}
	return skipSpaces(text, i)
}

func skipSpaces(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}
