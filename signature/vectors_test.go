package signature_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/signature"
)

// vectorFile is one file that testdata/generate.py wrote.
type vectorFile struct {
	Scheme struct {
		Header          string   `json:"header"`
		Algorithm       string   `json:"algorithm"`
		Key             string   `json:"key"`
		Over            []string `json:"over"`
		Encoding        string   `json:"encoding"`
		Format          string   `json:"format"`
		Separator       string   `json:"separator"`
		TimestampHeader string   `json:"timestamp_header"`
		IDHeader        string   `json:"id_header"`
	} `json:"scheme"`
	Vectors []vector `json:"vectors"`
}

type vector struct {
	Name       string   `json:"name"`
	Secrets    []string `json:"secrets"`
	PublicKeys []string `json:"public_keys"`
	ID         string   `json:"id"`
	Timestamp  int64    `json:"timestamp"`
	Body       []byte   `json:"body_base64"`
	Header     string   `json:"header"`
}

func (f vectorFile) scheme() signature.Scheme {
	s := signature.Scheme{
		Header:          f.Scheme.Header,
		Algorithm:       signature.Algorithm(f.Scheme.Algorithm),
		Key:             signature.KeyForm(f.Scheme.Key),
		Encoding:        signature.Encoding(f.Scheme.Encoding),
		Format:          f.Scheme.Format,
		Separator:       f.Scheme.Separator,
		TimestampHeader: f.Scheme.TimestampHeader,
		IDHeader:        f.Scheme.IDHeader,
	}
	for _, part := range f.Scheme.Over {
		s.Over = append(s.Over, signature.Part(part))
		if part == "timestamp" {
			s.Tolerance = 5 * time.Minute
		}
	}
	return s
}

// request is the headers that a sender of the vector would send.
func (v vector) request(s signature.Scheme) http.Header {
	header := http.Header{}
	header.Set(s.Header, v.Header)
	if s.IDHeader != "" {
		header.Set(s.IDHeader, v.ID)
	}
	if s.TimestampHeader != "" {
		header.Set(s.TimestampHeader, strconv.FormatInt(v.Timestamp, 10))
	}
	return header
}

func (v vector) now() time.Time { return time.Unix(v.Timestamp, 0) }

func secretsOf(texts []string) []postrider.Secret {
	var secrets []postrider.Secret
	for _, text := range texts {
		secrets = append(secrets, postrider.NewSecret(text))
	}
	return secrets
}

func eachVector(t *testing.T, check func(t *testing.T, s signature.Scheme, v vector)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 13 {
		t.Fatalf("found %d vector files, want 13 or more (%v)", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f vectorFile
		if err := json.Unmarshal(content, &f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(f.Vectors) < 20 {
			t.Fatalf("%s holds %d vectors, want 20 or more", file, len(f.Vectors))
		}
		for _, v := range f.Vectors {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json")+"/"+v.Name, func(t *testing.T) { check(t, f.scheme(), v) })
		}
	}
}

func mustVerifier(t *testing.T, s signature.Scheme, texts ...string) *signature.Verifier {
	t.Helper()
	verifier, err := signature.NewVerifier(s, secretsOf(texts))
	if err != nil {
		t.Fatalf("NewVerifier: %v", err)
	}
	return verifier
}

func TestSignerWritesWhatOtherImplementationsWrite(t *testing.T) {
	eachVector(t, func(t *testing.T, s signature.Scheme, v vector) {
		signer, err := signature.NewSigner(s, secretsOf(v.Secrets))
		if err != nil {
			t.Fatalf("NewSigner: %v", err)
		}
		for range 2 { // the second time with a used hash state
			got := signer.AppendHeader([]byte("before:"), v.ID, v.now(), v.Body)
			if want := "before:" + v.Header; string(got) != want {
				t.Fatalf("header\n got %s\nwant %s", got, want)
			}
		}
	})
}

func TestVerifierTakesWhatOtherImplementationsWrite(t *testing.T) {
	eachVector(t, func(t *testing.T, s signature.Scheme, v vector) {
		if err := mustVerifier(t, s, v.Secrets...).Verify(v.request(s), v.Body, v.now()); err != nil {
			t.Errorf("all secrets: %v", err)
		}
		for i, secret := range v.Secrets { // during a rotation a receiver knows one of them
			err := mustVerifier(t, s, secret).Verify(v.request(s), v.Body, v.now())
			if sent := i == 0 || s.Separator != ""; (err == nil) != sent {
				t.Errorf("secret %d alone: %v", i, err)
			}
		}
		for i, public := range v.PublicKeys {
			if err := mustVerifier(t, s, public).Verify(v.request(s), v.Body, v.now()); err != nil && (i == 0 || s.Separator != "") {
				t.Errorf("public key %d: %v", i, err)
			}
			if got, err := signature.PublicKey(postrider.NewSecret(v.Secrets[i])); got != public || err != nil {
				t.Errorf("PublicKey gives %q, %v; openssl gives %q", got, err, public)
			}
		}
	})
}

func TestVerifierRefusesAnyFlippedBit(t *testing.T) {
	eachVector(t, func(t *testing.T, s signature.Scheme, v vector) {
		verifier := mustVerifier(t, s, v.Secrets[0])
		single := v
		if signer, err := signature.NewSigner(s, secretsOf(v.Secrets[:1])); err == nil {
			single.Header = string(signer.AppendHeader(nil, v.ID, v.now(), v.Body))
		}
		refuse := func(what string, header http.Header, body []byte) {
			t.Helper()
			if err := verifier.Verify(header, body, v.now()); err == nil {
				t.Errorf("taken with %s", what)
			}
		}
		for bit := range len(v.Body) * 8 {
			if bit > 64 && bit%797 != 0 {
				continue
			}
			body := bytes.Clone(v.Body)
			body[bit/8] ^= 1 << (bit % 8)
			refuse("bit "+strconv.Itoa(bit)+" of the body flipped", single.request(s), body)
		}
		refuse("a longer body", single.request(s), append(bytes.Clone(v.Body), 0))
		for bit := range len(single.Header) * 8 {
			changed := []byte(single.Header)
			changed[bit/8] ^= 1 << (bit % 8)
			header := single.request(s)
			header.Set(s.Header, string(changed))
			refuse("bit "+strconv.Itoa(bit)+" of the signature header flipped", header, v.Body)
		}
		for _, name := range []string{s.IDHeader, s.TimestampHeader} {
			if name == "" {
				continue
			}
			header := single.request(s)
			header.Set(name, header.Get(name)+"0")
			refuse(name+" changed", header, v.Body)
		}
		if other := postrider.NewSecret(v.Secrets[0][1:] + "x"); s.Key == signature.KeyUTF8 {
			wrong, err := signature.NewVerifier(s, []postrider.Secret{other})
			if err != nil {
				t.Fatal(err)
			}
			if wrong.Verify(single.request(s), v.Body, v.now()) == nil {
				t.Error("taken with another secret")
			}
		}
	})
}
