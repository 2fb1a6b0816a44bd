package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

// authority signs certificates for a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key, file}
}

func (a *authority) sign(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serveTLS(t *testing.T, config *tls.Config, http2 bool, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = config
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestCertificatesAreVerified(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	answer := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	for _, test := range []struct {
		name   string
		config *tls.Config
		host   string
		says   string // "" when it must work
	}{
		{"a good one of an extra authority", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}}, "", ""},
		{"another name", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"b.example", "c.example", "d.example", "e.example"}
		})}}, "", "the certificate for b.example, c.example, d.example and others is not valid for 127.0.0.1"},
		{"no name but the old one", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) { c.IPAddresses, c.Subject.CommonName = nil, "127.0.0.1" })}}, "", "not valid for 127.0.0.1"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC)
		})}}, "", "valid from 2020-01-02 03:04:05 to 2021-01-02 03:04:05 UTC, not now"},
		{"not yet valid", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})}}, "", "not now"},
		{"of an unknown authority", &tls.Config{Certificates: []tls.Certificate{stranger.sign(t, nil)}}, "", "an authority that this gateway does not know: CN=Test Authority"},
		{"for clients only", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})}}, "", "is not valid: "},
		{"TLS 1.1 at most", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "", "127.0.0.1:"},
		{"a client certificate is asked for, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, "", "refused the TLS connection"},
		{"a client certificate is asked for, TLS 1.3", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, ClientAuth: tls.RequireAnyClientCert}, "", "127.0.0.1:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
			server := serveTLS(t, test.config, false, answer)
			result := post(t, client, server.URL, nil)
			if test.says == "" {
				if result.Failure != "" || result.Response.Status != 200 || result.Phases.TLS <= 0 {
					t.Errorf("%+v", result)
				}
				return
			}
			// In TLS 1.3 the client has finished when the server refuses it: the refusal and the request
			// may cross, and then the alert is lost with the connection.
			crossed := strings.HasSuffix(test.name, "TLS 1.3") && result.Failure == postrider.OutcomeReset
			if result.Failure != postrider.OutcomeTLS && !crossed || !strings.Contains(result.Detail, test.says) {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestWhatIsNotTLSIsToldPlainly(t *testing.T) {
	for _, test := range []struct {
		name  string
		serve func(conn net.Conn, r *bufio.Reader)
		code  postrider.OutcomeCode
		says  string
	}{
		{"plain HTTP", func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request")
			untilClosed(r)
		}, postrider.OutcomeTLS, "speaks plain HTTP where https was asked for"},
		{"noise", func(conn net.Conn, r *bufio.Reader) {
			_, _ = conn.Write(bytes.Repeat([]byte("\xff\x00garbage"), 10))
			untilClosed(r)
		}, postrider.OutcomeTLS, "does not speak TLS"},
		{"noise in a TLS record", func(conn net.Conn, r *bufio.Reader) {
			_, _ = conn.Write(append([]byte{22, 3, 3, 0, 8, 2, 0, 0, 4}, "noise..."...))
			untilClosed(r)
		}, postrider.OutcomeTLS, ""},
		{"a hello without end", func(conn net.Conn, r *bufio.Reader) {
			_, _ = conn.Write([]byte{22, 3, 3, 0x3f, 0xff, 2, 0xff, 0xff, 0xff})
			untilClosed(r)
		}, postrider.OutcomeTimeout, "waited for the TLS handshake"},
		{"closed at once", func(net.Conn, *bufio.Reader) {}, postrider.OutcomeTLS, "closed the connection during the TLS handshake"},
		{"reset at once", func(conn net.Conn, r *bufio.Reader) { _, _ = r.ReadByte(); reset(conn) }, postrider.OutcomeTLS, "closed the connection during the TLS handshake"},
		{"silence", func(_ net.Conn, r *bufio.Reader) { untilClosed(r) }, postrider.OutcomeTimeout, "waited for the TLS handshake"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := newClient(t, nil)
			server := serveRaw(t, func(_ int, conn net.Conn, r *bufio.Reader) { test.serve(conn, r) })
			result := post(t, client, "https://"+server.address, func(r *egress.Request) { r.Timeout = 300 * time.Millisecond })
			if result.Failure != test.code || !strings.Contains(result.Detail, test.says) {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestHTTP2IsSpokenWhereOfferedOverOneConnection(t *testing.T) {
	ca := newAuthority(t)
	var connections atomic.Int32
	var protos sync.Map
	client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	config := &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		connections.Add(1)
		return nil, nil
	}}
	server := serveTLS(t, config, true, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		protos.Store(r.Proto+" "+string(body), true)
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(503)
	})
	post(t, client, server.URL, nil)
	var sending sync.WaitGroup
	for range 50 {
		sending.Go(func() {
			if result := post(t, client, server.URL, nil); result.Response.Status != 503 || result.RetryAfter != "9" || result.Response.RemoteAddr != server.Listener.Addr().String() {
				t.Errorf("%+v", result)
			}
		})
	}
	sending.Wait()
	protos.Range(func(key, _ any) bool {
		if key != `HTTP/2.0 {"id":"evt_1"}` {
			t.Errorf("the server saw %q", key)
		}
		return true
	})
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestHostileHTTP2AnswersBecomeClosedCodes(t *testing.T) {
	ca := newAuthority(t)
	hold := make(chan struct{})
	for _, test := range []struct {
		name   string
		handle http.HandlerFunc
		code   postrider.OutcomeCode
		status int
		kept   bool // the connection is good for the next request
	}{
		{"a head over the limit", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 40 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("a", 1<<10))
			}
		}, postrider.OutcomeTooLarge, 0, true},
		{"a head many times over the limit", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 400 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("a", 1<<10))
			}
		}, postrider.OutcomeProtocol, 0, false},
		{"a header over the limit", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("a", 64<<10)) }, postrider.OutcomeProtocol, 0, false},
		{"a stream reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, postrider.OutcomeProtocol, 0, true},
		{"silence", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hold:
			}
		}, postrider.OutcomeTimeout, 0, true},
		{"a body without end", func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 32<<10)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "", 200, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
			var requests, connections atomic.Int32
			config := &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				connections.Add(1)
				return nil, nil
			}}
			server := serveTLS(t, config, true, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.handle(w, r)
			})
			for i := range int32(2) { // on a new connection and on a kept one
				began := time.Now()
				result := post(t, client, server.URL, func(r *egress.Request) { r.Timeout = 500 * time.Millisecond })
				if result.Failure != test.code || result.Response.Status != test.status {
					t.Errorf("%+v", result)
				}
				if requests.Load() != i+1 || time.Since(began) > 3*time.Second {
					t.Errorf("%d requests for %d in %s", requests.Load(), i+1, time.Since(began))
				}
			}
			if n := connections.Load(); (n == 1) != test.kept {
				t.Errorf("%d connections", n)
			}
		})
	}
	close(hold)
}

