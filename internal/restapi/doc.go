// Package restapi is the REST interface: seed 004's routes and those around them, as one http.Handler.
//
// route.go is the table of all routes, each with the action it needs; everything else hangs on it:
// the mux, the OpenAPI document, and the tests that walk every route. A handler decodes, asks one
// verb of control or ingest, and encodes. The management routes stand on huma, which reads
// parameters and writes the document; publish.go and parse.go are made by hand, because every event
// passes through them.
//
// Every answer that is not a success is api.ErrorBody, also for what the mux or huma refuse, and
// fault.go is the one place where a postrider.Code becomes a status.
package restapi
