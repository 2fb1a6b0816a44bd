package contract

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// referenceForm is JSON.stringify(JSON.parse(text)) as ECMA-262 words it, slowly: a tree of values,
// strings as UTF-16 code units, numbers from exact fractions. It shares nothing with AppendECMAScript.
// The text must be valid.
func referenceForm(text []byte) string {
	p := &referenceParser{rest: string(text)}
	var out strings.Builder
	p.value().write(&out)
	return out.String()
}

type referenceValue interface{ write(out *strings.Builder) }

type (
	referenceLiteral string // true, false, null and numbers, as they are written
	referenceString  []uint16
	referenceArray   []referenceValue
	referenceObject  struct {
		keys   []referenceString
		values map[string]referenceValue // by the code units, printed
	}
)

func (l referenceLiteral) write(out *strings.Builder) { out.WriteString(string(l)) }

// QuoteJSONString, ECMA-262 25.5.2.2.
func (s referenceString) write(out *strings.Builder) {
	short := map[uint16]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	out.WriteByte('"')
	for i := 0; i < len(s); i++ {
		pair := i+1 < len(s) && s[i]>>10 == 0xd800>>10 && s[i+1]>>10 == 0xdc00>>10
		switch escape, found := short[s[i]]; {
		case found:
			out.WriteString(escape)
		case pair:
			out.WriteString(string(utf16.Decode(s[i : i+2])))
			i++
		case s[i] < 0x20 || s[i]>>11 == 0xd800>>11:
			fmt.Fprintf(out, `\u%04x`, s[i])
		default:
			out.WriteRune(rune(s[i]))
		}
	}
	out.WriteByte('"')
}

func (a referenceArray) write(out *strings.Builder) {
	out.WriteByte('[')
	for i, value := range a {
		if i > 0 {
			out.WriteByte(',')
		}
		value.write(out)
	}
	out.WriteByte(']')
}

// OrdinaryOwnPropertyKeys, ECMA-262 10.1.11.1.
func (o referenceObject) write(out *strings.Builder) {
	index := func(key referenceString) (uint64, bool) {
		text := string(utf16.Decode(key))
		n, err := strconv.ParseUint(text, 10, 64)
		return n, err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == text
	}
	var indices, names []referenceString
	for _, key := range o.keys {
		if _, isIndex := index(key); isIndex {
			indices = append(indices, key)
		} else {
			names = append(names, key)
		}
	}
	slices.SortFunc(indices, func(a, b referenceString) int {
		left, _ := index(a)
		right, _ := index(b)
		return int(int64(left) - int64(right))
	})
	out.WriteByte('{')
	for i, key := range append(indices, names...) {
		if i > 0 {
			out.WriteByte(',')
		}
		key.write(out)
		out.WriteByte(':')
		o.values[fmt.Sprint(key)].write(out)
	}
	out.WriteByte('}')
}

type referenceParser struct{ rest string }

// token takes the next token: a bracket, a comma, a colon, a quote or a run of a number's or literal's characters.
func (p *referenceParser) token() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	size := strings.IndexFunc(p.rest, func(r rune) bool { return strings.ContainsRune(" \t\r\n{}[],:\"", r) })
	if size < 0 {
		size = len(p.rest)
	}
	size = max(size, 1)
	token := p.rest[:size]
	p.rest = p.rest[size:]
	return token
}

func (p *referenceParser) value() referenceValue {
	switch token := p.token(); token {
	case "{":
		object := referenceObject{values: map[string]referenceValue{}}
		for separator := p.token(); separator != "}"; separator = p.token() {
			if separator == "," {
				p.token()
			}
			key := p.text()
			p.token()
			name := fmt.Sprint(key)
			if _, found := object.values[name]; !found {
				object.keys = append(object.keys, key)
			}
			object.values[name] = p.value()
		}
		return object
	case "[":
		array := referenceArray{}
		for {
			p.rest = strings.TrimLeft(p.rest, " \t\r\n")
			if p.rest[0] == ']' {
				p.token()
				return array
			}
			if len(array) > 0 {
				p.token()
			}
			array = append(array, p.value())
		}
	case `"`:
		return p.text()
	case "true", "false", "null":
		return referenceLiteral(token)
	default:
		return referenceLiteral(referenceNumber(token))
	}
}

// text reads a string after its opening quote.
func (p *referenceParser) text() referenceString {
	units := referenceString{}
	for i, r := 0, rune(0); ; {
		for i, r = range p.rest {
			break
		}
		size := len(string(r))
		switch {
		case r == '"':
			p.rest = p.rest[i+1:]
			return units
		case r == '\\' && p.rest[1] == 'u':
			unit, _ := strconv.ParseUint(p.rest[2:6], 16, 16)
			units = append(units, uint16(unit))
			size = 6
		case r == '\\':
			units = append(units, map[byte]uint16{'b': 8, 't': 9, 'n': 10, 'f': 12, 'r': 13, '"': '"', '\\': '\\', '/': '/'}[p.rest[1]])
			size = 2
		default:
			units = utf16.AppendRune(units, r)
		}
		p.rest = p.rest[size:]
	}
}

