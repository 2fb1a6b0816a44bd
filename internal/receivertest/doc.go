// Package receivertest is the other end of a webhook, for tests and for the demonstration: a server
// on loopback that records every request in order, verifies it as a contract's receivers do, and
// answers by a script.
//
//	r, err := receivertest.Start(receivertest.Xemelgo("a secret of more than 24 characters"))
//	...
//	defer r.Close()
//	r.Script(receivertest.Status(503), receivertest.Hang()) // then 200s
//	publish(r.URL())
//	err = r.WaitFor(ctx, 3)
//	for _, request := range r.Requests() { ... request.Fault ... }
//
// The verification is written out with crypto/hmac, after the documents in the seeds, and shares
// nothing with package signature: a mistake made there cannot hide here.
package receivertest
