// Package postrider is the vocabulary of Postrider, a webhook gateway in one Go binary: the types,
// ids, states and error codes that every other package speaks. It imports the standard library only.
//
// # The story
//
// A backend publishes an Event once: a Topic, some JSON data, inside one Tenant and one
// Environment. The tenant has Endpoints, each with a URL, the topics it wants, and a contract that
// says how its requests are shaped, signed, timed and retried. For each endpoint that wants the
// topic, accepting the event makes a Delivery; where there is none, a Reason is stored instead. The
// answer to the publisher is given after all of that is durable.
//
// Each endpoint has a lane, a queue of its own, so that a slow or dead receiver costs its own
// deliveries and nobody else's. When a delivery's turn comes, the engine renders the request,
// signs the very bytes that it sends, and makes an Attempt. What came back is judged into an
// Outcome: success ends the delivery, a retryable outcome schedules the next attempt by the
// contract, and a used-up schedule fails the delivery and, where the contract says so, disables the
// endpoint. Attempts are only ever added, so what happened can always be told.
//
// # The rooms
//
// From the bottom up; a package imports only from lower floors, and internal/archtest is that rule
// as a test:
//
//   - postrider, this package: the vocabulary; internal/jsonscan: strict JSON without allocation
//   - signature: signing schemes, and Verify for receivers
//   - contract: contracts as documents; Render, Judge and Next, pure functions of them
//   - api, client: the wire types of the REST interface, and a Go client of it
//   - internal/store: what is asked of a database; internal/store/sqlite answers it
//   - internal/egress: HTTP to untrusted receivers, with the address guard
//   - internal/auth: keys and who may do what
//   - internal/ingest: accept events; internal/deliver: the engine; internal/control: manage the rest
//   - internal/restapi: the REST interface
//   - internal/ewhsapi: the management API of seed 002
//   - internal/config, internal/server: options, and the one place where all parts are put together
//   - internal/bench, internal/demo, internal/cli, cmd/postrider: the program
package postrider
