package egress_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

func TestCheckURLTakesWhatCanBeDelivered(t *testing.T) {
	for _, raw := range []string{
		"https://example.com", "https://example.com/", "https://example.com:8443/a/b?c=d&e=f", "https://ab1d316d1bbe.ngrok-free.app",
		"https://12345.ngrok.io/", "https://EXAMPLE.com./x", "https://xn--bcher-kva.example/x", "https://a_b.example", "https://93.184.215.14/x",
		"https://[2606:4700:4700::1111]:443/x", "https://example.com/%e2%82%ac", "https://example.com/ä?q=ö", "https://1.example.2com", "https://intranet/x",
	} {
		u, err := egress.CheckURL(raw, true, false)
		if err != nil || u.String() == "" {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://localhost:3000/webhooks", "http://127.0.0.1:8080", "http://[::1]:80/", "http://10.1.2.3/x", "http://[fd12::1]/", "http://x.localhost/"} {
		if _, err := egress.CheckURL(raw, false, true); err != nil {
			t.Errorf("%s in development: %v", raw, err)
		}
		if _, err := egress.CheckURL(raw, false, false); err == nil {
			t.Errorf("%s was taken though private addresses are refused", raw)
		}
	}
}

func TestCheckURLRefusesInPlainWords(t *testing.T) {
	const secret = "hunter2"
	for _, test := range []struct{ raw, says string }{
		{"", "a URL is needed"},
		{"https://example.com/" + strings.Repeat("a", 2048), "at most 2048 bytes"},
		{"https://example.com/a b", "no spaces"}, {"https://example.com/\n", "no spaces"}, {"https://example.com/\x00", "no spaces"},
		{"https://example.com/\u0085", "no spaces"}, {"https://example.com\\@evil.example/", "no spaces"}, {"https://exa\xffmple.com/", "no spaces"},
		{"example.com", "begins with https://"}, {"ftp://example.com/", "begins with https://"}, {"file:///etc/passwd", "begins with https://"},
		{"javascript:alert(1)", "begins with https://"}, {"gopher://example.com/", "begins with https://"}, {"//example.com/x", "begins with https://"},
		{"https:example.com", "no host"}, {"https:///x", "no host"}, {"https://", "no host"},
		{"https://" + secret + "@example.com/", "user name"}, {"https://u:" + secret + "@example.com/", "user name"}, {"https://u:" + secret + "@:bad/", "not a URL"},
		{"https://example.com/#x", "fragment"}, {"https://example.com/#", "fragment"},
		{"http://example.com/", "must begin with https://"},
		{"https://example.com:0/", "port"}, {"https://example.com:65536/", "port"}, {"https://example.com:/", "no port"}, {"https://example.com:x/", "not a URL"},
		{"https://./", "not a name"}, {"https://../", "not a name"}, {"https://a..b/", "not a name"}, {"https://.a/", "not a name"}, {"https://-a.b/", "not a name"},
		{"https://a.b-/", "not a name"}, {"https://" + strings.Repeat("a", 64) + ".example/", "not a name"}, {"https://" + strings.Repeat("a.", 127) + "example/", "not a name"},
		{"https://a%20b/", "not a URL"}, {"https://a,b/", "not a name"}, {"https://bücher.example/", "xn--"}, {"https://１２７.0.0.1/", "xn--"}, {"https://ⓛocalhost/", "xn--"},
		{"https://127.1/", "not a name"}, {"https://2130706433/", "not a name"}, {"https://0x7f000001/", "not a name"}, {"https://0177.0.0.1/", "not a name"},
		{"https://0x7f.0.0.0x1/", "not a name"}, {"https://1.2.3.4.5/", "not a name"}, {"https://127.0.0.1./", "not a name"}, {"https://1.2.3.0x/", "not a name"},
		{"https://127.0.0.1/", "loopback"}, {"https://[::1]/", "loopback"}, {"https://[::ffff:127.0.0.1]/", "loopback"}, {"https://[64:ff9b::7f00:1]/", "loopback"},
		{"https://10.0.0.1/", "private"}, {"https://[fd00::1]/", "private"}, {"https://0.0.0.0/", "unspecified"}, {"https://[::]/", "unspecified"},
		{"https://169.254.169.254/latest/", "metadata"}, {"https://[fd00:ec2::254]/", "metadata"}, {"https://metadata.google.internal/", "metadata"},
		{"https://[2002:a00:1::]/", "not a public"}, {"https://[fe80::1%25eth0]/", "zone"}, {"https://[fe80::1]/", "not a public"},
		{"https://localhost/", "this machine"}, {"https://LOCALHOST./", "this machine"}, {"https://a.localhost/", "this machine"}, {"https://localhost.localdomain/", "this machine"},
		{"https://ip6-localhost/", "this machine"},
	} {
		_, err := egress.CheckURL(test.raw, true, false)
		var fault *postrider.Error
		if !errors.As(err, &fault) || fault.Code != postrider.CodeInvalid || !strings.Contains(fault.Message, test.says) {
			t.Errorf("%q: %v, want %q", test.raw, err, test.says)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: message %q", test.raw, err)
		}
	}
	// What development allows ends before metadata.
	for _, raw := range []string{"http://169.254.169.254/", "http://metadata.google.internal/", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://0.0.0.0/", "http://169.254.1.1/"} {
		if _, err := egress.CheckURL(raw, false, true); err == nil {
			t.Errorf("%s was taken", raw)
		}
	}
}

func TestClientsCheckURLKnowsTheAllowList(t *testing.T) {
	client := newClient(t, func(o *egress.Options) {
		o.AllowPrivate, o.Allow = false, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	})
	if _, err := client.CheckURL("https://10.1.2.3/", true); err != nil {
		t.Error(err)
	}
	if _, err := client.CheckURL("https://10.2.2.3/", true); err == nil {
		t.Error("an address outside the allow-list was taken")
	}
}

func FuzzCheckURLGivesAURLThatMeansTheSameAgain(f *testing.F) {
	for _, seed := range []string{"https://example.com/a?b#c", "http://[::1]:80/", "https://u:p@h/", "https://127.1", "https://a\\b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := egress.CheckURL(raw, false, false)
		if err != nil {
			return
		}
		again, err := egress.CheckURL(u.String(), false, false)
		if err != nil && len(u.String()) <= egress.MaxURLLength {
			t.Fatalf("%q gave %q, which is refused: %v", raw, u, err)
		}
		if err == nil && (again.Host != u.Host || again.RequestURI() != u.RequestURI() || again.User != nil || again.Fragment != "") {
			t.Fatalf("%q gave %q and then %q", raw, u, again)
		}
	})
}
