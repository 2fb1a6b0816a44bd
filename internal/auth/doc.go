// Package auth says who a caller is and what it may do.
//
// Authenticator turns the Authorization header of a request into a Principal, and keeps what it
// found in memory for a short while, so that publishing an event costs no query. Allowed is the
// table of who may do what. GenerateKey makes bearer keys, of which only the hash is ever stored.
//
// Authorization itself stands in internal/control, once for all surfaces: it asks Allowed first and
// then looks only inside the principal's tenant, so that another tenant's id is "not found".
package auth
