// Package sqlite is the embedded store: store.Store in one SQLite file, "postrider.db", in a data
// folder that one process uses at a time. It needs nothing installed and is the default.
//
// # Reading
//
// open.go opens and closes; writer.go is the one goroutine that writes; inbox.go accepts events,
// settle.go settles attempts, queue.go feeds the lanes, journal.go explains; tenant.go, account.go,
// setting.go and endpoint.go keep what is managed; vault.go is the one door for secrets and seal.go
// brings those that are stored under the newest key; migration/ holds the schema.
//
// # Writing
//
// There is one connection that writes, and one goroutine owns it. It takes every request that
// waits, accepts and settles and management alike, runs them in one transaction, commits once with
// an fsync, and answers all callers. No timer is involved: batches grow while the disk is busy. On
// the hot path rows go out in statements of up to 64 rows. The fast way assumes that nothing is met
// twice and checks that by counting rows; when the count is off, the group is rolled back and
// written again the careful way. When a group fails, its requests are tried one by one.
//
// Readers have connections of their own (write-ahead log), which cannot write. The log is copied into
// the database file by a goroutine of its own, beside the writer.
//
// # The schema
//
//	tenant ──┬── api_key
//	         ├── user ── refresh_token
//	         ├── audit                  clustered by (tenant, id), only ever added to
//	         ├── endpoint ── endpoint_secret
//	         └── event ──┬── event_key       the publisher's keys: at most two an event
//	             (seq)   └── delivery        clustered by (seq, number)
//	                         (seq, number) ── attempt   clustered by (seq, number, attempt)
//
//	index                  over                                     who pays, who reads
//	event_by_id            id                                       every event; FindEvent
//	event_by_tenant        tenant, seq, environment, topic, time    every event; Events, without touching the rows
//	delivery_lane          endpoint, due, seq, number; pending only every delivery, twice; Due, Lanes
//	delivery_by_endpoint   endpoint, seq, number                    every delivery; Deliveries of an endpoint
//	delivery_trouble       tenant, state, seq, …; failed, cancelled only what went wrong; Deliveries by state
//
// Secrets (endpoint_secret, setting) stand sealed, each beside the id of its key, see vault.go.
//
// Tenants and endpoints stand in rows that grow with traffic as small numbers (num). Enumerations
// are numbers (word.go), times are milliseconds in UTC. An event's seq is its Sequence.
package sqlite
