// Package ewhsapi speaks the management API of seed 002, eWarehousing: POST /wms/auth/login/ and
// /wms/auth/refresh/ give tokens, /webhooks/ and /webhooks/{id}/ manage webhooks of one group and one
// action each. The seed itself shows one body and no more; paths, answers and errors are those of the
// public reference (FACTS.md 6.2), so that both a client written from the seed and the published
// clients work unchanged. docs/ewarehousing.md shows real exchanges.
//
// To begin reading: Handler.ServeHTTP finds the route, admit finds out who asks, and each call is
// decode, one verb of control, encode. group and action are the topic "group.action"; spellings tells
// why a webhook gets two topics at times. Errors leave through refuse, in the two shapes of the
// reference.
package ewhsapi
