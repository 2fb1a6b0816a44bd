// Package ingest accepts events. A surface hands it a Publication whose JSON it has already checked;
// ingest validates the rest, finds the endpoints that want the topic, writes event and deliveries
// durably, offers the deliveries to the engine in memory, and only then answers.
//
// Index knows who wants what: a copy-on-write table of every tenant's endpoints, read without a lock.
//
// Ingester commits in groups: one goroutine takes whatever publications wait, writes them in one
// transaction and answers all their callers. There is no timer: alone, an event commits at once;
// under load, groups grow by themselves while the commit before them is under way.
//
// Every accepted event ends here with deliveries, or with a stored reason why there are none.
package ingest
