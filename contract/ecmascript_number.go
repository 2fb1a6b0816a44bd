package contract

import (
	"math"
	"strconv"
)

// number passes the number at i. Integers and decimals of at most 15 digits are distinct doubles, so
// the shortest text that names their double is their own, if it has no needless sign or zero.
func (w *ecmaWriter) number(i int) int {
	const exact = 15
	in, start := w.in, i
	if in[i] == '-' {
		i++
	}
	first := i
	i = skipDigits(in, i)
	digits := i - first
	fraction := i < len(in) && in[i] == '.'
	exponent := i < len(in) && in[i]|0x20 == 'e'
	if !fraction && !exponent {
		if digits <= exact && (in[first] != '0' || first == start) { // -0 is 0
			return i
		}
		return w.numberAnew(start, i)
	}
	if fraction {
		point := i
		i = skipDigits(in, i+1)
		digits += i - point - 1
		exponent = i < len(in) && in[i]|0x20 == 'e'
		if !exponent && digits <= exact && in[i-1] != '0' && (in[first] != '0' || !isTiny(in[point+1:i])) {
			return i
		}
	}
	if exponent {
		i++
		if in[i] == '+' || in[i] == '-' {
			i++
		}
		i = skipDigits(in, i)
	}
	return w.numberAnew(start, i)
}

// isTiny reports whether 0.<fraction> is below 0.000001, where exponents begin.
func isTiny(fraction []byte) bool {
	for i := range min(len(fraction), 6) {
		if fraction[i] != '0' {
			return false
		}
	}
	return true
}

func skipDigits(text []byte, i int) int {
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return i
}

// numberAnew writes the number in[start:end] from its double.
func (w *ecmaWriter) numberAnew(start, end int) int {
	w.copyTo(start)
	w.out = appendNumber(w.out, w.in[start:end])
	w.done = end
	return end
}

// appendNumber appends the double nearest to a JSON number as ECMAScript prints it (Number::toString,
// ECMA-262 6.1.6.1.20); one beyond the doubles becomes null, as JSON.stringify does with Infinity.
func appendNumber(dst, token []byte) []byte {
	if len(token) > longNumber {
		token = shortened(token)
	}
	// The error can only be ErrRange: it comes with an infinity.
	value, _ := strconv.ParseFloat(string(token), 64)
	size := math.Abs(value)
	switch {
	case math.IsInf(value, 0):
		return append(dst, "null"...)
	case value == 0:
		return append(dst, '0') // -0 too
	case size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(dst, value, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, value, 'e', -1, 64)
	// Go writes at least two digits of exponent, "e-07", ECMAScript no more than needed.
	if n := len(dst); dst[n-2] == '0' && dst[n-4] == 'e' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// longNumber is the length, in bytes, from which a number is shortened before it is read:
// strconv.ParseFloat stops counting an exponent soon after 10,000, which is right only where there are
// too few digits to make up for it.
const longNumber = 9000

// shortened gives a number of at most some 800 digits with the same nearest double: 767 digits and
// whether any follow decide every rounding.
func shortened(token []byte) []byte {
	const enough = 780
	short := make([]byte, 0, enough+16)
	if token[0] == '-' {
		short = append(short, '-')
		token = token[1:]
	}
	short = append(short, "0."...)
	digits, exponent, more := 0, 0, false // the value is 0.<digits> times ten to the exponent
	point, i := false, 0
	for ; i < len(token) && token[i]|0x20 != 'e'; i++ {
		switch c := token[i]; {
		case c == '.':
			point = true
			continue
		case digits == 0 && c == '0': // leading: only those after the point count
			if point {
				exponent--
			}
			continue
		case digits < enough:
			short = append(short, c)
			digits++
		default:
			more = more || c != '0'
		}
		if !point {
			exponent++
		}
	}
	if digits == 0 {
		return append(short, '0')
	}
	if more {
		short = append(short, '1')
	}
	if i < len(token) {
		exponent += readExponent(token[i+1:])
	}
	short = append(short, 'e')
	return strconv.AppendInt(short, int64(max(-9999, min(exponent, 9999))), 10)
}

// readExponent reads a signed decimal, no further than any text can make up for.
func readExponent(text []byte) int {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	exponent := 0
	for _, c := range text {
		exponent = min(exponent*10+int(c-'0'), math.MaxInt32)
	}
	if negative {
		return -exponent
	}
	return exponent
}
