package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// The twelve points of FACTS 1.2, each by its number.
var ecmaScriptCases = []struct{ point, text, want string }{
	{"1 whitespace", " {\n\t\"a\" : [ 1 , 2 ] ,\r\n \"b\" : { } , \"c\" : [ ] }\n", `{"a":[1,2],"b":{},"c":[]}`},
	{"1 whitespace", " 1 ", `1`},
	{"1 whitespace", "\"a b\" \n", `"a b"`},
	{"1 whitespace inside strings", `{"a b":" "}`, `{"a b":" "}`},

	{"2 indices first", `{"b":1,"2":2,"a":3,"10":4,"1":5}`, `{"1":5,"2":2,"10":4,"b":1,"a":3}`},
	{"2 indices at every depth", `{"z":{"y":0,"0":{"x":0,"3":0}},"0":[{"a":1,"0":2}]}`, `{"0":[{"0":2,"a":1}],"z":{"0":{"3":0,"x":0},"y":0}}`},
	{"2 largest index", `{"a":0,"4294967294":1}`, `{"4294967294":1,"a":0}`},
	{"2 over the largest", `{"a":0,"4294967295":1,"4294967296":2,"9007199254740991":3,"42949672940":4}`, `{"a":0,"4294967295":1,"4294967296":2,"9007199254740991":3,"42949672940":4}`},
	{"2 not canonical", `{"a":0,"01":1,"-0":2,"-1":3,"1.0":4,"1e3":5,"+1":6," 1":7,"1 ":8,"":9,"00":10,"1a":11,"١":12}`, `{"a":0,"01":1,"-0":2,"-1":3,"1.0":4,"1e3":5,"+1":6," 1":7,"1 ":8,"":9,"00":10,"1a":11,"١":12}`},
	{"2 zero is an index", `{"a":0,"0":1}`, `{"0":1,"a":0}`},
	{"2 an escaped index", `{"a":0,"\u0031":1,"0":2}`, `{"0":2,"1":1,"a":0}`},
	{"2 in order already", `{"0":0,"1":1,"10":2,"b":3,"a":4}`, `{"0":0,"1":1,"10":2,"b":3,"a":4}`},
	{"2 numbers, not text", `{"10":0,"9":1}`, `{"9":1,"10":0}`},

	{"3 duplicates", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
	{"3 three of a kind", `{"a":1,"b":2,"a":3,"a":4,"b":5}`, `{"a":4,"b":5}`},
	{"3 equal after unescaping", `{"a":1,"\u0061":2,"\/":3,"/":4,"\u002f":5,"\n":6,"\u000A":7}`, `{"a":2,"/":5,"\n":7}`},
	{"3 duplicate indices", `{"1":"a","0":"b","1":"c"}`, `{"0":"b","1":"c"}`},
	{"3 duplicate surrogates", `{"\ud800":1,"\uD800":2,"\ud83d\ude00":3,"😀":4}`, `{"\ud800":2,"😀":4}`},
	{"3 the dropped value's inside goes with it", `{"a":{"z":1,"0":{"q":1,"q":2}},"b":{"b":0,"0":1},"a":[{"y":1,"1":2}]}`, `{"a":[{"1":2,"y":1}],"b":{"0":1,"b":0}}`},
	{"3 different objects do not meet", `[{"a":1},{"a":2},{"a":{"a":{"a":3}}}]`, `[{"a":1},{"a":2},{"a":{"a":{"a":3}}}]`},
	{"3 empty key", `{"":1,"a":2,"":3}`, `{"":3,"a":2}`},

	{"4 ordinary names", `{"__proto__":{"a":1},"constructor":1,"toJSON":2,"toString":3,"":4,"hasOwnProperty":5,"length":6}`, `{"__proto__":{"a":1},"constructor":1,"toJSON":2,"toString":3,"":4,"hasOwnProperty":5,"length":6}`},
	{"4 __proto__ twice", `{"__proto__":null,"x":1,"__proto__":2}`, `{"__proto__":2,"x":1}`},

	{"5 numbers", `[1.0,1e2,-0,0,-0.0,0e5,-0e-5,1E1,1e+1,1e-1]`, `[1,100,0,0,0,0,0,10,10,0.1]`},
	{"5 turning to exponents above", `[1e20,123456789012345680000,1e21,1.5e21,-1e21,999999999999999999999,1e22]`, `[100000000000000000000,123456789012345680000,1e+21,1.5e+21,-1e+21,1e+21,1e+22]`},
	{"5 turning to exponents below", `[0.000001,0.0000001,0.0000012,0.00000123,-0.0000001,0.00000099,1e-6,1e-7,1.5e-10,1e-100]`, `[0.000001,1e-7,0.0000012,0.00000123,-1e-7,9.9e-7,0.000001,1e-7,1.5e-10,1e-100]`},
	{"5 big integers", `[9007199254740993,9007199254740992,123456789012345678901234567890,999999999999999,9999999999999999,123456789012345678]`, `[9007199254740992,9007199254740992,1.2345678901234568e+29,999999999999999,10000000000000000,123456789012345680]`},
	{"5 smallest", `[5e-324,2e-324,3e-324,4.9e-324,2.2250738585072011e-308,1e-400,-1e-400]`, `[5e-324,0,5e-324,5e-324,2.225073858507201e-308,0,0]`},
	{"5 trailing zeros", `[12.50,1.10,100.0,0.10,1.000000000000000000001]`, `[12.5,1.1,100,0.1,1]`},
	{"5 digits", `[0.1,0.2,0.30000000000000004,3.141592653589793,3.1415926535897932384626,0.123456789012345,1.7976931348623157e308,4.35,1e23,5e-7]`, `[0.1,0.2,0.30000000000000004,3.141592653589793,3.141592653589793,0.123456789012345,1.7976931348623157e+308,4.35,1e+23,5e-7]`},

	{"6 beyond a double", `[1e400,-1e400,1.7976931348623159e308,1e309,1e99999999999999999999]`, `[null,null,null,null,null]`},
	{"6 400 digits", strings.Repeat("7", 400), `null`},
	{"6 the last that is a double", `1.7976931348623158e308`, `1.7976931348623157e+308`},

	{"7 escapes", `"\"\\\/\b\f\n\r\t"`, `"\"\\/\b\f\n\r\t"`},
	{"7 short where there is one", `"\u0008\u0009\u000A\u000b\u000C\u000D\u0022\u005C\u002F"`, `"\b\t\n\u000b\f\r\"\\/"`},
	{"7 lower case", `"\u0000\u0001\u001F\u001f\u000E"`, `"\u0000\u0001\u001f\u001f\u000e"`},
	{"7 no escape that is not needed", `"\u0041\u003c\u003E\u0026\u0027\u007f\u2028\u2029\ufeff\uFFFF\ufdd0\u00e9\u20AC"`, "\"A<>&'\x7f\u2028\u2029\ufeff\uffff\ufdd0é€\""},
	{"7 raw stays raw", "\"<>&'\x7f\u2028\u2029\ufeff\uffff\ufdd0é€😀\"", "\"<>&'\x7f\u2028\u2029\ufeff\uffff\ufdd0é€😀\""},
	{"7 in keys too", `{"\u003c\u0001\/":1}`, `{"<\u0001/":1}`},

	{"8 pairs", `"\ud83d\ude00\uD834\uDD1E\ud800\udc00\udbff\udfff"`, "\"😀\U0001D11E\U00010000\U0010ffff\""},
	{"8 halves", `"\uD800|\udFFF|\uDBFF\uDBFF|\udc00\ud800"`, `"\ud800|\udfff|\udbff\udbff|\udc00\ud800"`},
	{"8 a half before a pair", `"\ud83d\ud83d\ude00\ude00"`, `"\ud83d😀\ude00"`},
	{"8 a half before an escape", `"\ud83d\n\ud83d\u0041\ud83d"`, `"\ud83d\n\ud83dA\ud83d"`},

	{"9 no normalization", "{\"é\":1,\"e\u0301\":2,\"\u212b\":\"\u00c5\"}", "{\"é\":1,\"e\u0301\":2,\"\u212b\":\"\u00c5\"}"},

	{"10 depth", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), strings.Repeat("[", 1000) + strings.Repeat("]", 1000)},
	{"10 depth out of order", strings.Repeat(`{"a":`, 1000) + "1.0" + strings.Repeat(`,"0":1e1}`, 1000), strings.Repeat(`{"0":10,"a":`, 1000) + "1" + strings.Repeat("}", 1000)},

	{"literals", ` [ true , false , null , "" ] `, `[true,false,null,""]`},
}

