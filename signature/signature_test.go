package signature_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/signature"
)

var clock = time.Unix(1765572297, 0)

func standard() signature.Scheme {
	return signature.Scheme{
		Header: "webhook-signature", Algorithm: signature.HMACSHA256, Key: signature.KeyWhsec,
		Over:     []signature.Part{signature.PartID, signature.PartTimestamp, signature.PartBody},
		Encoding: signature.Base64, Format: "v1,{signature}", Separator: " ",
		TimestampHeader: "webhook-timestamp", IDHeader: "webhook-id", Tolerance: 5 * time.Minute,
	}
}

func prefixed() signature.Scheme {
	return signature.Scheme{
		Header: "xemelgo-signature", Algorithm: signature.HMACSHA256, Key: signature.KeyUTF8,
		Over: []signature.Part{signature.PartBody}, Encoding: signature.Hex, Format: "sha256={signature}",
	}
}

func timestamped() signature.Scheme {
	return signature.Scheme{
		Header: "Example-Signature", Algorithm: signature.HMACSHA256, Key: signature.KeyUTF8,
		Over:     []signature.Part{signature.PartTimestamp, signature.PartBody},
		Encoding: signature.Hex, Format: "t={timestamp},v1={signature}", Separator: ",", Tolerance: time.Minute,
	}
}

const (
	whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	plain = "a signing secret of the tests"
)

// sign gives the headers of a good request.
func sign(t testing.TB, s signature.Scheme, at time.Time, body string, secrets ...string) http.Header {
	t.Helper()
	signer, err := signature.NewSigner(s, secretsOf(secrets))
	if err != nil {
		t.Fatal(err)
	}
	return vector{
		ID: "msg_1", Timestamp: at.Unix(), Header: string(signer.AppendHeader(nil, "msg_1", at, []byte(body))),
	}.request(s)
}

// The example of the Standard Webhooks libraries' own test suites.
func TestTheStandardWebhooksExampleVerifies(t *testing.T) {
	at := time.Unix(1614265330, 0)
	header := http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	if err := mustVerifier(t, standard(), whsec).Verify(header, []byte(`{"test": 2432232314}`), at); err != nil {
		t.Error(err)
	}
}

