package egress

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postrider/postrider"
)

// Options configures a Client. The zero value sends to public addresses only, directly.
type Options struct {
	// AllowPrivate lets requests go to loopback, private (RFC 1918, RFC 4193) and shared (RFC 6598)
	// addresses: the --dev switch. Cloud metadata and link-local addresses stay refused.
	AllowPrivate bool

	// Allow lists prefixes that may be sent to although the guard would refuse them. A cloud metadata
	// address is opened only by a prefix that is exactly it (/32 or /128).
	Allow []netip.Prefix

	// ProxyURL sends everything through an http, https or socks5 proxy. The proxy then looks names
	// up, so that the guard judges only addresses written in the endpoint's URL: the proxy has to
	// judge the rest. The proxy's own address is the operator's choice and is not judged. Empty: none;
	// HTTP_PROXY and its relatives are never read.
	ProxyURL string

	// ExtraCAFile names a PEM file of certificate authorities trusted beside the system's.
	ExtraCAFile string

	// UserAgent is sent with every request whose header does not set one; "" means "Postrider".
	UserAgent string

	// MaxIdleConnsPerHost bounds the connections kept for reuse to one host (default 64), and
	// MaxIdleConns those to all hosts together (default 1024). A connection is kept 30 seconds.
	MaxIdleConnsPerHost int
	MaxIdleConns        int

	// MaxHeadBytes bounds a response's head, its 1xx heads included (default 32 KiB).
	MaxHeadBytes int64

	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
}

const (
	defaultUserAgent     = "Postrider"
	defaultIdlePerHost   = 64
	defaultIdle          = 1024
	defaultHeadBytes     = 32 << 10
	defaultTimeout       = 30 * time.Second
	defaultResponseLimit = 64 << 10
	maxResponseLimit     = 1 << 20

	idleTime = 30 * time.Second // shorter than most servers keep a connection
	dialTime = 30 * time.Second // outer bound; a request's own time limit is nearly always shorter
	bodyTime = time.Second      // for a response's body, after its head

	// staleWindow bounds how long after the request a kept connection may break and still count as one
	// that the server had closed before it read the request: the news of that takes one way of the
	// network. A later break means that the server had the request and gave up.
	staleWindow = time.Second
)

// Client sends webhooks. It is safe for concurrent use; make one for the whole process, because the
// connections it keeps are what makes it fast.
type Client struct {
	guard     guard
	userAgent string
	proxy     *url.URL

	plain     *transports
	certified certified
	open      func(*tls.Certificate) *transports // with a client certificate, or with nil without one

	bodies sync.Pool // of *smallBody

	direct  net.Dialer // guarded
	toProxy net.Dialer // not guarded
}

// New makes a Client. Errors are *postrider.Error of CodeInvalid, about the proxy or the CA file.
func New(o Options) (*Client, error) {
	c := &Client{guard: guard{allowPrivate: o.AllowPrivate}, userAgent: o.UserAgent}
	for _, prefix := range o.Allow {
		if !prefix.IsValid() || prefix.Addr().Zone() != "" || prefix.Addr().Is4In6() {
			return nil, invalid("%s on the allow-list is not a prefix such as 10.1.0.0/16 or fd00:1::/32", prefix)
		}
		c.guard.allow = append(c.guard.allow, prefix)
	}
	c.bodies.New = func() any { return new(smallBody) }
	if c.userAgent == "" {
		c.userAgent = defaultUserAgent
	}
	if o.ProxyURL != "" {
		proxy, err := parseProxy(o.ProxyURL)
		if err != nil {
			return nil, err
		}
		c.proxy = proxy
	}
	roots, err := loadRoots(o.ExtraCAFile)
	if err != nil {
		return nil, err
	}
	c.direct = net.Dialer{Timeout: dialTime, KeepAlive: idleTime, Resolver: o.Resolver, ControlContext: c.control}
	c.toProxy = net.Dialer{Timeout: dialTime, KeepAlive: idleTime, Resolver: o.Resolver}
	c.open = func(certificate *tls.Certificate) *transports {
		pair := &transports{pooled: c.newTransport(o, roots, certificate), fresh: c.newTransport(o, roots, certificate)}
		pair.fresh.DisableKeepAlives = true
		return pair
	}
	c.plain = c.open(nil)
	c.certified.pairs = make(map[[sha256.Size]byte]*transports)
	return c, nil
}

