package egress

import (
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"testing"
	"time"
)

func TestTransportsOfACertificateGoWhenLongUnusedAndStayWhileUsed(t *testing.T) {
	c := &certified{pairs: make(map[[sha256.Size]byte]*transports)}
	open := func(*tls.Certificate) *transports {
		return &transports{pooled: &http.Transport{}, fresh: &http.Transport{}}
	}
	start := time.Date(2026, 2, 18, 10, 30, 0, 0, time.UTC)
	idle, used, other := &certificate{fingerprint: [32]byte{1}}, &certificate{fingerprint: [32]byte{2}}, &certificate{fingerprint: [32]byte{3}}
	c.give(idle, c.take(idle, start, open), start)
	held := c.take(used, start, open)
	if c.take(used, start, open) != held {
		t.Error("one certificate has two transports")
	}
	later := start.Add(certificateIdle)
	c.give(other, c.take(other, later, open), later)
	if _, kept := c.pairs[idle.fingerprint]; kept {
		t.Error("what was long unused is kept")
	}
	if c.pairs[used.fingerprint] != held || len(c.pairs) != 2 {
		t.Errorf("%d pairs; what is in use must stay", len(c.pairs))
	}
}

func TestMoreCertificatesInUseThanAreKeptStillSend(t *testing.T) {
	c := &certified{pairs: make(map[[sha256.Size]byte]*transports)}
	open := func(*tls.Certificate) *transports {
		return &transports{pooled: &http.Transport{}, fresh: &http.Transport{}}
	}
	now := time.Date(2026, 2, 18, 10, 30, 0, 0, time.UTC)
	var held []*transports
	for i := range maxCertificates + 10 {
		held = append(held, c.take(&certificate{fingerprint: [32]byte{byte(i), byte(i >> 8), 1}}, now, open))
	}
	if len(c.pairs) != maxCertificates {
		t.Errorf("%d are kept, want %d", len(c.pairs), maxCertificates)
	}
	for i, pair := range held {
		c.give(&certificate{fingerprint: [32]byte{byte(i), byte(i >> 8), 1}}, pair, now)
		if pair.users != 0 {
			t.Errorf("pair %d has %d users", i, pair.users)
		}
	}
}
