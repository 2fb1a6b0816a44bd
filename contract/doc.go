// Package contract holds what two parties to a webhook have agreed on, as data: how a request is
// shaped and signed, how long a receiver may take, what its answers mean, and when a failed attempt
// is made again.
//
// A contract is one YAML document. Five are built in (see Builtin); an operator writes a sixth
// without code. The vocabulary is closed and there are no templates, so that every fault is found
// when the document is read: Parse tells all of them at once, with line and path.
// docs/contracts.md is the manual of the vocabulary, with a full example.
//
// # The life of an attempt
//
// The engine asks four questions, and every answer is a pure function: no clock, no network, no
// random source, no state.
//
//	c.FirstDue(env, accepted)               // when may the first attempt go?
//	renderer.Render(&request, event, now)   // what is sent, to the byte?
//	c.Judge(answer, now)                    // what does the answer mean?
//	c.Next(attempt, outcome, env, now, j)   // when is the next attempt, if there is one?
//
// A Renderer belongs to one configuration of one endpoint: NewRenderer keys the signatures once, and
// Render then reuses the buffers of the Request it is given.
//
// # Laws
//
//   - The body, the event's id and its time are the same in every attempt; attempt.timestamp and
//     signatures over it follow the attempt's clock (docs/decisions/0001-attempt-timestamp.md).
//   - What is signed is the very bytes that are sent.
//   - form: verbatim sends published JSON byte for byte; form: ecmascript sends the fixed point of
//     JavaScript's JSON.stringify(JSON.parse(x)).
//   - Redirects are never followed, and only a 2xx can be success.
//   - Retry-After may put an attempt off, never bring it forward.
//
// # Where things stand
//
// document.go is the vocabulary; reader.go, parse.go and check.go turn YAML into it and note faults
// (faults.go); contract.go answers what a contract demands of an endpoint and its secrets; render.go,
// judge.go and schedule.go are the questions above; ecmascript.go is the JSON form that JavaScript
// receivers need. testdata/exchange holds whole exchanges, testdata/faulty documents with their faults.
package contract
