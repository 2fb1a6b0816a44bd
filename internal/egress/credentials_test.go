package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

func TestBasicAuthAndOwnHeadersAreSentAndShownHidden(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(server.Close)
	client := newClient(t, nil)
	c := credentials(t, postrider.EndpointAuth{
		Basic:   &postrider.BasicAuth{Username: "Aladdin", Password: postrider.NewSecret("open sesame")},
		Headers: []postrider.SecretHeader{{Name: "X-Api-Key", Value: postrider.NewSecret("k1")}, {Name: "content-type", Value: postrider.NewSecret("text/evil")}},
	})
	post(t, client, server.URL, with(c))
	want := map[string][]string{"Authorization": {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "X-Api-Key": {"k1"}, "Content-Type": {"application/json"}}
	for name, values := range want { // RFC 7617's own example
		if diff := cmp.Diff(values, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	shown := []postrider.HeaderField{{Name: "Authorization", Value: "[secret]"}, {Name: "X-Api-Key", Value: "[secret]"}, {Name: "content-type", Value: "[secret]"}}
	if diff := cmp.Diff(shown, c.Shown()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

// identity is a client certificate of an authority, in PEM.
func (a *authority) identity(t *testing.T, name string, change func(*x509.Certificate)) *postrider.ClientCertificate {
	t.Helper()
	signed := a.sign(t, func(c *x509.Certificate) {
		c.SerialNumber = big.NewInt(time.Now().UnixNano())
		c.Subject = pkix.Name{CommonName: name}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if change != nil {
			change(c)
		}
	})
	key, err := x509.MarshalPKCS8PrivateKey(signed.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &postrider.ClientCertificate{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Certificate[0]})),
		Key:   postrider.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))),
	}
}

// serveMutual asks for certificates of the authority and counts who came and over how many connections.
func serveMutual(t *testing.T, ca *authority) (server *httptest.Server, names func() map[string]int) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	var (
		mu    sync.Mutex
		count = make(map[string]int)
	)
	server = serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}, true,
		func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			count[r.TLS.PeerCertificates[0].Subject.CommonName]++
			fmt.Fprint(w, r.RemoteAddr)
		})
	return server, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

func TestAClientCertificateIsShownAndItsConnectionsAreItsOwn(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	server, names := serveMutual(t, ca)
	client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	alice, bob := ca.identity(t, "alice", nil), ca.identity(t, "bob", nil)
	first := credentials(t, postrider.EndpointAuth{Certificate: alice})
	same := credentials(t, postrider.EndpointAuth{Certificate: alice}) // as after a change of the endpoint
	other := credentials(t, postrider.EndpointAuth{Certificate: bob})
	from := make(map[string]string)
	for range 5 {
		for name, c := range map[string]*egress.Credentials{"alice": first, "alice again": same, "bob": other} {
			result := post(t, client, server.URL, with(c))
			if result.Response.Status != 200 {
				t.Fatalf("%s: %q %q", name, result.Failure, result.Detail)
			}
			from[name] = string(result.Response.Body)
		}
	}
	if diff := cmp.Diff(map[string]int{"alice": 10, "bob": 5}, names()); diff != "" {
		t.Errorf("requests by certificate (-want +got):\n%s", diff)
	}
	if from["alice"] != from["alice again"] || from["alice"] == from["bob"] {
		t.Errorf("connections %v: one certificate has one, and nobody else has it", from)
	}
	for name, c := range map[string]*egress.Credentials{
		"no certificate":        nil,
		"a stranger's":          credentials(t, postrider.EndpointAuth{Certificate: stranger.identity(t, "mallory", nil)}),
		"one that is past":      credentials(t, postrider.EndpointAuth{Certificate: ca.identity(t, "old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}),
		"one for servers alone": credentials(t, postrider.EndpointAuth{Certificate: ca.identity(t, "server", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}),
	} {
		result := post(t, client, server.URL, with(c))
		// With TLS 1.3 the refusal comes after the handshake, and may be overtaken by the connection's end.
		if result.Failure != postrider.OutcomeReset && (result.Failure != postrider.OutcomeTLS || !strings.Contains(result.Detail, "refused the TLS connection")) {
			t.Errorf("%s: failure %q, detail %q; want the TLS refusal", name, result.Failure, result.Detail)
		}
	}
	if len(names()) != 2 {
		t.Errorf("requests came from %v", names())
	}
}

func TestTransportsOfCertificatesAreBounded(t *testing.T) {
	ca := newAuthority(t)
	server, names := serveMutual(t, ca)
	client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	const many = 300 // more than are kept
	for i := range many {
		c := credentials(t, postrider.EndpointAuth{Certificate: ca.identity(t, fmt.Sprint("client ", i), nil)})
		if result := post(t, client, server.URL, with(c)); result.Response.Status != 200 {
			t.Fatalf("certificate %d: %q %q", i, result.Failure, result.Detail)
		}
		if kept := client.CertificatesKept(); kept > 256 {
			t.Fatalf("%d certificates have connections, want 256 at most", kept)
		}
	}
	if got := len(names()); got != many {
		t.Errorf("%d certificates were seen, want %d", got, many)
	}
}

func TestACertificateIsJudgedAtRegistration(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.identity(t, "good", nil), ca.identity(t, "other", nil)
	tests := map[string]struct {
		from *postrider.ClientCertificate
		want string // "" is good
	}{
		"good":             {good, ""},
		"another's key":    {&postrider.ClientCertificate{Chain: good.Chain, Key: other.Key}, "cannot be used"},
		"no PEM":           {&postrider.ClientCertificate{Chain: "canary", Key: postrider.NewSecret("canary")}, "cannot be used"},
		"the key as chain": {&postrider.ClientCertificate{Chain: good.Key.Reveal(), Key: good.Key}, "cannot be used"},
		"past":             {ca.identity(t, "past", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), "ended on"},
		"not yet":          {ca.identity(t, "next", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "begins on"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			leaf, err := egress.ReadCertificate(test.from, time.Now())
			if test.want == "" {
				if err != nil || leaf.Subject.CommonName != "good" {
					t.Fatalf("%v, %v", leaf, err)
				}
				return
			}
			if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