func TestVerifyErrorsSayWhatIsWrong(t *testing.T) {
	change := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := []struct {
		name    string
		scheme  signature.Scheme
		change  func(http.Header)
		now     time.Duration // after the request was signed
		problem signature.Problem
		says    string
	}{
		{"no header", prefixed(), func(h http.Header) { h.Del("xemelgo-signature") }, 0, signature.ProblemHeaderMissing, `no "xemelgo-signature" header`},
		{"empty header", prefixed(), change("xemelgo-signature", ""), 0, signature.ProblemHeaderMissing, "no \"xemelgo"},
		{"two headers", prefixed(), func(h http.Header) { h.Add("xemelgo-signature", "x") }, 0, signature.ProblemHeaderRepeated, "stands 2 times"},
		{"endless header", prefixed(), change("xemelgo-signature", strings.Repeat("a", 9000)), 0, signature.ProblemHeaderTooLong, "9000 bytes"},
		{"prefix in capitals", prefixed(), change("xemelgo-signature", "SHA256="+hex64), 0, signature.ProblemWrongPrefix, `"sha256={signature}"`},
		{"no prefix", prefixed(), change("xemelgo-signature", hex64), 0, signature.ProblemWrongPrefix, "not of the form"},
		{"too short", prefixed(), change("xemelgo-signature", "sha256="+hex64[1:]), 0, signature.ProblemWrongLength, "has 63 characters"},
		{"too long", prefixed(), change("xemelgo-signature", "sha256="+hex64+"0"), 0, signature.ProblemWrongLength, "hmac-sha256 in hex has 64"},
		{"not hex", prefixed(), change("xemelgo-signature", "sha256="+hex64[1:]+"g"), 0, signature.ProblemWrongEncoding, "is not hex"},
		{"upper-case hex", prefixed(), change("xemelgo-signature", "sha256="+strings.ToUpper(hex64)), 0, signature.ProblemWrongEncoding, "lower case"},
		{"another signature", prefixed(), change("xemelgo-signature", "sha256="+hex64), 0, signature.ProblemNoMatch, "the body was changed before verification"},
		{"no id", standard(), func(h http.Header) { h.Del("webhook-id") }, 0, signature.ProblemHeaderMissing, `no "webhook-id" header`},
		{"no timestamp", standard(), func(h http.Header) { h.Del("webhook-timestamp") }, 0, signature.ProblemHeaderMissing, `no "webhook-timestamp" header`},
		{"timestamp of letters", standard(), change("webhook-timestamp", "now"), 0, signature.ProblemTimestampNotInteger, "not a whole number"},
		{"timestamp with a sign", standard(), change("webhook-timestamp", "+1765572297"), 0, signature.ProblemTimestampNotInteger, "not a whole number"},
		{"timestamp in ms", standard(), change("webhook-timestamp", "1765572297000"), 0, signature.ProblemTimestampNotInteger, "milliseconds"},
		{"timestamp beyond int64", standard(), change("webhook-timestamp", "99999999999999999999"), 0, signature.ProblemTimestampNotInteger, "not a whole number"},
		{"old", standard(), nil, 5*time.Minute + time.Second, signature.ProblemTimestampTooOld, "5m1s old and 5m0s is allowed"},
		{"in future", standard(), nil, -5*time.Minute - time.Second, signature.ProblemTimestampInFuture, "in the future"},
		{"another version only", standard(), change("webhook-signature", "v2,abc v3,def"), 0, signature.ProblemWrongPrefix, `"v1,{signature}"`},
		{"URL alphabet", standard(), change("webhook-signature", "v1,-_-_567890123456789012345678901234567890123="), 0, signature.ProblemWrongEncoding, "not base64"},
		{"line break in base64", standard(), change("webhook-signature", "v1,\n23456789012345678901234567890123456789012=="), 0, signature.ProblemWrongEncoding, "not base64"},
		{"hundred signatures", standard(), change("webhook-signature", strings.TrimSpace(strings.Repeat("v1,a ", 100))), 0, signature.ProblemHeaderTooLong, "more than 32"},
		{"another id", standard(), change("webhook-id", "msg_2"), 0, signature.ProblemNoMatch, "changed the id or timestamp header"},
		{"another time", standard(), change("webhook-timestamp", "1765572298"), 0, signature.ProblemNoMatch, "no signature in"},
		{"no t=", timestamped(), change("Example-Signature", "v1="+hex64), 0, signature.ProblemWrongPrefix, "not of the form"},
		{"t= of letters", timestamped(), change("Example-Signature", "t=x,v1="+hex64), 0, signature.ProblemTimestampNotInteger, "not a whole number"},
		{"t= empty", timestamped(), change("Example-Signature", "t=,v1="+hex64), 0, signature.ProblemTimestampNotInteger, "not a whole number"},
		{"t= old", timestamped(), nil, 2 * time.Minute, signature.ProblemTimestampTooOld, "2m0s old"},
		{"t= changed", timestamped(), change("Example-Signature", "t=1765572298,v1="+hex64), 0, signature.ProblemNoMatch, "no signature"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			secret := plain
			if test.scheme.Key == signature.KeyWhsec {
				secret = whsec
			}
			header := sign(t, test.scheme, clock, `{"a":1}`, secret)
			verifier := mustVerifier(t, test.scheme, secret)
			if test.change != nil {
				if err := verifier.Verify(header, []byte(`{"a":1}`), clock); err != nil {
					t.Fatalf("the unchanged request is refused: %v", err)
				}
				test.change(header)
			}
			err := verifier.Verify(header, []byte(`{"a":1}`), clock.Add(test.now))
			var verifyError *signature.VerifyError
			if !errors.As(err, &verifyError) {
				t.Fatalf("error %v, want a *VerifyError", err)
			}
			if verifyError.Problem != test.problem || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %s %q, want %s with %q", verifyError.Problem, err, test.problem, test.says)
			}
			expected := sign(t, test.scheme, clock, `{"a":1}`, secret).Get(test.scheme.Header)
			for _, hidden := range []string{secret, expected[len(expected)-40:]} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error shows a secret or the expected signature: %v", err)
				}
			}
		})
	}
}