// referenceNumber rounds an exact fraction to a double and prints it as Number::toString, ECMA-262
// 6.1.6.1.20, does.
func referenceNumber(token string) string {
	mantissa, power, _ := strings.Cut(strings.ToLower(token), "e")
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	exponent := new(big.Int)
	if power != "" {
		exponent.SetString(strings.TrimPrefix(power, "+"), 10)
	}
	exponent.Sub(exponent, big.NewInt(int64(len(fraction))))
	magnitude := new(big.Int).Add(exponent, big.NewInt(int64(len(digits)))) // the value is 0.digits × 10^magnitude
	if magnitude.Cmp(big.NewInt(400)) > 0 {
		return "null"
	}
	if magnitude.Cmp(big.NewInt(-400)) < 0 {
		return "0"
	}
	exact, _ := new(big.Rat).SetString(digits + "e" + exponent.String())
	value, _ := exact.Float64()
	if math.IsInf(value, 0) {
		return "null"
	}
	if value == 0 {
		return "0"
	}
	return sign + referenceDigits(value)
}

// referenceDigits prints a positive double: s are the shortest digits that give the double, k of
// them, and n the place of the point, in the names of ECMA-262.
func referenceDigits(value float64) string {
	var s string
	var n int
	for precision := 0; ; precision++ {
		text := strconv.FormatFloat(value, 'e', precision, 64)
		if back, _ := strconv.ParseFloat(text, 64); back == value {
			mantissa, exponent, _ := strings.Cut(text, "e")
			s = strings.Replace(mantissa, ".", "", 1)
			n, _ = strconv.Atoi(exponent)
			n++
			break
		}
	}
	k := len(s)
	switch {
	case k <= n && n <= 21:
		return s + strings.Repeat("0", n-k)
	case 0 < n && n <= 21:
		return s[:n] + "." + s[n:]
	case -6 < n && n <= 0:
		return "0." + strings.Repeat("0", -n) + s
	}
	e := strconv.Itoa(n - 1)
	if n-1 > 0 {
		e = "+" + e
	}
	if k == 1 {
		return s + "e" + e
	}
	return s[:1] + "." + s[1:] + "e" + e
}

// randomText makes a JSON text that seeks the traps of FACTS 1.2.
func randomText(random *rand.Rand) []byte {
	g := &textGenerator{random: random, budget: 1 + random.IntN(60)}
	if random.IntN(100) == 0 {
		return g.deep(1 + random.IntN(1000))
	}
	g.spaced = random.IntN(3) == 0
	g.value(0)
	g.space()
	return g.out
}

type textGenerator struct {
	random *rand.Rand
	out    []byte
	budget int // values that may still be made
	spaced bool
}

func (g *textGenerator) pick(choices ...string) string { return choices[g.random.IntN(len(choices))] }

func (g *textGenerator) space() {
	if g.spaced {
		g.out = append(g.out, g.pick("", "", " ", "\n", "\t", "\r\n  ")...)
	}
}

// deep nests n levels, each with a member or element before or after the next.
func (g *textGenerator) deep(n int) []byte {
	var closing []string
	for range n {
		opening, end := "[", "]"
		switch g.random.IntN(4) {
		case 0:
			opening, end = `{"a":`, `,"0":1,"a":2}`[g.random.IntN(2)*13:]
			end = strings.TrimSuffix(end, "}") + "}"
		case 1:
			opening, end = `{"b":1,"7":`, `,"\u0062":1.0}`
		case 2:
			opening, end = `[1e2,`, ` ]`
		}
		g.out = append(g.out, opening...)
		closing = append(closing, end)
	}
	g.budget = 3
	g.scalar()
	for _, end := range slices.Backward(closing) {
		g.out = append(g.out, end...)
	}
	return g.out
}

func (g *textGenerator) value(depth int) {
	g.budget--
	g.space()
	kind := g.random.IntN(4)
	if depth > 8 || g.budget <= 0 {
		kind = 3
	}
	switch kind {
	case 0, 1:
		g.out = append(g.out, '{')
		for n := range g.random.IntN(8) {
			if n > 0 {
				g.out = append(g.out, ',')
			}
			g.space()
			g.key()
			g.space()
			g.out = append(g.out, ':')
			g.value(depth + 1)
			g.space()
		}
		g.space()
		g.out = append(g.out, '}')
	case 2:
		g.out = append(g.out, '[')
		for n := range g.random.IntN(6) {
			if n > 0 {
				g.out = append(g.out, ',')
			}
			g.value(depth + 1)
			g.space()
		}
		g.space()
		g.out = append(g.out, ']')
	default:
		g.scalar()
	}
}

func (g *textGenerator) scalar() {
	switch g.random.IntN(5) {
	case 0:
		g.out = append(g.out, g.pick("true", "false", "null")...)
	case 1, 2:
		g.out = append(g.out, randomNumber(g.random)...)
	default:
		g.text()
	}
}

