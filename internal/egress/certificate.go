package egress

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"time"

	"github.com/postrider/postrider"
)

// certificate is a client certificate made ready, and the fingerprint of its chain.
type certificate struct {
	fingerprint [sha256.Size]byte
	pair        tls.Certificate
}

// ReadCertificate reads a client certificate's chain and key and gives the certificate itself. It asks
// for PEM, for a key that belongs to the first certificate of the chain, and for a certificate that is
// valid at now. Errors are of CodeInvalid, fit for the user, and show nothing of the key.
func ReadCertificate(from *postrider.ClientCertificate, now time.Time) (*x509.Certificate, error) {
	read, err := readCertificate(from)
	if err != nil {
		return nil, err
	}
	leaf := read.pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return nil, invalid("the certificate ended on %s", leaf.NotAfter.UTC().Format(time.DateTime))
	case now.Before(leaf.NotBefore):
		return nil, invalid("the certificate begins on %s", leaf.NotBefore.UTC().Format(time.DateTime))
	}
	return leaf, nil
}

func readCertificate(from *postrider.ClientCertificate) (*certificate, error) {
	pair, err := tls.X509KeyPair([]byte(from.Chain), []byte(from.Key.Reveal()))
	if err != nil {
		// The cause is dropped: it may quote what it could not read.
		return nil, invalid("the certificate cannot be used: give the chain and its unencrypted private key in PEM form, the certificate that belongs to the key first")
	}
	read := &certificate{pair: pair}
	sum := sha256.New()
	for _, der := range pair.Certificate {
		sum.Write(der)
	}
	sum.Sum(read.fingerprint[:0])
	return read, nil
}

// transports are the two ways to send: over kept connections, and over a new one.
type transports struct {
	pooled *http.Transport
	fresh  *http.Transport // makes a new connection for every request; see Post

	// Of a client certificate, guarded by certified.mu.
	users int
	last  time.Time // when it was given back
}

func (t *transports) close() {
	t.pooled.CloseIdleConnections()
	t.fresh.CloseIdleConnections()
}

const (
	maxCertificates = 256             // certificates whose connections are kept
	certificateIdle = 2 * time.Minute // until an unused certificate's transports go
)

// certified keeps transports by client certificate, because a connection speaks for the certificate
// that it was made with. Endpoints of the same certificate share them; whoever has the certificate's
// key has proved it.
type certified struct {
	mu    sync.Mutex
	pairs map[[sha256.Size]byte]*transports
	swept time.Time
}

// take gives the certificate's transports, which must be given back.
func (c *certified) take(cert *certificate, now time.Time, open func(*tls.Certificate) *transports) *transports {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	pair, found := c.pairs[cert.fingerprint]
	if !found {
		pair = open(&cert.pair)
		if len(c.pairs) < maxCertificates || c.evict() {
			c.pairs[cert.fingerprint] = pair
		}
	}
	pair.users++
	return pair
}

// give takes transports back.
func (c *certified) give(cert *certificate, pair *transports, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair.users--
	pair.last = now
	if c.pairs[cert.fingerprint] != pair {
		pair.close() // there was no room to keep it
	}
	c.sweep(now)
}

// sweep lets go of what has long not been used, once in a while.
func (c *certified) sweep(now time.Time) {
	if now.Sub(c.swept) < certificateIdle/2 {
		return
	}
	c.swept = now
	for fingerprint, pair := range c.pairs {
		if pair.users == 0 && now.Sub(pair.last) >= certificateIdle {
			pair.close()
			delete(c.pairs, fingerprint)
		}
	}
}

// evict makes room by letting go of the longest unused transports; false when all are in use.
func (c *certified) evict() bool {
	var (
		oldest *transports
		of     [sha256.Size]byte
	)
	for fingerprint, pair := range c.pairs {
		if pair.users == 0 && (oldest == nil || pair.last.Before(oldest.last)) {
			oldest, of = pair, fingerprint
		}
	}
	if oldest == nil {
		return false
	}
	oldest.close()
	delete(c.pairs, of)
	return true
}

func (c *certified) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pair := range c.pairs {
		pair.close()
	}
}
