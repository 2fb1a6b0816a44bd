// Package signature signs webhook requests and verifies them.
//
// A Scheme says, as data, how a sender proves that a request is its own: the algorithm, what is
// signed (the body alone, or id, timestamp and body joined with full stops), how the signature is
// written, and in which header. The same Scheme serves both sides.
//
// A sender makes a Signer once for each set of secrets and calls AppendHeader for every request:
//
//	signer, err := signature.NewSigner(scheme, secrets)
//	value := signer.AppendHeader(nil, id, now, body)
//
// A receiver makes a Verifier once and hands it each request's headers and its raw body, before
// any JSON parsing:
//
//	verifier, err := signature.NewVerifier(scheme, secrets)
//	err = verifier.Verify(request.Header, body, time.Now())
//
// Several secrets may be in force while one replaces another. A scheme with a Separator sends a
// signature of each; one without sends the first secret's (the newest) alone. A Verifier takes a
// signature of any of its secrets.
//
// The package is pure: no clock, no network, no global state. The vectors in testdata were computed
// by Python's hmac module and by openssl, see testdata/generate.py.
package signature
