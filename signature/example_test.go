package signature_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/signature"
)

// A receiver verifies the bytes as they came, before it parses them.
func ExampleVerifier_Verify() {
	scheme := signature.Scheme{
		Header: "X-Signature", Algorithm: signature.HMACSHA256, Key: signature.KeyUTF8,
		Over: []signature.Part{signature.PartBody}, Encoding: signature.Hex, Format: "sha256={signature}",
	}
	secrets := []postrider.Secret{postrider.NewSecret("the secret of both sides")}
	now := time.Date(2025, 12, 12, 20, 44, 57, 0, time.UTC)
	body := []byte(`{"id":"evt_1"}`)

	signer, err := signature.NewSigner(scheme, secrets)
	if err != nil {
		fmt.Println(err)
		return
	}
	header := http.Header{}
	header.Set("X-Signature", string(signer.AppendHeader(nil, "", now, body)))

	verifier, err := signature.NewVerifier(scheme, secrets)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(verifier.Verify(header, body, now))
	fmt.Println(verifier.Verify(http.Header{}, body, now))
	// Output:
	// <nil>
	// the request has no "X-Signature" header: it was not sent by this sender, another contract is in use, or a proxy dropped the header
}
