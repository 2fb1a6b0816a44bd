package contract

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// AppendECMAScript appends to dst what JavaScript's JSON.stringify(JSON.parse(json)) gives, as UTF-8:
// the form that a receiver which hashes a re-serialized body can verify (000.18; FACTS 1.2 has its
// twelve points, ECMA-262 sections 25.5.1 and 25.5.2 the rules). The result is a fixed point: appending
// it again gives the same bytes. The json must be one JSON text nested at most jsonscan.MaxDepth levels; the error,
// of code postrider.CodeInvalid, says at which byte it is not, and dst then comes back as it was.
//
// The form is less than six times as long as the text ("1e20" has 21 digits), and a text that is in the
// form already costs one scan and one copy: bytes.Equal on the two tells cheaply. dst and json must not overlap.
func AppendECMAScript(dst, json []byte) ([]byte, error) {
	if err := jsonscan.Valid(json, jsonscan.MaxDepth); err != nil {
		return dst, postrider.Errorf(postrider.CodeInvalid, "not acceptable JSON: %w", err)
	}
	w := ecmaWriter{in: json, out: slices.Grow(dst, len(json)), seed: maphash.MakeSeed()}
	w.members = make([]member, 0, few) // enough for an ordinary body, and then the only allocation
	w.copyTo(w.value(w.space(0)))
	if len(w.moved) > 0 {
		return w.reordered(len(dst)), nil
	}
	return w.out, nil
}

// ecmaWriter rewrites one text that is known to be valid, in one pass and one copy: what is already as
// ECMAScript writes it waits as a run of the input, in[done:], and is copied when the run breaks.
// Objects are written in the order of the text; those whose members must move are noted, and one
// further pass at the end puts all of them right, so that nesting does not multiply the copying.
type ecmaWriter struct {
	in   []byte
	out  []byte
	done int // in[:done] is in out or dropped

	members []member // of the objects that are open, the innermost last
	seed    maphash.Seed
	slots   []int32 // see mergeMany
	moved   []movedObject
	order   []member // the members of moved objects as they must stand
}

// at gives the offset that in[i] has, or will have, in out.
func (w *ecmaWriter) at(i int) int { return len(w.out) + i - w.done }

// copyTo ends the waiting run before in[i].
func (w *ecmaWriter) copyTo(i int) {
	w.out = append(w.out, w.in[w.done:i]...)
	w.done = i
}

// space drops the whitespace at i, and gives where it ends.
func (w *ecmaWriter) space(i int) int {
	if i >= len(w.in) || w.in[i] > ' ' {
		return i
	}
	w.copyTo(i)
	for i < len(w.in) && w.in[i] <= ' ' {
		i++
	}
	w.done = i
	return i
}

// value passes the value at i and gives where it ends. The recursion is bounded by jsonscan.MaxDepth.
func (w *ecmaWriter) value(i int) int {
	switch w.in[i] {
	case '"':
		return w.string(i)
	case '{':
		return w.object(i)
	case '[':
		return w.array(i)
	case 't', 'n':
		return i + len("true")
	case 'f':
		return i + len("false")
	}
	return w.number(i)
}

func (w *ecmaWriter) array(i int) int {
	if i = w.space(i + 1); w.in[i] == ']' {
		return i + 1
	}
	for {
		if i = w.space(w.value(i)); w.in[i] == ']' {
			return i + 1
		}
		i = w.space(i + 1)
	}
}

// string passes the string at i.
func (w *ecmaWriter) string(i int) int {
	in := w.in
	for i++; ; {
		for i+8 <= len(in) {
			if found := quoteOrBackslash(binary.LittleEndian.Uint64(in[i:])); found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		for in[i] != '"' && in[i] != '\\' {
			i++
		}
		if in[i] == '"' {
			return i + 1
		}
		i = w.escape(i)
	}
}

// quoteOrBackslash has the top bit set in the lowest byte of eight that is one of the two; bits above
// that one mean nothing.
func quoteOrBackslash(eight uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote := eight ^ '"'*ones
	backslash := eight ^ '\\'*ones
	return ((quote-ones)&^quote | (backslash-ones)&^backslash) & tops
}

// escape passes the escape whose backslash is at i. The short escapes are as ECMAScript writes them,
// but for the slash, which needs none; every \u is written anew (QuoteJSONString, ECMA-262 25.5.2.2).
func (w *ecmaWriter) escape(i int) int {
	switch w.in[i+1] {
	case '/':
		w.copyTo(i)
		w.done = i + 1
		return i + 2
	case 'u':
	default:
		return i + 2
	}
	w.copyTo(i)
	r := hexRune(w.in[i+2:])
	i += 6
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if w.in[i] == '\\' && w.in[i+1] == 'u' {
			pair = utf16.DecodeRune(r, hexRune(w.in[i+2:]))
		}
		if pair == utf8.RuneError { // half a pair stays an escape
			w.out = append(w.out, '\\', 'u', 'd', hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			w.done = i
			return i
		}
		r = pair
		i += 6
	}
	w.out = appendRune(w.out, r)
	w.done = i
	return i
}

const hexDigits = "0123456789abcdef"

// hexRune reads four hex digits.
func hexRune(digits []byte) rune {
	r := rune(0)
	for _, c := range digits[:4] {
		if c > '9' {
			c += 9 // 'A' and 'a' have 1 in their low bits
		}
		r = r<<4 | rune(c&15)
	}
	return r
}

// appendRune appends a code point of a string, escaped where ECMAScript must.
func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\f':
		return append(dst, `\f`...)
	case '\r':
		return append(dst, `\r`...)
	}
	if r < ' ' {
		return append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}
