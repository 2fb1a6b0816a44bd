package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// accepted and refused follow the naming of Nicolas Seriot's "Parsing JSON is a Minefield": y_ must
// be accepted, n_ refused; the i_ cases, which RFC 8259 leaves open, stand where this scanner puts them.
var accepted = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `true`, `false`, `null`, " \t\r\n1 \t\r\n",
	`[[]   ]`, `[""]`, `[1,null,2]`, `[null, 1, "1", {}]`, "[ 4 ]", "[1\n]", ` [1]`, `[2] `,
	`[123e65]`, `[0e+1]`, `[0e1]`, `[-0.0]`, `[20e1]`, `[1E22]`, `[1E-2]`, `[1E+2]`, `[123.456e78]`, `-1`, `1.5`, `0.1e1`,
	`[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]`,
	`[1e400]`, `[-1e9999]`, `[0.4e00669999999999999999999999999999999]`, `[` + strings.Repeat("9", 400) + `]`,
	`{"a":"b","a":"c"}`, `{"":0}`, `{"a":[]}`, `{ "min": -1.0e+28, "max": 1.0e+28 }`, "{\n\"a\" : \"b\"\n}", `{"\u0000":1}`,
	`["\u0060\u012a\u12AB"]`, `["\"\\\/\b\f\n\r\t"]`, `["\\u0000"]`, `["a/*b*/c/*d//e"]`, `["\uD801\udc37"]`, `["\u0012"]`,
	`["\uFFFF"]`, "[\"\u2028\u2029\"]", "[\"\ufeff\"]", "[\"\x7f\"]", `["new\u000Aline"]`, "[\"\U0010ffff\"]", "[\"\uffff\"]", `["asd "]`,
	`"\ud800"`, `["\uDADA"]`, `["\uD888\u1234"]`, `["\uD800\n"]`, `["\uDd1ea"]`, `["\uD800\uD800\n"]`, `["\ud800abc"]`, `["\uDFAA"]`, `{"\uDFAA":0}`,
}

