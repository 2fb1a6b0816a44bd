// Package egress sends webhooks: one HTTP POST to an address that a stranger chose, answered by a
// server that a stranger wrote.
//
// Two things follow, and they are all this package is about.
//
// The address is not trusted. Every address that is dialled passes the guard (guard.go) after the
// name was looked up and before the connection is made, so a name that changes its address between
// a check and its use (DNS rebinding) gains nothing. Redirects are never followed, and the
// environment's proxy variables are never read.
//
// The answer is not trusted. Response heads and bodies are bounded in bytes and in time, nothing is
// decompressed, and whatever happens becomes one of the closed postrider.OutcomeCode words
// (failure.go) with a Detail that a support person can paste into a mail.
//
// Credentials (credentials.go) are what an endpoint asks for beside the signature. OAuth tokens
// (oauth.go) are fetched by the same rules, because a token server's address and its answers are just as
// much a stranger's choice; a client certificate (certificate.go) gets connections of its own.
//
// Start at New and Client.Post. CheckURL is the same knowledge at registration time, where a person
// is there to read the message.
package egress