func TestAnyOfSeveralSecretsAndSignaturesMatches(t *testing.T) {
	const old, other = "whsec_b2xkIHNlY3JldCwgb2xkIHNlY3JldA==", "whsec_b3RoZXIgc2VjcmV0LCBvdGhlciBzZWNyZXQ="
	body := []byte(`{"a":1}`)
	header := sign(t, standard(), clock, string(body), whsec, old)
	if got := len(strings.Fields(header.Get("webhook-signature"))); got != 2 {
		t.Fatalf("%d signatures in %q, want 2", got, header.Get("webhook-signature"))
	}
	for _, known := range [][]string{{whsec}, {old}, {other, old}, {old, whsec, other}} {
		if err := mustVerifier(t, standard(), known...).Verify(header, body, clock); err != nil {
			t.Errorf("receiver with %d secrets: %v", len(known), err)
		}
	}
	if mustVerifier(t, standard(), other).Verify(header, body, clock) == nil {
		t.Error("taken with a secret that did not sign")
	}
	mixed := header.Clone()
	mixed.Set("webhook-signature", "v1a,AAAA v1,broken "+header.Get("webhook-signature")+" v9,x")
	if err := mustVerifier(t, standard(), old).Verify(mixed, body, clock); err != nil {
		t.Errorf("among other versions and a broken one: %v", err)
	}
}

func TestWhatStandsBeforeTheLastSeparatorIsWrittenOnce(t *testing.T) {
	scheme := prefixed()
	scheme.Format, scheme.Separator = "version=2,kind=hmac,v1={signature}", ","
	header := sign(t, scheme, clock, "{}", plain, "another secret")
	value := header.Get(scheme.Header)
	if !strings.HasPrefix(value, "version=2,kind=hmac,v1=") || strings.Count(value, ",") != 3 || strings.Count(value, "v1=") != 2 {
		t.Errorf("header %q", value)
	}
	if err := mustVerifier(t, scheme, "another secret").Verify(header, []byte("{}"), clock); err != nil {
		t.Error(err)
	}
}

// Python's and JavaScript's base64 decoders give "AA==" and "AB==" the same byte.
func TestStrayBitsAtTheEndOfASecretAreNoPartOfTheKey(t *testing.T) {
	clean, stray := "whsec_c2VjcmV0IG9mIHRlc3RzAA==", "whsec_c2VjcmV0IG9mIHRlc3RzAB=="
	header := sign(t, standard(), clock, "{}", clean)
	if err := mustVerifier(t, standard(), stray).Verify(header, []byte("{}"), clock); err != nil {
		t.Error(err)
	}
}

