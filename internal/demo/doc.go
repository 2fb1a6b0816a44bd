// Package demo is `postrider demo`: a server on a temporary store, a receiver for every built-in
// contract, and live events between them.
//
// The receivers (receiver.go) verify as the documents of the five systems tell their customers to,
// with the standard library's HMAC and none of the gateway's signing code, so that what they accept
// a customer's receiver accepts. demo.go runs the story; script.go holds what is registered and published.
package demo