// key makes keys that often meet: indices, near-indices, names of Object.prototype, the same in escapes.
func (g *textGenerator) key() {
	switch g.random.IntN(6) {
	case 0:
		g.quote(strconv.Itoa(g.random.IntN(12)))
	case 1:
		g.quote(g.pick("4294967293", "4294967294", "4294967295", "4294967296", "9007199254740991", "01", "-0", "-1", "1.0", "1e3", "00", "18446744073709551616", "99999999999", " 1", "１"))
	case 2:
		g.quote(g.pick("__proto__", "constructor", "toJSON", "toString", "", "length", "valueOf"))
	case 3:
		g.text()
	default:
		g.quote(g.pick("a", "b", "c", "aa", "/", "\"", "\\", "\n", "é", "e\u0301", "😀", "id", "long key number 1", "long key number 2"))
	}
}

func (g *textGenerator) text() {
	var text strings.Builder
	for range g.random.IntN(12) {
		text.WriteString(g.pick("a", "z", "0", " ", "abcdefgh", "<", ">", "&", "'", "\"", "\\", "/", "\b", "\f", "\n", "\r", "\t", "\x00", "\x0b", "\x1f", "\x7f",
			"\u2028", "\u2029", "\ufeff", "\uffff", "\ufdd0", "é", "e\u0301", "€", "\u212b", "ﬁ", "😀", "\U0010ffff", "\U00010000", "\ue000", "\ud7ff"))
	}
	g.quote(text.String())
}

// quote writes text with escapes at random, and halves of surrogate pairs between.
func (g *textGenerator) quote(text string) {
	escapes := g.random.IntN(4) == 0
	g.out = append(g.out, '"')
	for _, r := range text {
		short, hasShort := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[r]
		must := r < 0x20 || r == '"' || r == '\\'
		switch {
		case hasShort && (must || escapes) && g.random.IntN(3) > 0:
			g.out = append(g.out, short...)
		case must || escapes && g.random.IntN(2) == 0:
			for _, unit := range utf16.Encode([]rune{r}) {
				g.escape(unit)
			}
		default:
			g.out = append(g.out, string(r)...)
		}
		if escapes && g.random.IntN(6) == 0 {
			g.escape(uint16(0xd800 + g.random.IntN(0x800)))
		}
	}
	g.out = append(g.out, '"')
}

func (g *textGenerator) escape(unit uint16) {
	g.out = fmt.Appendf(g.out, g.pick(`\u%04x`, `\u%04X`), unit)
}

// randomNumber makes JSON numbers near every edge: of integers, of exponents, of doubles, of digits.
func randomNumber(random *rand.Rand) string {
	digits := func(n int) string {
		var text strings.Builder
		for range n {
			text.WriteByte(byte('0' + random.IntN(10)))
		}
		return text.String()
	}
	sign := []string{"", "", "-"}[random.IntN(3)]
	whole := strings.TrimLeft(digits(1+random.IntN(4)), "0")
	if whole == "" {
		whole = "0"
	}
	switch random.IntN(12) {
	case 0:
		return sign + whole
	case 1:
		return sign + whole + "." + digits(1+random.IntN(3))
	case 2:
		return sign + "0." + strings.Repeat("0", random.IntN(12)) + digits(1+random.IntN(5))
	case 3:
		return sign + "1" + digits(random.IntN(30))
	case 4:
		return sign + whole + []string{"e", "E", "e+", "e-", "E-"}[random.IntN(5)] + digits(1+random.IntN(2))
	case 5:
		return sign + whole + "." + digits(1+random.IntN(20)) + "e" + []string{"", "+", "-"}[random.IntN(3)] + strconv.Itoa(random.IntN(340))
	case 6:
		return strconv.FormatInt(1<<53+int64(random.IntN(40))-20, 10)
	case 7:
		value := math.Float64frombits(random.Uint64() &^ (1 << 62)) // finite
		return strconv.FormatFloat(value, 'e', random.IntN(20), 64)
	case 8:
		return sign + "1" + digits(random.IntN(420)) + "." + digits(1+random.IntN(30))
	case 9:
		edges := []string{"-0", "-0.0", "0e99", "1e20", "1e21", "999999999999999900000", "999999999999999999999", "1e-6", "1e-7", "0.000001", "0.0000009999999999999999", "5e-324", "2e-324",
			"2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072014e-308", "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623158e308",
			"1.7976931348623159e308", "1e308", "1e309", "1e400", "-1e400", "1e-400", "9007199254740993", "123456789012345678901234567890", "4.35", "0.1", "1e23", "1e999999999999", "1e-999999999999"}
		return edges[random.IntN(len(edges))]
	case 10: // halfway between two doubles, and a digit that may break the tie far behind
		half := new(big.Rat).SetFloat64(float64(1<<52 + random.Int64N(1<<52)))
		half.Add(half, big.NewRat(1, 2))
		return half.FloatString(1) + strings.Repeat("0", random.IntN(60)) + digits(1)
	default:
		return strconv.FormatFloat(random.Float64()*math.Pow10(random.IntN(44)-20), 'f', random.IntN(25), 64)
	}
}
