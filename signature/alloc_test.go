//go:build !race

// Under the race detector sync.Pool drops what it is given at random, so allocations are counted
// without it.

package signature_test

import (
	"testing"

	"github.com/postrider/postrider/signature"
)

func TestSigningAllocatesNothing(t *testing.T) {
	for _, scheme := range []signature.Scheme{standard(), prefixed(), timestamped()} {
		signer, err := signature.NewSigner(scheme, secretsOf([]string{whsec}))
		if err != nil {
			t.Fatal(err)
		}
		body, dst := make([]byte, 1024), make([]byte, 0, 256)
		if got := testing.AllocsPerRun(100, func() { dst = signer.AppendHeader(dst[:0], "msg_1", clock, body) }); got >= 1 {
			t.Errorf("%s: %.1f allocations a header", scheme.Header, got)
		}
	}
}
