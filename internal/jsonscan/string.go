package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote gives the text of a string token, quotes included. The error is a *SyntaxError: the token
// is not one JSON string, or holds half of a surrogate pair (RFC 8259, section 8.2), which is no text.
func Unquote(token []byte) (string, error) {
	if len(token) == 0 || token[0] != '"' {
		return "", &SyntaxError{Offset: 0, Message: faultNoString}
	}
	end, fault := scanString(token, 0)
	if fault == "" && end != len(token) {
		fault = faultTrailing
	}
	if fault != "" {
		return "", &SyntaxError{Offset: end, Message: fault}
	}
	inside := token[1 : end-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return string(inside), nil
	}
	text, lone := appendUnescaped(make([]byte, 0, len(inside)), inside)
	if lone >= 0 {
		return "", &SyntaxError{Offset: 1 + lone, Message: faultLone}
	}
	return string(text), nil
}

// AppendQuoted appends s as a JSON string, the way ECMAScript's JSON.stringify writes it: only the
// quote, the backslash and U+0000 to U+001F are escaped, with lower-case hex digits. Half of a
// surrogate pair, as Members shows it in a key, becomes an escape again; any other byte that is not
// UTF-8 becomes U+FFFD.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for done := 0; done < len(s); {
		i := done
		for i < len(s) && plain[s[i]] {
			i++
		}
		dst = append(dst, s[done:i]...)
		if i == len(s) {
			break
		}
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendEscape(dst, c)
			done = i + 1
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r != utf8.RuneError || size > 1:
			dst = append(dst, s[i:i+size]...)
		case i+2 < len(s) && s[i] == 0xed && s[i+1]&0xe0 == 0xa0 && s[i+2]&0xc0 == 0x80:
			dst = append(dst, '\\', 'u', 'd', hexDigits[8|s[i+1]>>2&7], hexDigits[s[i+1]&3<<2|s[i+2]>>4&3], hexDigits[s[i+2]&15])
			size = 3
		default:
			dst = append(dst, "\ufffd"...)
		}
		done = i + size
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscape appends the escape of a quote, a backslash or a control character.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// plain marks the ASCII bytes that stand in a string for themselves.
var plain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// scanString passes the string whose opening quote is at i.
func scanString(text []byte, i int) (int, string) {
	i++
	for {
		// Eight bytes at a time while all are plain ASCII, then to the byte that is not.
		for i+8 <= len(text) {
			if found := notPlain(binary.LittleEndian.Uint64(text[i:])); found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		for i < len(text) && plain[text[i]] {
			i++
		}
		if i >= len(text) {
			return i, faultOpenString
		}
		switch c := text[i]; {
		case c == '"':
			return i + 1, ""
		case c == '\\':
			size, fault := scanEscape(text, i)
			if fault != "" {
				return i, fault
			}
			i += size
		case c < ' ':
			return i, faultControl
		default:
			for i < len(text) && text[i] >= utf8.RuneSelf {
				r, size := utf8.DecodeRune(text[i:])
				if r == utf8.RuneError && size == 1 {
					return i, faultNotUTF8
				}
				i += size
			}
		}
	}
}

// notPlain has the top bit set in the lowest byte of eight that is a quote, a backslash, a control
// character or not ASCII; bits above that one mean nothing. A subtraction borrows from the byte
// above only where it has found something, so the lowest is exact.
func notPlain(eight uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote := eight ^ '"'*ones
	backslash := eight ^ '\\'*ones
	return ((eight-' '*ones)&^eight | (quote-ones)&^quote | (backslash-ones)&^backslash | eight) & tops
}

// scanEscape gives the size of the escape whose backslash is at i.
func scanEscape(text []byte, i int) (int, string) {
	if i+1 >= len(text) {
		return 0, faultOpenString
	}
	switch text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
		if hexValue(text, i+2) < 0 {
			return 0, faultHex
		}
		return 6, ""
	}
	return 0, faultEscape
}

// hexValue gives the value of the four hex digits at i, -1 when they are not.
func hexValue(text []byte, i int) rune {
	if i+4 > len(text) {
		return -1
	}
	value := rune(0)
	for _, c := range text[i : i+4] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		value = value<<4 | rune(c)
	}
	return value
}

// unescapedKey gives a key's name from the bytes between its quotes: those bytes themselves when
// they hold no escape.
func unescapedKey(inside []byte) []byte {
	if bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	name, _ := appendUnescaped(make([]byte, 0, len(inside)), inside)
	return name
}

// appendUnescaped appends the text of a string token that scanString has passed, given without its
// quotes. Half of a surrogate pair becomes the three bytes that UTF-8 would use for it; lone is the
// offset of the first, -1 without any.
func appendUnescaped(dst, inside []byte) (text []byte, lone int) {
	lone = -1
	for i := 0; i < len(inside); {
		if inside[i] != '\\' {
			run := bytes.IndexByte(inside[i:], '\\')
			if run < 0 {
				run = len(inside) - i
			}
			dst = append(dst, inside[i:i+run]...)
			i += run
			continue
		}
		switch c := inside[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexValue(inside, i+2)
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+3 < len(inside) && inside[i+2] == '\\' && inside[i+3] == 'u' {
					pair = utf16.DecodeRune(r, hexValue(inside, i+4))
				}
				if pair == utf8.RuneError {
					if lone < 0 {
						lone = i - 4
					}
					dst = append(dst, 0xed, 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
					break
				}
				r = pair
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default: // the quote, the backslash, the slash
			dst = append(dst, c)
		}
		i += 2
	}
	return dst, lone
}
