package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postrider/postrider"
)

// proxyError is a proxy's refusal to connect.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", e.status, http.StatusText(e.status))
}

// streamError is HTTP/2's RST_STREAM. The transport's own type is hidden, and fills any struct of
// this shape (net/http, h2_error.go).
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error " + strconv.Itoa(int(e.Code)) }

// explain says why no status came: a word of the closed list, and a sentence. It goes by where the
// exchange had got to and by the types of errors; net/http leaves one case to be told by its text.
// The caller holds e.mu.
func (e *exchange) explain(parent context.Context, err error, host string, timeout time.Duration) (postrider.OutcomeCode, string) {
	host = printable(host)
	if errors.Is(context.Cause(e.ctx), errTimeLimit) || isTimeout(err) && !time.Now().Before(e.deadline) {
		return postrider.OutcomeTimeout, e.explainTimeout(host, timeout)
	}
	if parent.Err() != nil {
		return postrider.OutcomeInterrupted, "the gateway gave the request up before an answer came"
	}
	if blocked, ok := errors.AsType[*blockedError](err); ok {
		if _, err := netip.ParseAddr(host); err == nil {
			return postrider.OutcomeBlockedAddress, "the URL leads to " + blocked.Error()
		}
		return postrider.OutcomeBlockedAddress, host + " leads to " + blocked.Error()
	}
	if refused, ok := errors.AsType[*proxyError](err); ok {
		return postrider.OutcomeUnreachable, refused.Error()
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return postrider.OutcomeDNS, explainLookup(lookup, host)
	}
	if detail, ok := e.explainTLS(err, host); ok {
		return postrider.OutcomeTLS, detail
	}
	switch {
	case isTooLarge(err):
		return postrider.OutcomeTooLarge, "the response's head from " + e.remote + " is over the limit"
	case e.http2 && isNotEstablished(err):
		return postrider.OutcomeReset, e.remote + " ended the connection right after the TLS handshake: it may ask for a client certificate, or for another one"
	case e.answered || e.http2 && !isBreak(err):
		if isBreak(err) || e.conn != nil && e.conn.ended.Load() {
			return postrider.OutcomeReset, e.remote + " closed the connection in the middle of the response's head"
		}
		return postrider.OutcomeProtocol, e.remote + " did not answer in HTTP: " + printable(innermost(err))
	case e.got:
		return postrider.OutcomeReset, e.remote + " closed the connection before it answered"
	case e.remote != "":
		return e.explainDial(err, timeout)
	}
	return postrider.OutcomeContract, "the request could not be made: " + printable(innermost(err))
}

func (e *exchange) explainTimeout(host string, timeout time.Duration) string {
	var waited string
	connected := "connected to " + e.remote + " after " + milliseconds(e.connectIn)
	if e.reused {
		connected = "on a kept connection to " + e.remote
	}
	switch e.waiting {
	case phaseLookup:
		waited = "waited for the address of " + host
	case phaseConnect:
		waited = "waited for a connection to " + e.remote
	case phaseTLS:
		waited = connected + ", waited for the TLS handshake"
	case phaseSend:
		waited = connected + ", waited for the request to be taken"
	case phaseHead:
		waited = connected + ", waited for the response head"
		if e.answered {
			waited = connected + ", the response head began and did not end"
		}
	}
	return "no answer within " + timeout.String() + " (" + waited + ")"
}

func explainLookup(err *net.DNSError, host string) string {
	switch {
	case err.IsNotFound:
		return "the name " + host + " has no address"
	case err.IsTimeout:
		return "the name server did not answer for " + host
	}
	return "the address of " + host + " could not be looked up"
}

// explainDial is for a connection that was never made.
func (e *exchange) explainDial(err error, timeout time.Duration) (postrider.OutcomeCode, string) {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return postrider.OutcomeRefused, "connection refused by " + e.remote
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return postrider.OutcomeUnreachable, "no route to " + e.remote
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		return postrider.OutcomeReset, e.remote + " closed the connection at once"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return postrider.OutcomeUnreachable, "this gateway has too many open files to connect to " + e.remote
	case isTimeout(err):
		return postrider.OutcomeTimeout, "no answer within " + timeout.String() + " (waited for a connection to " + e.remote + ")"
	}
	return postrider.OutcomeUnreachable, e.remote + " cannot be reached: " + printable(innermost(err))
}

// explainTLS tells whether the handshake, or TLS afterwards, is at fault, and how.
func (e *exchange) explainTLS(err error, host string) (string, bool) {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return e.remote + " speaks plain HTTP where https was asked for", true
	}
	if detail, ok := explainCertificate(err, host); ok {
		return detail, true
	}
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(header.RecordHeader[:]) == "HTTP/" {
			return e.remote + " speaks plain HTTP where https was asked for", true
		}
		return e.remote + " does not speak TLS", true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		// crypto/tls names alerts so, whichever side sent them.
		switch op.Op {
		case "remote error":
			return e.remote + " refused the TLS connection: " + printable(innermost(op.Err)), true
		case "local error":
			return "the TLS connection to " + e.remote + " failed: " + printable(innermost(op.Err)), true
		}
	}
	if e.got || e.waiting != phaseTLS {
		return "", false
	}
	if isBreak(err) {
		return e.remote + " closed the connection during the TLS handshake", true
	}
	return "the TLS handshake with " + e.remote + " failed: " + printable(innermost(err)), true
}

func explainCertificate(err error, host string) (string, bool) {
	if wrong, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate for " + namesOf(wrong.Certificate) + " is not valid for " + host, true
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if bad.Reason == x509.Expired && bad.Cert != nil {
			return "the certificate of " + host + " is valid from " + bad.Cert.NotBefore.UTC().Format(time.DateTime) +
				" to " + bad.Cert.NotAfter.UTC().Format(time.DateTime) + " UTC, not now", true
		}
		return "the certificate of " + host + " is not valid: " + printable(bad.Error()), true
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "nobody"
		if unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return "the certificate of " + host + " is signed by an authority that this gateway does not know: " + printable(issuer), true
	}
	if other, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of " + host + " cannot be verified: " + printable(innermost(other.Err)), true
	}
	return "", false
}

func namesOf(certificate *x509.Certificate) string {
	if certificate == nil {
		return "no name"
	}
	names := certificate.DNSNames
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{certificate.Subject.CommonName}
	}
	more := ""
	if len(names) > 3 {
		names, more = names[:3], " and others"
	}
	return printable(strings.Join(names, ", ") + more)
}

// isTooLarge knows net/http's two errors for a head over MaxResponseHeaderBytes by their text, for
// they have no type; a test fails when a release of Go changes the text.
func isTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit")
}

// isNotEstablished knows net/http's error for an HTTP/2 connection that ended before its first frame,
// which is how a refused client certificate may show in TLS 1.3.
func isNotEstablished(err error) bool {
	return strings.Contains(err.Error(), "http2: client conn could not be established")
}

func isTimeout(err error) bool {
	timed, ok := errors.AsType[net.Error](err)
	return ok && timed.Timeout()
}

func isBreak(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// innermost is the text of the cause at the end of err's chain: what really happened, without the
// layers' own words, which may repeat addresses.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

const maxPrintable = 160

// printable makes a text that a stranger may have chosen fit for a log line.
func printable(text string) string {
	if len(text) > maxPrintable {
		text = text[:maxPrintable] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || !strconv.IsPrint(r) && r != '…' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}
