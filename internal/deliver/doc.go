// Package deliver is the engine: it takes deliveries that are durable and makes attempts until each
// has reached a final state.
//
//	Offer ──▶ mailbox ──▶ scheduler ──▶ senders ──▶ scheduler ──▶ settler ──▶ store
//	                        ▲  │                                     │
//	          loaders ──────┘  └── lanes: one per endpoint           └──▶ scheduler (settled)
//
// The scheduler is one goroutine that owns all lanes, so nothing in a lane is locked. A lane is the
// queue of one endpoint: what is due, how many requests may be under way (a limit that grows and
// shrinks with what the endpoint bears), its rate limit, its breaker. Runnable lanes take turns, one
// delivery a turn, so an endpoint costs its own lane and nobody else's.
//
// Senders are a bounded set of goroutines that each render, sign and post one request and judge what
// came back. The settler writes outcomes to the store, many in one transaction, and repeats what
// fails; nothing is dropped.
//
// Memory is bounded whatever the backlog: a lane holds some thousand deliveries, the engine a fixed
// number of bytes. What does not fit stays in the store, and loaders read it again, oldest due first,
// when the lane runs low. Nothing polls: a lane without work sleeps until the due time that the
// store named, or until it is woken.
//
// Delivery is at least once: a process that dies after a receiver answered and before the outcome
// was settled sends that delivery again after its restart. Nothing settled is sent again.
package deliver