var refused = []struct {
	text    string
	offset  int
	message string
}{
	{"", 0, faultEmpty},
	{" \n", 2, faultEmpty},
	{"\xef\xbb\xbf{}", 0, faultByteOrderMark},
	{"\xef\xbb\xbf", 0, faultByteOrderMark},
	{"\xff\xfe[\x00", 0, faultNoValue},
	{"\u2060[]", 0, faultNoValue},
	{"\u00a0[]", 0, faultNoValue},
	{"[\f]", 1, faultNoValue},
	{"[\v]", 1, faultNoValue},
	{"\x00", 0, faultNoValue},
	{"1\x00", 1, faultTrailing},
	{`[1 true]`, 3, faultInArray},
	{`["": 1]`, 3, faultInArray},
	{`[1,,2]`, 3, faultNoValue},
	{`[,1]`, 1, faultNoValue},
	{`[,]`, 1, faultNoValue},
	{`[1,]`, 3, faultNoValue},
	{`["x"]]`, 5, faultTrailing},
	{`["x",,]`, 5, faultNoValue},
	{`["x"`, 4, faultUnclosed},
	{`[1,`, 3, faultUnclosed},
	{`[`, 1, faultUnclosed},
	{`[}`, 1, faultNoValue},
	{`{]`, 1, faultNoKey},
	{`{`, 1, faultUnclosed},
	{`{"a`, 3, faultOpenString},
	{`{"a"`, 4, faultUnclosed},
	{`{"a":`, 5, faultUnclosed},
	{`{"a":1`, 6, faultUnclosed},
	{`{"a":1,`, 7, faultUnclosed},
	{`{"a":1,}`, 7, faultNoKey},
	{`{"a":1,,"b":2}`, 7, faultNoKey},
	{`{"a" "b"}`, 5, faultNoColon},
	{`{"a",1}`, 4, faultNoColon},
	{`{"a"::1}`, 5, faultNoValue},
	{`{"a":1 "b":2}`, 7, faultInObject},
	{`{"a":1]`, 6, faultInObject},
	{`[1}`, 2, faultInArray},
	{`{a:1}`, 1, faultNoKey},
	{`{1:1}`, 1, faultNoKey},
	{`{'a':1}`, 1, faultNoKey},
	{`{null:1}`, 1, faultNoKey},
	{`{"a":"b"}/**/`, 9, faultTrailing},
	{`{"a":/*x*/1}`, 5, faultNoValue},
	{`{"a":"b"}#`, 9, faultTrailing},
	{`{}}`, 2, faultTrailing},
	{`1 2`, 2, faultTrailing},
	{`tru`, 0, faultNoValue},
	{`nul`, 0, faultNoValue},
	{`True`, 0, faultNoValue},
	{`truex`, 4, faultTrailing},
	{`NaN`, 0, faultNoValue},
	{`Infinity`, 0, faultNoValue},
	{`-Infinity`, 1, faultDigit},
	{`+1`, 0, faultNoValue},
	{`-`, 1, faultDigit},
	{`--1`, 1, faultDigit},
	{`- 1`, 1, faultDigit},
	{`01`, 0, faultLeadingZero},
	{`-01`, 1, faultLeadingZero},
	{`00.1`, 0, faultLeadingZero},
	{`.5`, 0, faultNoValue},
	{`1.`, 2, faultDigit},
	{`1.e1`, 2, faultDigit},
	{`1e`, 2, faultDigit},
	{`1e+`, 3, faultDigit},
	{`1eE2`, 2, faultDigit},
	{`1.2.3`, 3, faultTrailing},
	{`0x1`, 1, faultTrailing},
	{`1_000`, 1, faultTrailing},
	{"\uff11", 0, faultNoValue},
	{`'a'`, 0, faultNoValue},
	{`"`, 1, faultOpenString},
	{`"a`, 2, faultOpenString},
	{`"\`, 1, faultOpenString},
	{`"\"`, 3, faultOpenString},
	{`"\x41"`, 1, faultEscape},
	{`"\a"`, 1, faultEscape},
	{`"\0"`, 1, faultEscape},
	{`"\'"`, 1, faultEscape},
	{"\"\\\u00e5\"", 1, faultEscape},
	{`"\u"`, 1, faultHex},
	{`"\u00A"`, 1, faultHex},
	{`"\u00G0"`, 1, faultHex},
	{`"\U0041"`, 1, faultEscape},
	{`"\u+041"`, 1, faultHex},
	{`"\uD800\u"`, 7, faultHex},
	{`"\uD800\u1x"`, 7, faultHex},
	{"\"a\nb\"", 2, faultControl},
	{"\"0123456789\tb\"", 11, faultControl},
	{"\"\x00\"", 1, faultControl},
	{"\"\x1f\"", 1, faultControl},
	{"\"\x80\"", 1, faultNotUTF8},
	{"\"01234567\xff\"", 9, faultNotUTF8},
	{"\"\xc0\xaf\"", 1, faultNotUTF8},
	{"\"\xe0\xff\"", 1, faultNotUTF8},
	{"\"\xe2\x82\"", 1, faultNotUTF8},
	{"\"\xed\xa0\x80\"", 1, faultNotUTF8},
	{"\"\xf4\xbf\xbf\xbf\"", 1, faultNotUTF8},
	{"\"\xf8\x80\x80\x80\x80\"", 1, faultNotUTF8},
	{"\"é\xe9\"", 3, faultNotUTF8},
	{"{\"\xe9\":1}", 2, faultNotUTF8},
	{"\xe9", 0, faultNoValue},
	{`[1,"` + strings.Repeat("x", 100) + "\n" + `"]`, 104, faultControl},
}

func TestValidAcceptsEveryJSONText(t *testing.T) {
	for _, text := range accepted {
		if err := Valid([]byte(text), MaxDepth); err != nil {
			t.Errorf("Valid(%q): %v", text, err)
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%q: the table is wrong, encoding/json refuses it", text)
		}
	}
}

func TestValidRefusesEverythingElseAndSaysWhere(t *testing.T) {
	for _, test := range refused {
		err := Valid([]byte(test.text), MaxDepth)
		want := &SyntaxError{test.offset, test.message}
		var got *SyntaxError
		if !errors.As(err, &got) || *got != *want {
			t.Errorf("Valid(%q) = %v, want %v", test.text, err, want)
		}
	}
	if err := Valid([]byte(`{"a":1 "b":2}`), 9); err.Error() != "at byte 7: expected a comma or }" {
		t.Errorf("message is %q", err)
	}
}

// Every fault must be found wherever it stands in the eight bytes that are looked at together.
func TestValidSeesEveryByteOfAString(t *testing.T) {
	for length := range 40 {
		for at := range length {
			for _, bad := range []string{"\x00", "\x1f", "\n", "\x80", "\xff", "\xc3", `\x`, `"`} {
				text := `"` + strings.Repeat("~", at) + bad + strings.Repeat(" ", length-at) + `"`
				if err := Valid([]byte(text), 0); err == nil {
					t.Fatalf("Valid(%q) = nil", text)
				}
			}
			for _, good := range []string{"\x7f", "!", "#", "[", "]", "é", "€", "😀", `\"`, `\\`, `\u0000`} {
				text := `"` + strings.Repeat("~", at) + good + strings.Repeat(" ", length-at) + `"`
				if err := Valid([]byte(text), 0); err != nil {
					t.Fatalf("Valid(%q) = %v", text, err)
				}
			}
		}
	}
}

func TestDepthIsBoundedExactly(t *testing.T) {
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	mixed := func(n int) string { return strings.Repeat(`[{"a":`, n/2) + "1" + strings.Repeat("}]", n/2) }
	tests := []struct {
		name     string
		text     string
		maxDepth int
		ok       bool
	}{
		{"a scalar has no level", `1`, 0, true},
		{"a scalar has no level, below zero too", `1`, -1, true},
		{"an empty array has one", `[]`, 0, false},
		{"an empty object has one", `{}`, 0, false},
		{"siblings do not add up", `[[],[],{"a":[]}]`, 3, true},
		{"one too many", `[[],[],{"a":[]}]`, 2, false},
		{"arrays to the limit", arrays(MaxDepth), MaxDepth, true},
		{"arrays over the limit", arrays(MaxDepth + 1), MaxDepth, false},
		{"objects to the limit", objects(MaxDepth), MaxDepth, true},
		{"objects over the limit", objects(MaxDepth + 1), MaxDepth, false},
		{"both by turns", mixed(1000), 1000, true},
		{"both by turns, over", mixed(1000), 999, false},
		{"MaxDepth holds whatever is asked for", arrays(MaxDepth + 1), 1 << 20, false},
		{"a million brackets", strings.Repeat("[", 1<<20), 1 << 20, false},
		{"a million braces", strings.Repeat(`{"":`, 1<<20), 1 << 20, false},
	}
	for _, test := range tests {
		text := []byte(test.text)
		results := map[string]error{"Valid": Valid(text, test.maxDepth)}
		switch text[0] {
		case '{':
			results["Members"] = Members(text, test.maxDepth, func(_, _ []byte) error { return nil })
		case '[':
			results["Elements"] = Elements(text, test.maxDepth, func(int, []byte) error { return nil })
		}
		for function, err := range results {
			if (err == nil) != test.ok {
				t.Errorf("%s: %s = %v, want ok %v", test.name, function, err, test.ok)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("deeper than %d levels", max(0, min(test.maxDepth, MaxDepth)))) {
				t.Errorf("%s: %s says %q", test.name, function, err)
			}
		}
	}
}

func TestMembersGivesKeysUnescapedAndValuesAsTheyStand(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{` {} `, nil},
		{`{"a":1}`, []string{"a=1"}},
		{" {\n \"type\" : \"order\" , \"data\" :\t{ \"x\": [1, 2] } } ", []string{`type="order"`, `data={ "x": [1, 2] }`}},
		{`{"a":1,"b":2,"a":3}`, []string{"a=1", "b=2", "a=3"}},
		{`{"\u0061\/\n\"\\":"\u0061"}`, []string{"a/\n\"\\=" + `"\u0061"`}},
		{`{"":null,"é€😀":true,"\uD83D\uDE00":false}`, []string{"=null", "é€😀=true", "😀=false"}},
		{`{"\ud800":-1e5,"x\udc00y":[]}`, []string{"\xed\xa0\x80=-1e5", "x\xed\xb0\x80y=[]"}},
		{`{"\ud83d\ud83d\ude00":0}`, []string{"\xed\xa0\xbd😀=0"}},
	}
	for _, test := range tests {
		var got []string
		err := Members([]byte(test.text), MaxDepth, func(key, value []byte) error {
			got = append(got, string(key)+"="+string(value))
			return nil
		})
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("Members(%q): %v\n%s", test.text, err, diff)
		}
	}
}

