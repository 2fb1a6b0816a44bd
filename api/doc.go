// Package api holds the wire types of Postrider's REST interface: what the server writes and reads
// as JSON, and what package client gives to Go programs. It imports the standard library only.
//
// Field tags carry the descriptions and examples from which the server makes its OpenAPI document
// (GET /openapi.json), so that a type and its documentation cannot part.
//
// Three shapes hold everywhere: a list is List, an error is ErrorBody, and a time is RFC 3339 in UTC
// with at most three decimals of a second. Fields that a request does not know are refused by name.
package api