// Close closes the connections that are kept. Requests under way are their callers' to end.
func (c *Client) Close() {
	c.plain.close()
	c.certified.close()
}

func (c *Client) newTransport(o Options, roots *x509.CertPool, certificate *tls.Certificate) *http.Transport {
	t := &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(256)},
		TLSHandshakeTimeout:    dialTime,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // what comes back is kept as it came, and a bomb stays small
		MaxIdleConns:           positive(o.MaxIdleConns, defaultIdle),
		MaxIdleConnsPerHost:    positive(o.MaxIdleConnsPerHost, defaultIdlePerHost),
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: int64(positive(int(o.MaxHeadBytes), defaultHeadBytes)),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     128 << 10,
			SendPingTimeout:               15 * time.Second, // finds a dead connection that many requests share
			PingTimeout:                   5 * time.Second,
		},
	}
	if certificate != nil {
		// Always shown when it is asked for: whether it is a good one is the receiver's to say.
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	if c.proxy != nil {
		t.Proxy = http.ProxyURL(c.proxy)
		t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
			if answer.StatusCode != http.StatusOK {
				return &proxyError{answer.StatusCode}
			}
			return nil
		}
	}
	return t
}

// control runs for every socket, after the name was looked up and before it connects.
func (c *Client) control(ctx context.Context, _, address string, raw syscall.RawConn) error {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		e.connecting(address)
	}
	return c.guard.checkSocket(address, raw)
}

// dial makes a connection for the transport. The transport's ctx outlives the request; dial ties
// both ends together again, so that a request that is given up leaves no connection being made.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &c.direct
	if c.proxy != nil {
		dialer = &c.toProxy
	}
	e, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return dialer.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithDeadline(ctx, e.deadline)
	defer cancel()
	defer e.whenGivenUp(cancel)()
	made, err := dialer.DialContext(e.traceLookup(ctx), network, address)
	if err != nil {
		return nil, err
	}
	conn := newConnection(made)
	e.connected(conn)
	return conn, nil
}

// connection remembers its remote address as text, which every attempt over it reports, and whether
// the other side ended it, which net/http forgets when what came before can be read as a fault. It
// reads nothing until something was written: who speaks first (SSH, SMTP) would otherwise be taken
// for a broken kept connection, and net/http would put his words into the log.
type connection struct {
	net.Conn
	remote string
	ended  atomic.Bool
	spoken chan struct{} // closed by the first Write or by Close
	once   sync.Once
}

func newConnection(conn net.Conn) *connection {
	return &connection{Conn: conn, remote: conn.RemoteAddr().String(), spoken: make(chan struct{})}
}

// Read reads from the socket.
func (c *connection) Read(b []byte) (int, error) {
	<-c.spoken
	n, err := c.Conn.Read(b)
	if err != nil && isBreak(err) {
		c.ended.Store(true)
	}
	return n, err
}

// Write writes to the socket.
func (c *connection) Write(b []byte) (int, error) {
	c.speak()
	return c.Conn.Write(b)
}

// Close closes the socket.
func (c *connection) Close() error {
	c.speak()
	return c.Conn.Close()
}

func (c *connection) speak() { c.once.Do(func() { close(c.spoken) }) }

// underneath is the connection that dial made.
func underneath(conn net.Conn) *connection {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*connection)
	return c
}

func parseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		// The text is not shown: it may hold a password.
		return nil, invalid("the proxy's URL is not one: it looks like http://proxy.example:3128, or https:// or socks5://")
	}
	return u, nil
}

func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, invalid("the CA file %s cannot be read: %w", strconv.Quote(file), err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the CA file %q holds no certificate in PEM form", file)
	}
	return roots, nil
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