func TestElementsGivesValuesAsTheyStand(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{" [ ] ", nil},
		{`[1]`, []string{"0=1"}},
		{"[ {\"a\": 1} ,\n\"x\\u0061\" , [ 1 ] ]", []string{`0={"a": 1}`, `1="x\u0061"`, `2=[ 1 ]`}},
	}
	for _, test := range tests {
		var got []string
		err := Elements([]byte(test.text), MaxDepth, func(index int, value []byte) error {
			got = append(got, fmt.Sprintf("%d=%s", index, value))
			return nil
		})
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("Elements(%q): %v\n%s", test.text, err, diff)
		}
	}
}

func TestMembersAndElementsRefuseWhatValidRefuses(t *testing.T) {
	for _, test := range refused {
		memberErr := Members([]byte(test.text), MaxDepth, func(_, _ []byte) error { return nil })
		elementErr := Elements([]byte(test.text), MaxDepth, func(int, []byte) error { return nil })
		if memberErr == nil || elementErr == nil {
			t.Errorf("%q: Members %v, Elements %v", test.text, memberErr, elementErr)
		}
		if !strings.HasPrefix(test.text, "{") && !strings.HasPrefix(test.text, "[") {
			continue
		}
		got := memberErr
		if test.text[0] == '[' {
			got = elementErr
		}
		if diff := cmp.Diff(got, error(&SyntaxError{test.offset, test.message})); diff != "" {
			t.Errorf("%q: %s", test.text, diff)
		}
	}
	for _, text := range []string{`1`, `"{}"`, `null`, ` []`} {
		if err := Members([]byte(text), MaxDepth, nil); err == nil || !strings.Contains(err.Error(), faultNoObject) {
			t.Errorf("Members(%q) = %v", text, err)
		}
	}
	for _, text := range []string{`1`, `"[]"`, `null`, ` {}`} {
		if err := Elements([]byte(text), MaxDepth, nil); err == nil || !strings.Contains(err.Error(), faultNoArray) {
			t.Errorf("Elements(%q) = %v", text, err)
		}
	}
}