// A server that says it is going away (GOAWAY), as proxies do after a thousand requests, costs no attempt.
func TestHTTP2ServerThatRestartsCostsNoAttempt(t *testing.T) {
	ca := newAuthority(t)
	client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	certificate := ca.sign(t, nil)
	var served atomic.Int32
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{certificate}}, true, func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1)%5 == 0 {
			w.Header().Set("Connection", "close") // HTTP/2: GOAWAY after this answer
		}
		w.WriteHeader(204)
	})
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() {
			for range 50 {
				if result := post(t, client, server.URL, nil); result.Response.Status != 204 {
					t.Errorf("%+v", result)
				}
			}
		})
	}
	sending.Wait()
	if n := served.Load(); n != 200 {
		t.Errorf("%d requests were served for 200", n)
	}
}

// Over HTTP/2 too a kept connection that dies costs no attempt.
func TestHTTP2ConnectionThatDiesIsReplaced(t *testing.T) {
	ca := newAuthority(t)
	client := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	var mu sync.Mutex
	var sockets []net.Conn
	var requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			mu.Lock()
			reset(sockets[0].(*tls.Conn).NetConn())
			mu.Unlock()
			<-r.Context().Done()
			return
		}
		w.WriteHeader(204)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.sign(t, nil)}}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			sockets = append(sockets, conn)
			mu.Unlock()
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	for i := range 3 {
		if result := post(t, client, server.URL, nil); result.Response.Status != 204 {
			t.Errorf("%d: %+v", i, result)
		}
	}
	if n := requests.Load(); n != 4 {
		t.Errorf("%d requests for 3, one of which had to be repeated", n)
	}
}