func TestHeaderIsFoundInAnyCase(t *testing.T) {
	good := sign(t, prefixed(), clock, "{}", plain).Get("xemelgo-signature")
	for _, name := range []string{"xemelgo-signature", "XEMELGO-SIGNATURE", "Xemelgo-Signature"} {
		if err := mustVerifier(t, prefixed(), plain).Verify(http.Header{name: {good}}, []byte("{}"), clock); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimestampAtTheEdgeOfTheToleranceIsTaken(t *testing.T) {
	header := sign(t, standard(), clock, "{}", whsec)
	for _, offset := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		if err := mustVerifier(t, standard(), whsec).Verify(header, []byte("{}"), clock.Add(offset)); err != nil {
			t.Errorf("%s: %v", offset, err)
		}
	}
	unchecked := standard()
	unchecked.Tolerance = 0
	if err := mustVerifier(t, unchecked, whsec).Verify(header, []byte("{}"), clock.AddDate(10, 0, 0)); err != nil {
		t.Errorf("tolerance 0: %v", err)
	}
}

func TestSecretsOfTheWrongFormAreRefusedWithoutShowingThem(t *testing.T) {
	ed := standard()
	ed.Algorithm = signature.Ed25519
	const seed = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
	tests := []struct {
		name      string
		scheme    signature.Scheme
		secrets   []string
		verifying bool
		says      string
	}{
		{"none", prefixed(), nil, false, "1 to 16 secrets"},
		{"seventeen", prefixed(), strings.Split("abcdefghijklmnopq", ""), false, "there are 17"},
		{"empty", prefixed(), []string{""}, false, "is empty"},
		{"too long", prefixed(), []string{strings.Repeat("s", 4097)}, false, "4097 bytes"},
		{"whsec not base64", standard(), []string{"whsec_not base64"}, false, "whsec_"},
		{"whsec in URL alphabet", standard(), []string{"whsec_-_-_"}, false, "standard alphabet"},
		{"whsec without a key", standard(), []string{"whsec_"}, false, "whsec_"},
		{"whsec padded wrongly", standard(), []string{"whsec_AAAA=="}, false, "whsec_"},
		{"whsec over two lines", standard(), []string{"whsec_AAAA\nAAAA"}, false, "whsec_"},
		{"public key to sign with", ed, []string{"whpk_" + seed}, false, "signing needs the private one"},
		{"private key of 31 bytes", ed, []string{"whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, false, "has 31 bytes"},
		{"public key of 31 bytes", ed, []string{"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, true, "has 31 bytes"},
		{"halves that do not belong together", ed, []string{"whsk_" + strings.Repeat("AAAA", 21) + "AA"}, false, "do not belong together"},
		{"both prefixes", ed, []string{"whsk_whpk_" + seed}, true, "whpk_"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var err error
			if test.verifying {
				_, err = signature.NewVerifier(test.scheme, secretsOf(test.secrets))
			} else {
				_, err = signature.NewSigner(test.scheme, secretsOf(test.secrets))
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want one with %q", err, test.says)
			}
			if postrider.ErrorCode(err) != postrider.CodeInvalid {
				t.Errorf("code %q, want invalid", postrider.ErrorCode(err))
			}
			for _, secret := range test.secrets {
				if len(secret) > 8 && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the secret: %v", err)
				}
			}
		})
	}
}

func TestSchemesThatCannotBeVerifiedAreRefused(t *testing.T) {
	tests := []struct {
		field  string
		change func(*signature.Scheme)
	}{
		{"header", func(s *signature.Scheme) { s.Header = "" }},
		{"header", func(s *signature.Scheme) { s.Header = "X Signature" }},
		{"header", func(s *signature.Scheme) { s.Header = "X-Signature\r\nX: y" }},
		{"header", func(s *signature.Scheme) { s.Header = strings.Repeat("x", 129) }},
		{"algorithm", func(s *signature.Scheme) { s.Algorithm = "md5" }},
		{"key", func(s *signature.Scheme) { s.Key = "hex" }},
		{"key", func(s *signature.Scheme) { s.Algorithm, s.Key = signature.Ed25519, signature.KeyUTF8 }},
		{"over", func(s *signature.Scheme) { s.Over = nil }},
		{"over", func(s *signature.Scheme) { s.Over = []signature.Part{"id", "timestamp"} }},
		{"over", func(s *signature.Scheme) { s.Over = append(s.Over, signature.PartBody) }},
		{"over", func(s *signature.Scheme) { s.Over = append(s.Over, "url") }},
		{"over", func(s *signature.Scheme) { s.Over = s.Over[2:] }},
		{"encoding", func(s *signature.Scheme) { s.Encoding = "base32" }},
		{"format", func(s *signature.Scheme) { s.Format = "" }},
		{"format", func(s *signature.Scheme) { s.Format = "v1,{signature}{signature}" }},
		{"format", func(s *signature.Scheme) { s.Format = "v1,{signature} {x}" }},
		{"format", func(s *signature.Scheme) { s.Format = "{signature}abc" }},
		{"format", func(s *signature.Scheme) { s.Format = "{signature}\n" }},
		{"format", func(s *signature.Scheme) {
			s.Format = "{timestamp}{signature}"
			s.TimestampHeader, s.Separator = "", ""
		}},
		{"format", func(s *signature.Scheme) { s.Format = "{signature},{timestamp}"; s.TimestampHeader = "" }},
		{"format", func(s *signature.Scheme) { s.Format = "t={timestamp};{signature}"; s.TimestampHeader = "" }},
		{"separator", func(s *signature.Scheme) { s.Separator = "A" }},
		{"separator", func(s *signature.Scheme) { s.Separator = "; +" }},
		{"timestamp_header", func(s *signature.Scheme) { s.TimestampHeader = "" }},
		{"timestamp_header", func(s *signature.Scheme) { s.TimestampHeader = ":" }},
		{"timestamp_header", func(s *signature.Scheme) { s.Format = "{timestamp} {signature}" }},
		{"id_header", func(s *signature.Scheme) { s.IDHeader = "" }},
		{"id_header", func(s *signature.Scheme) { s.IDHeader = "é" }},
		{"tolerance", func(s *signature.Scheme) { s.Tolerance = -1 }},
		{"tolerance", func(s *signature.Scheme) { s.Tolerance = 25 * time.Hour }},
	}
	if err := standard().Validate(); err != nil {
		t.Fatalf("the unchanged scheme is refused: %v", err)
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i, test.field), func(t *testing.T) {
			s := standard()
			test.change(&s)
			var e *postrider.Error
			if err := s.Validate(); !errors.As(err, &e) || e.Fields[test.field] == "" {
				t.Errorf("error %v, want one about %q", err, test.field)
			}
		})
	}
}

func TestOneSignerServesManyGoroutines(t *testing.T) {
	signer, err := signature.NewSigner(standard(), secretsOf([]string{whsec}))
	if err != nil {
		t.Fatal(err)
	}
	verifier := mustVerifier(t, standard(), whsec)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for n := range 200 {
				body := []byte(fmt.Sprintf(`{"worker":%d,"n":%d}`, worker, n))
				header := vector{ID: "msg_1", Timestamp: clock.Unix(), Header: string(signer.AppendHeader(nil, "msg_1", clock, body))}.request(standard())
				if err := verifier.Verify(header, body, clock); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func FuzzVerify(f *testing.F) {
	f.Add(uint8(0), "sha256=00", "", "", []byte("{}"))
	f.Add(uint8(1), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,x", "msg_1", "1765572297", []byte("{}"))
	f.Add(uint8(2), "t=1765572297,v1=00,v1=01", "", "", []byte(""))
	schemes := []signature.Scheme{prefixed(), standard(), timestamped()}
	secrets := []string{plain, whsec, plain}
	f.Fuzz(func(t *testing.T, which uint8, value, id, timestamp string, body []byte) {
		n := int(which) % len(schemes)
		s := schemes[n]
		header := http.Header{}
		header.Set(s.Header, value)
		header.Set("webhook-id", id)
		header.Set("webhook-timestamp", timestamp)
		err := mustVerifier(t, s, secrets[n]).Verify(header, body, clock)
		var verifyError *signature.VerifyError
		if err == nil || !errors.As(err, &verifyError) || verifyError.Message == "" || verifyError.Header == "" {
			t.Fatalf("a signature made without the secret gives %v", err) // the seeds' bodies are other ones than what was signed
		}
	})
}

func BenchmarkAppendHeader(b *testing.B) {
	body := make([]byte, 1024)
	for _, bench := range []struct {
		name    string
		scheme  signature.Scheme
		secrets []string
	}{
		{"hex", prefixed(), []string{plain}},
		{"standard", standard(), []string{whsec}},
		{"standard-two-secrets", standard(), []string{whsec, whsec}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			signer, err := signature.NewSigner(bench.scheme, secretsOf(bench.secrets))
			if err != nil {
				b.Fatal(err)
			}
			var dst []byte
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				dst = signer.AppendHeader(dst[:0], "evt_01h455vb4pex5vsknk084sn02q", clock, body)
			}
		})
	}
}