func TestECMAScriptFormHoldsPointByPoint(t *testing.T) {
	for _, test := range ecmaScriptCases {
		got, err := AppendECMAScript([]byte("kept"), []byte(test.text))
		if string(got) != "kept"+test.want || err != nil {
			t.Errorf("%s: %.200q\n got %.300q, %v\nwant %.300q", test.point, test.text, got, err, test.want)
		}
		if reference := referenceForm([]byte(test.text)); reference != test.want {
			t.Errorf("%s: the reference gives %.300q, the table %.300q", test.point, reference, test.want)
		}
	}
}

func TestECMAScriptFormRefusesWhatIsNotJSON(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a":1,}`, `01`, `"` + "\xff" + `"`, `NaN`, "\ufeff1", `"a`, strings.Repeat("[", jsonscan.MaxDepth+1) + strings.Repeat("]", jsonscan.MaxDepth+1)} {
		got, err := AppendECMAScript([]byte("kept"), []byte(text))
		if postrider.ErrorCode(err) != postrider.CodeInvalid || string(got) != "kept" || !strings.Contains(err.Error(), "at byte ") {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
	}
}

// Numbers with so many digits that only an exponent of many digits gives them a size.
var longNumberCases = []struct{ text, want string }{
	{"0." + zeros(149_999) + "1e150000", "1"},
	{"-0." + zeros(149_999) + "125e150001", "-12.5"},
	{"1" + zeros(150_000) + "e-150000", "1"},
	{"1" + zeros(150_000) + ".000e-150001", "0.1"},
	{"1" + zeros(150_000), "null"},
	{"-1" + zeros(150_000) + "e-100000", "null"},
	{"0." + zeros(150_000) + "1", "0"},
	{"0." + zeros(20_000) + "e999999999999999999999999999", "0"},
	{"1." + zeros(20_000) + "e999999999999999999999999999", "null"},
	{"1." + zeros(20_000) + "e-999999999999999999999999999", "0"},
	{"0." + strings.Repeat("3", 20_000), "0.3333333333333333"},
	// Exactly between two doubles, and the least bit more: the even one, and the upper one.
	{"9007199254740993." + zeros(20_000), "9007199254740992"},
	{"9007199254740993." + zeros(20_000) + "1", "9007199254740994"},
	{"9007199254740993." + zeros(20_000) + "1e" + zeros(20) + "0", "9007199254740994"},
	{"9007199254740993" + zeros(20_000) + "1e-20001", "9007199254740994"},
	{"9007199254740993." + zeros(20_000) + "10", "9007199254740994"},
	// The same between the smallest doubles, where halfway has more than 700 digits.
	{halfOfSmallest(3) + zeros(9000), "1e-323"},
	{halfOfSmallest(5) + zeros(9000), "1e-323"},
	{halfOfSmallest(5) + zeros(9000) + "1", "1.5e-323"},
}

func zeros(n int) string { return strings.Repeat("0", n) }

// halfOfSmallest writes all digits of n halves of 2^-1074, the smallest double.
func halfOfSmallest(n int64) string {
	return new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Lsh(big.NewInt(1), 1075)).FloatString(1075)
}

func TestECMAScriptFormCountsDigitsAndExponentsTogether(t *testing.T) {
	for _, test := range longNumberCases {
		got, err := AppendECMAScript(nil, []byte(test.text))
		if string(got) != test.want || err != nil {
			t.Errorf("%.20q… of %d bytes: %q, %v, want %q", test.text, len(test.text), got, err, test.want)
		}
	}
}

// ParseFloat and shortened must agree wherever both can be right.
func TestShortenedNumbersAreTheSameDoubles(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		text := randomNumber(random)
		want, _ := strconv.ParseFloat(text, 64)
		got, _ := strconv.ParseFloat(string(shortened([]byte(text))), 64)
		if math.Float64bits(got) != math.Float64bits(want) && (got != 0 || want != 0) {
			t.Fatalf("%s: %v, shortened to %s: %v", text, want, shortened([]byte(text)), got)
		}
	}
}

func TestECMAScriptFormAgreesWithTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8_000 {
		checkECMAScript(t, randomText(random))
	}
}

// Small objects compare keys one by one and large ones through a table: both, and the step between.
func TestECMAScriptFormOfObjectsOfEverySize(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for size := range 3 * few {
		for _, names := range []int{1, 2, size/2 + 1, size + 1, 10*size + 1} {
			for _, format := range []string{`"%d":%d`, `"k%d":%d`, `"\u006b%d":%d`, `"0%d":{"b":%d,"0":1}`} {
				text := []byte("{")
				for n := range size {
					if n > 0 {
						text = append(text, ',')
					}
					text = fmt.Appendf(text, format, random.IntN(names), n)
				}
				checkECMAScript(t, append(text, '}'))
			}
		}
	}
}

// One repetition must be found in an object of any size, wherever the two stand.
func TestECMAScriptFormFindsOneRepetitionAmongMany(t *testing.T) {
	for size := 2; size < 3*few; size++ {
		for _, format := range []string{`"%d":%d`, `"k%d":%d`} {
			for _, repeated := range []int{0, size / 2, size - 2} {
				text := []byte("{")
				for n := range size - 1 {
					text = fmt.Appendf(text, format+",", n, n)
				}
				text = fmt.Appendf(text, format+"}", repeated, -1)
				checkECMAScript(t, text)
			}
		}
	}
}

func FuzzECMAScriptForm(f *testing.F) {
	for _, test := range ecmaScriptCases {
		f.Add([]byte(test.text))
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		f.Add(randomText(random))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkECMAScript(t, text) })
}

// checkECMAScript holds the form of any bytes against the reference and against itself.
func checkECMAScript(t *testing.T, text []byte) {
	t.Helper()
	input := bytes.Clone(text)
	got, err := AppendECMAScript(nil, text)
	if !bytes.Equal(input, text) {
		t.Fatalf("the input %q was changed to %q", input, text)
	}
	if (err == nil) != (jsonscan.Valid(text, jsonscan.MaxDepth) == nil) {
		t.Fatalf("%q: %v", text, err)
	}
	if err != nil {
		return
	}
	if want := referenceForm(text); string(got) != want {
		t.Fatalf("%.2000q\n got %.2000q\nwant %.2000q", text, got, want)
	}
	again, err := AppendECMAScript(make([]byte, 0, 8), got)
	if err != nil || !bytes.Equal(again, got) {
		t.Fatalf("%q\nis %q\nthen %q, %v", text, got, again, err)
	}
	if len(got) > 6*len(text) {
		t.Fatalf("%d bytes became %d", len(text), len(got))
	}
}

// Hostile texts must cost about what an ordinary text of their size costs; the bounds are wide
// enough for a busy machine and far below what squares of these counts would take.
func TestECMAScriptFormOfHostileTextsIsNotQuadratic(t *testing.T) {
	const keys = 100_000
	object := func(member func(n int) string) []byte {
		text := []byte("{")
		for n := range keys {
			if n > 0 {
				text = append(text, ',')
			}
			text = append(text, member(n)...)
		}
		return append(text, '}')
	}
	texts := map[string][]byte{
		"different keys":      object(func(n int) string { return fmt.Sprintf(`"key%d":%d`, n, n) }),
		"one key":             object(func(n int) string { return `"k":1` }),
		"one key, escaped":    object(func(n int) string { return `"\u006b":1` }),
		"falling indices":     object(func(n int) string { return fmt.Sprintf(`"%d":0`, keys-n) }),
		"every key twice":     object(func(n int) string { return fmt.Sprintf(`"%dx":0`, n%(keys/2)) }),
		"large values lost":   object(func(n int) string { return `"":{"b":0,"0":0}` }),
		"nested, out of turn": []byte(strings.Repeat(`{"a":`, 1000) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat(`,"0":0}`, 1000)),
		"small objects":       []byte("[" + strings.Repeat(`{"b":1,"0":2,"b":3},`, keys) + "0]"),
		"digits":              []byte(strings.Repeat("7", 1<<20)),
		"decimals":            []byte("[" + strings.Repeat("0."+strings.Repeat("3", 800)+",", 1000) + "0]"),
		"halfway decimals":    []byte("[" + strings.Repeat("9007199254740993."+strings.Repeat("0", 700)+"1e-200,", 1000) + "0]"),
	}
	for name, text := range texts {
		start := time.Now()
		got, err := AppendECMAScript(nil, text)
		if taken := time.Since(start); taken > 5*time.Second || err != nil {
			t.Errorf("%s: %v for %d bytes, %v", name, taken, len(text), err)
		}
		if again, _ := AppendECMAScript(nil, got); !bytes.Equal(again, got) {
			t.Errorf("%s: not a fixed point", name)
		}
	}
}

// One allocation a text, however many tokens it has.
func TestECMAScriptFormAllocatesOnceForOrdinaryBodies(t *testing.T) {
	text := ordinaryBody(t)
	for name, body := range map[string][]byte{
		"as it is":   text,
		"escaped":    bytes.ReplaceAll(text, []byte("o"), []byte(`\u006f`)),
		"indented":   indented(t, text),
		"numbers":    []byte("[" + strings.Repeat("1.50,1e3,3.141592653589793,-0,", 500) + "0]"),
		"a thousand": []byte("[" + strings.Repeat(string(text)+",", 1000) + "0]"),
	} {
		dst := make([]byte, 0, 2*len(body))
		if n := testing.AllocsPerRun(10, func() {
			if _, err := AppendECMAScript(dst, body); err != nil {
				t.Error(err)
			}
		}); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func ordinaryBody(tb testing.TB) []byte {
	text, err := os.ReadFile("testdata/ecmascript/ordinary.json")
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.TrimSpace(text)
}

func indented(tb testing.TB, text []byte) []byte {
	var buffer bytes.Buffer
	if err := json.Indent(&buffer, text, "", "  "); err != nil {
		tb.Fatal(err)
	}
	return buffer.Bytes()
}

func BenchmarkECMAScriptForm(b *testing.B) {
	ordinary := ordinaryBody(b)
	many := []byte("{")
	for n := range 1000 {
		many = fmt.Appendf(many, `"key%d":%d,`, n, n)
	}
	many = append(many, `"last":0}`...)
	texts := []struct {
		name string
		text []byte
	}{
		{"ordinary", ordinary},
		{"indented", indented(b, ordinary)},
		{"escaped", bytes.ReplaceAll(ordinary, []byte("o"), []byte(`\u006f`))},
		{"indices-last", append(bytes.Clone(ordinary[:len(ordinary)-1]), `,"0":1}`...)},
		{"duplicate", append(bytes.Clone(ordinary[:len(ordinary)-1]), `,"id":1}`...)},
		{"doubles", []byte("[" + strings.Repeat("3.141592653589793,2.50,", 50) + "0]")},
		{"thousand-keys", many},
	}
	for _, test := range texts {
		b.Run(test.name, func(b *testing.B) {
			var dst []byte
			b.SetBytes(int64(len(test.text)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = AppendECMAScript(dst[:0], test.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