func TestOptionsAreRefusedInPlainWords(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		options egress.Options
		says    string
	}{
		{egress.Options{ExtraCAFile: bad}, "holds no certificate"},
		{egress.Options{ExtraCAFile: bad + ".missing"}, "cannot be read"},
		{egress.Options{ProxyURL: "ftp://user:geheim@proxy.example"}, "proxy"},
		{egress.Options{ProxyURL: "http://user:geheim@:x"}, "proxy"},
		{egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}, "not a prefix such as"},
		{egress.Options{Allow: []netip.Prefix{{}}}, "not a prefix such as"},
	} {
		_, err := egress.New(test.options)
		if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v", test.options, err)
		}
	}
}

func TestProxyIsUsedOnlyWhenAskedFor(t *testing.T) {
	ca := newAuthority(t)
	target := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"hooks.example"} })}}, false,
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }))
	t.Cleanup(plain.Close)
	var asked sync.Map
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method+" "+r.Host, r.Header.Get("Proxy-Authorization"))
		if r.Host == "forbidden.example:443" {
			w.WriteHeader(403)
			return
		}
		if r.Method != http.MethodConnect {
			w.WriteHeader(201)
			return
		}
		onward, err := net.Dial("tcp", target.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(502)
			return
		}
		inward, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(inward, "HTTP/1.1 200 OK\r\n\r\n")
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(onward, inward); _ = onward.Close() })
		_, _ = io.Copy(inward, onward)
		_ = inward.Close()
		both.Wait()
	}))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)

	direct := newClient(t, func(o *egress.Options) { o.ExtraCAFile = ca.file })
	if result := post(t, direct, plain.URL, nil); result.Response.Status != 202 {
		t.Errorf("without a proxy: %+v", result)
	}
	asked.Range(func(key, _ any) bool { t.Errorf("the proxy of the environment was asked: %v", key); return true })

	// The proxy itself stands on a private address, which is the operator's choice.
	through := newClient(t, func(o *egress.Options) {
		o.AllowPrivate, o.ExtraCAFile, o.ProxyURL = false, ca.file, strings.Replace(proxy.URL, "http://", "http://u:geheim@", 1)
	})
	for _, test := range []struct {
		url    string
		status int
		code   postrider.OutcomeCode
	}{
		{"https://hooks.example/x", 204, ""},
		{"http://hooks.example/x", 201, ""},
		{"https://forbidden.example/x", 0, postrider.OutcomeUnreachable},
		{"https://other.example/x", 0, postrider.OutcomeTLS},
		{"https://127.0.0.1/x", 0, postrider.OutcomeBlockedAddress},
		{"http://[::ffff:10.0.0.1]/x", 0, postrider.OutcomeBlockedAddress},
	} {
		result := post(t, through, test.url, nil)
		if result.Response.Status != test.status || result.Failure != test.code || strings.Contains(result.Detail, "geheim") {
			t.Errorf("%s: %+v", test.url, result)
		}
	}
	if authorization, found := asked.Load("CONNECT hooks.example:443"); !found || authorization != "Basic dTpnZWhlaW0=" {
		t.Errorf("the proxy was asked with %v", authorization)
	}
	silent := serveRaw(t, func(_ int, _ net.Conn, r *bufio.Reader) { untilClosed(r) })
	waiting := newClient(t, func(o *egress.Options) { o.ProxyURL = silent.url })
	if result := post(t, waiting, "https://hooks.example/", func(r *egress.Request) { r.Timeout = 200 * time.Millisecond }); result.Failure != postrider.OutcomeTimeout {
		t.Errorf("a silent proxy: %+v", result)
	}
}

// rebinder is a name server that gives the next of its answers each time.
type rebinder struct {
	answers []netip.Addr // the zero Addr: the name does not exist
	asked   atomic.Int32
	address string
}

