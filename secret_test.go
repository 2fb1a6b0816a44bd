package postrider_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
)

const secretText = "hunter2-whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A holder keeps secrets in all the ways that code does.
type holder struct {
	Shown     postrider.Secret
	Pointer   *postrider.Secret
	List      []postrider.Secret
	Map       map[string]postrider.Secret
	Any       any
	unshown   postrider.Secret // fmt calls no method of a field like this one
	unpointed *postrider.Secret
	inside    struct{ deep [1]postrider.Secret }
}

func newHolder() holder {
	secret := postrider.NewSecret(secretText)
	h := holder{
		Shown: secret, Pointer: &secret, List: []postrider.Secret{secret},
		Map: map[string]postrider.Secret{"k": secret}, Any: secret, unshown: secret, unpointed: &secret,
	}
	h.inside.deep[0] = secret
	return h
}

// leaks reports whether a text shows the secret: as it is, in hexadecimal or as a list of bytes.
func leaks(text string) bool {
	text = strings.ToLower(text)
	hex, decimal := fmt.Sprintf("%x", secretText[:7]), strings.Trim(fmt.Sprint([]byte(secretText[:7])), "[]")
	spaced := fmt.Sprintf("% x", secretText[:7])
	for _, form := range []string{secretText[:7], hex, spaced, decimal} {
		if strings.Contains(text, strings.ToLower(form)) {
			return true
		}
	}
	return false
}

func TestTheLeakDetectorDetects(t *testing.T) {
	for _, format := range []string{"%s", "%x", "% x", "%X", "%q", "%v", "%+v"} {
		if text := fmt.Sprintf(format, struct{ text string }{secretText}); !leaks(text) {
			t.Errorf("%s prints %q, which is not seen as a leak", format, text)
		}
	}
	if text := fmt.Sprint([]byte(secretText)); !leaks(text) {
		t.Errorf("%q is not seen as a leak", text)
	}
}

func TestASecretPrintsThroughNoVerb(t *testing.T) {
	h := newHolder()
	endpoint := postrider.Endpoint{Secrets: h.List}
	values := map[string]any{
		"value": h.Shown, "pointer": h.Pointer, "list": h.List, "map": h.Map, "holder": h, "pointer to holder": &h,
		"endpoint": endpoint, "pointer to endpoint": &endpoint, "array": [2]postrider.Secret{h.Shown}, "key of a map": map[postrider.Secret]int{h.Shown: 1},
	}
	for name, value := range values {
		for verb := byte('A'); verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "40", ".3", "#40", "+ "} {
				format := "%" + flags + string(verb)
				if text := fmt.Sprintf(format, value); leaks(text) {
					t.Errorf("%s of a %s shows the secret: %s", format, name, text)
				}
			}
		}
	}
	for _, format := range []string{"%v", "%s", "%q", "%x", "%d", "%#v", "%+v"} {
		if text := fmt.Sprintf(format, h.Shown); text != "[secret]" {
			t.Errorf("%s prints %q, want [secret]", format, text)
		}
	}
	if text := h.Shown.String(); text != "[secret]" {
		t.Errorf("String gives %q", text)
	}
}

func TestASecretIsInNoError(t *testing.T) {
	h := newHolder()
	for _, err := range []error{
		fmt.Errorf("endpoint %v: %w", h, errors.New("refused")),
		postrider.Errorf(postrider.CodeInvalid, "secret %s is too short", h.Shown),
		postrider.FieldError("secret", "%q is too short", h.Shown),
	} {
		if leaks(err.Error()) || leaks(fmt.Sprintf("%+v %#v", err, err)) {
			t.Errorf("shows the secret: %v", err)
		}
	}
}

func TestASecretIsInNoEncoding(t *testing.T) {
	h := newHolder()
	type shownOnly struct {
		Shown postrider.Secret
		List  []postrider.Secret
	}
	encodings := map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"yaml": yaml.Marshal,
		"xml":  xml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
		"template": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{.Shown}} {{printf "%x" .Shown}} {{html .Shown}}`)).Execute(&out, v)
			return out.Bytes(), err
		},
	}
	for name, encode := range encodings {
		text, err := encode(shownOnly{h.Shown, h.List})
		if err != nil && leaks(err.Error()) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
		if leaks(string(text)) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
		if err == nil && !strings.Contains(string(text), "[secret]") {
			t.Errorf("%s wrote %q: the secret is not even there", name, text)
		}
	}
	asKey, err := json.Marshal(map[postrider.Secret]bool{h.Shown: true})
	if err != nil || string(asKey) != `{"[secret]":true}` {
		t.Errorf("as a key of JSON: %s, %v", asKey, err)
	}
}

func TestASecretIsInNoLog(t *testing.T) {
	h := newHolder()
	var out bytes.Buffer
	options := &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
		logger := slog.New(handler).With("secret", h.Shown)
		logger.Info("endpoint", "secret", h.Shown, "pointer", h.Pointer, "holder", h, "list", h.List, "map", h.Map,
			slog.Group("group", "secret", h.Shown), "error", fmt.Errorf("with %v", h))
	}
	log.New(&out, "", 0).Println(h, &h, h.Shown, h.List)
	if leaks(out.String()) {
		t.Errorf("the log shows the secret:\n%s", out.String())
	}
	if count := strings.Count(out.String(), "[secret]"); count < 10 {
		t.Errorf("the log holds only %d secrets:\n%s", count, out.String())
	}
}

func TestSecretsAreEqualWhenTheirTextsAre(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "", false},
		{"a", "a ", false},      // untrimmed
		{"é", "e\u0301", false}, // unnormalized
	} {
		a, b := postrider.NewSecret(test.a), postrider.NewSecret(strings.Clone(test.b))
		if a.Equal(b) != test.want || (a == b) != test.want || reflect.DeepEqual(a, b) != test.want || cmp.Equal(a, b) != test.want {
			t.Errorf("%q and %q: Equal %v, == %v; want %v", test.a, test.b, a.Equal(b), a == b, test.want)
		}
	}
}

func TestASecretComesInAsItIsAndGoesOutByRevealOnly(t *testing.T) {
	for _, text := range []string{"", " padded ", "é\u0301", "line\nbreak", "\x00\xff", secretText} {
		secret := postrider.NewSecret(text)
		if secret.Reveal() != text || secret.IsZero() != (text == "") {
			t.Errorf("NewSecret(%q) reveals %q, zero %v", text, secret.Reveal(), secret.IsZero())
		}
		var read postrider.Secret
		if err := read.UnmarshalText([]byte(text)); err != nil || read.Reveal() != text {
			t.Errorf("UnmarshalText(%q) reveals %q, %v", text, read.Reveal(), err)
		}
	}
	var zero postrider.Secret
	if !zero.IsZero() || zero.Reveal() != "" || zero != postrider.NewSecret("") {
		t.Error("the zero Secret is not the empty one")
	}
	var options struct{ Secret postrider.Secret }
	if err := json.Unmarshal([]byte(`{"Secret": "from json"}`), &options); err != nil || options.Secret.Reveal() != "from json" {
		t.Errorf("from JSON: %v", err)
	}
	if err := yaml.Unmarshal([]byte("secret: from yaml\n"), &options); err != nil || options.Secret.Reveal() != "from yaml" {
		t.Errorf("from YAML: %q, %v", options.Secret.Reveal(), err)
	}
}