func TestVisitorsErrorEndsTheScanAndComesBack(t *testing.T) {
	stop := errors.New("stop")
	visits := 0
	if err := Members([]byte(`{"a":1,"b":2,!`), 9, func(_, _ []byte) error { visits++; return stop }); err != stop || visits != 1 {
		t.Errorf("Members: %v after %d visits", err, visits)
	}
	visits = 0
	if err := Elements([]byte(`[1,2,!`), 9, func(int, []byte) error { visits++; return stop }); err != stop || visits != 1 {
		t.Errorf("Elements: %v after %d visits", err, visits)
	}
}

func TestUnquote(t *testing.T) {
	tests := []struct {
		token, want, fault string
	}{
		{`""`, "", ""},
		{`"abc"`, "abc", ""},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", ""},
		{`"\u0000\u001F\u00e9\u20AC\ud83D\uDe00"`, "\x00\x1fé€😀", ""},
		{`"a\ud800"`, "", "at byte 2: " + faultLone},
		{`"\udc00\ud800"`, "", "at byte 1: " + faultLone},
		{`"\ud800\u0041"`, "", "at byte 1: " + faultLone},
		{`"abc`, "", "at byte 4: " + faultOpenString},
		{`"a" `, "", "at byte 3: " + faultTrailing},
		{` "a"`, "", "at byte 0: " + faultNoString},
		{`1`, "", "at byte 0: " + faultNoString},
		{``, "", "at byte 0: " + faultNoString},
		{"\"\xff\"", "", "at byte 1: " + faultNotUTF8},
	}
	for _, test := range tests {
		got, err := Unquote([]byte(test.token))
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got != test.want || fault != test.fault {
			t.Errorf("Unquote(%q) = %q, %q, want %q, %q", test.token, got, fault, test.want, test.fault)
		}
	}
}

func TestAppendQuotedWritesAsJavaScriptDoes(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `""`},
		{"abc", `"abc"`},
		{"\"\\/<>&'", `"\"\\/<>&'"`},
		{"\x00\x01\b\t\n\v\f\r\x1f\x7f", "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\""},
		{"é€😀\u2028\u2029\ufeff\uffff", "\"é€😀\u2028\u2029\ufeff\uffff\""},
		{"\xed\xa0\x80|\xed\xbf\xbf|\xed\xae\x9a", `"\ud800|\udfff|\udb9a"`},
		{"\xff\xed\xa0", "\"\ufffd\ufffd\ufffd\""},
	}
	for _, test := range tests {
		if got := string(AppendQuoted([]byte("x"), test.text)); got != "x"+test.want {
			t.Errorf("AppendQuoted(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func FuzzValidAgreesWithEncodingJSON(f *testing.F) {
	for _, text := range accepted {
		f.Add([]byte(text))
	}
	for _, test := range refused {
		f.Add([]byte(test.text))
	}
	f.Add([]byte(ordinary))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := Valid(text, MaxDepth)
		want := json.Valid(text) && utf8.Valid(text) && depth(text) <= MaxDepth
		if (got == nil) != want {
			t.Fatalf("Valid(%q) = %v, want ok %v", text, got, want)
		}
		var fault *SyntaxError
		if errors.As(got, &fault) && (fault.Offset < 0 || fault.Offset > len(text)) {
			t.Fatalf("Valid(%q): offset %d is outside", text, fault.Offset)
		}
		checkPieces(t, text, got)
	})
}