func newRebinder(t *testing.T, answers ...netip.Addr) *rebinder {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rebinder{answers: answers, address: socket.LocalAddr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		query := make([]byte, 512)
		for {
			n, from, err := socket.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := r.answer(query[:n]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() { _ = socket.Close(); serving.Wait() })
	return r
}

// answer writes a DNS message by hand (RFC 1035, section 4): the query's header and question, and one
// address of the asked type.
func (r *rebinder) answer(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	if end > len(query) {
		return nil
	}
	kind := query[end-3]
	const typeA, typeAAAA = 1, 28
	addr := r.answers[0]
	if kind == typeA {
		addr = r.answers[min(int(r.asked.Add(1))-1, len(r.answers)-1)]
	}
	message := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	switch {
	case !addr.IsValid():
		message[3] |= 3 // NXDOMAIN
	case addr.Is4() && kind == typeA || addr.Is6() && kind == typeAAAA:
		message[7] = 1
		raw := addr.AsSlice()
		message = append(message, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
		message = append(message, raw...)
	}
	return message
}

func (r *rebinder) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", r.address)
	}}
}

func TestNameThatChangesItsAddressGainsNothing(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	t.Cleanup(inside.Close)
	port := parse(t, inside.URL).Port()
	var reached atomic.Int32
	outside := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.Header().Set("Connection", "close") // so that every request looks the name up
	})}
	listener, err := net.Listen("tcp", "127.0.0.2:"+port) // 127.0.0.2 plays a public address
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = outside.Serve(listener) })
	t.Cleanup(func() { _ = outside.Close(); serving.Wait() })

	names := newRebinder(t, netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("169.254.169.254"))
	client := newClient(t, func(o *egress.Options) {
		o.AllowPrivate, o.Allow, o.Resolver = false, []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, names.resolver()
	})
	if _, err := client.CheckURL("http://hooks.example.:"+port+"/", false); err != nil {
		t.Fatal(err)
	}
	var codes []postrider.OutcomeCode
	var details string
	for range 4 {
		result := post(t, client, "http://hooks.example.:"+port+"/", nil)
		codes = append(codes, result.Failure)
		details += result.Detail + "\n"
		if result.Failure == "" && result.Phases.DNS <= 0 {
			t.Errorf("phases %+v", result.Phases)
		}
	}
	if want := []postrider.OutcomeCode{"", postrider.OutcomeBlockedAddress, "", postrider.OutcomeBlockedAddress}; !slices.Equal(codes, want) {
		t.Errorf("%q", codes)
	}
	if reached.Load() != 2 || names.asked.Load() != 4 {
		t.Errorf("the outside was reached %d times, the name server %d times", reached.Load(), names.asked.Load())
	}
	if !strings.Contains(details, "hooks.example. leads to 127.0.0.1, which is a loopback address: this gateway does not send there") {
		t.Errorf("details:\n%s", details)
	}
}

func TestNamesAndAddressesInIPv6AreGuardedToo(t *testing.T) {
	for _, addr := range []string{"::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1", "fd00:ec2::254"} {
		names := newRebinder(t, netip.MustParseAddr(addr))
		client := newClient(t, func(o *egress.Options) { o.AllowPrivate, o.Resolver = false, names.resolver() })
		if result := post(t, client, "http://six.example.:9/", nil); result.Failure != postrider.OutcomeBlockedAddress {
			t.Errorf("%s by name: %+v", addr, result)
		}
		if result := post(t, client, "http://["+addr+"]:9/", nil); result.Failure != postrider.OutcomeBlockedAddress {
			t.Errorf("%s: %+v", addr, result)
		}
	}
}

func TestNameAndConnectionFailuresAreTold(t *testing.T) {
	nobody := newRebinder(t, netip.Addr{})
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	mute := &rebinder{address: silent.LocalAddr().String()}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url      string
		resolver *net.Resolver
		code     postrider.OutcomeCode
		says     string
	}{
		{"http://none.example./", nobody.resolver(), postrider.OutcomeDNS, "the name none.example. has no address"},
		{"http://mute.example./", mute.resolver(), postrider.OutcomeTimeout, "no answer within 300ms (waited for the address of mute.example.)"},
		{"http://" + closed + "/", nil, postrider.OutcomeRefused, "connection refused by " + closed},
		{"http://255.255.255.255/", nil, postrider.OutcomeBlockedAddress, "not a public address"},
	} {
		// Not newClient: a look-up that was given up ends by Go's resolver's own time limit, 5 s a try.
		client, err := egress.New(egress.Options{AllowPrivate: true, Resolver: test.resolver})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		result := post(t, client, test.url, func(r *egress.Request) { r.Timeout = 300 * time.Millisecond })
		if result.Failure != test.code || !strings.Contains(result.Detail, test.says) {
			t.Errorf("%s: %+v", test.url, result)
		}
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