// checkPieces holds Members and Elements against Valid's verdict and against encoding/json.
func checkPieces(t *testing.T, text []byte, verdict error) {
	var rebuilt []byte
	memberErr := Members(text, MaxDepth, func(key, value []byte) error {
		rebuilt = append(AppendQuoted(append(rebuilt, ','), string(key)), ':')
		rebuilt = append(rebuilt, value...)
		return Valid(value, MaxDepth-1)
	})
	elementErr := Elements(text, MaxDepth, func(_ int, value []byte) error {
		rebuilt = append(append(rebuilt, ','), value...)
		return Valid(value, MaxDepth-1)
	})
	if verdict != nil && (memberErr == nil || elementErr == nil) {
		t.Fatalf("%q: Valid %v, Members %v, Elements %v", text, verdict, memberErr, elementErr)
	}
	if verdict != nil {
		return
	}
	switch start, _ := scanStart(text); text[start] {
	case '{':
		rebuilt = append(rebuilt, '}')
		rebuilt = append([]byte("{"), rebuilt[min(1, len(rebuilt)-1):]...)
		elementErr = nil
	case '[':
		rebuilt = append(rebuilt, ']')
		rebuilt = append([]byte("["), rebuilt[min(1, len(rebuilt)-1):]...)
		memberErr = nil
	default:
		return
	}
	if memberErr != nil || elementErr != nil {
		t.Fatalf("%q: Valid nil, Members %v, Elements %v", text, memberErr, elementErr)
	}
	var want, got any
	wantErr, gotErr := json.Unmarshal(text, &want), json.Unmarshal(rebuilt, &got)
	if (wantErr == nil) != (gotErr == nil) || wantErr == nil && !cmp.Equal(want, got) {
		t.Fatalf("%q was taken apart as %q", text, rebuilt)
	}
}

// depth counts the levels of a text that encoding/json accepts.
func depth(text []byte) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			open++
			deepest = max(deepest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return deepest
}

func FuzzUnquoteUndoesAppendQuoted(f *testing.F) {
	for _, text := range []string{"", "a", "\"\\\b\x00\x1f\x7f", "é€😀\u2028", "\xed\xa0\x80", "\xff", `\u0041`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token := AppendQuoted(nil, text)
		if err := Valid(token, 0); err != nil {
			t.Fatalf("AppendQuoted(%q) = %q: %v", text, token, err)
		}
		got, err := Unquote(token)
		if utf8.ValidString(text) && (err != nil || got != text) {
			t.Fatalf("%q became %q, then %q, %v", text, token, got, err)
		}
		var want string
		if jsonErr := json.Unmarshal(token, &want); err == nil && (jsonErr != nil || got != want) {
			t.Fatalf("Unquote(%q) = %q, encoding/json has %q", token, got, want)
		}
	})
}

func TestValidAndMembersAllocateNothing(t *testing.T) {
	text := []byte(ordinary)
	var sum int
	visit := func(key, value []byte) error { sum += len(key) + len(value); return nil }
	if n := testing.AllocsPerRun(100, func() {
		if Valid(text, MaxDepth) != nil || Members(text, MaxDepth, visit) != nil {
			t.Error("the ordinary body is refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// ordinary is the body of 1 KB that the figures in this package are about.
var ordinary = func() string {
	text, err := os.ReadFile("testdata/ordinary.json")
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}()

func benchmarkTexts() map[string]string {
	return map[string]string{
		"ordinary": ordinary,
		"indented": func() string {
			var value any
			_ = json.Unmarshal([]byte(ordinary), &value)
			text, _ := json.MarshalIndent(value, "", "  ")
			return string(text)
		}(),
		"chinese": `["` + strings.Repeat("库存盘点已经完成", 40) + `"]`,
		"numbers": `[` + strings.Repeat("12.5,1099,-3,", 80) + `0]`,
		"nested":  strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"blob":    `"` + strings.Repeat("QmFzZTY0", 128) + `"`,
	}
}

func BenchmarkValid(b *testing.B) {
	for name, text := range benchmarkTexts() {
		b.Run(name, func(b *testing.B) {
			body := []byte(text)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Valid(body, MaxDepth); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	body := []byte(ordinary)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !json.Valid(body) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkMembers(b *testing.B) {
	body := []byte(ordinary)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var sum int
	for b.Loop() {
		if err := Members(body, MaxDepth, func(key, value []byte) error { sum += len(value); return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
