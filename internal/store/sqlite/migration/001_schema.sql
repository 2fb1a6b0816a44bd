-- +goose Up

-- Times are milliseconds since 1970 in UTC; NULL where Go has the zero time. Environments, states,
-- reasons, triggers and outcomes are numbers whose words stand in word.go. Rows that grow with
-- traffic point at tenants and endpoints by their small numbers (num), not by their ids.

CREATE TABLE tenant (
    num        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
);

CREATE TABLE api_key (
    id          BLOB    NOT NULL PRIMARY KEY,
    tenant      INTEGER REFERENCES tenant (num), -- NULL for an operator's key
    environment INTEGER NOT NULL,
    role        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    hash        BLOB    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
) WITHOUT ROWID;

CREATE INDEX api_key_by_tenant ON api_key (tenant, id);

CREATE TABLE endpoint (
    num             INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL UNIQUE,
    tenant          INTEGER NOT NULL REFERENCES tenant (num),
    environment     INTEGER NOT NULL,
    url             TEXT    NOT NULL,
    topics          TEXT    NOT NULL, -- patterns, one a line
    contract        TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    state           INTEGER NOT NULL,
    disabled_reason TEXT    NOT NULL,
    disabled_at     INTEGER,
    max_in_flight   INTEGER NOT NULL,
    rate_limit      REAL    NOT NULL,
    rate_burst      INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER -- the row stays, so that its deliveries can be explained
);

CREATE INDEX endpoint_by_tenant ON endpoint (tenant, id);

CREATE TABLE endpoint_secret (
    endpoint INTEGER NOT NULL REFERENCES endpoint (num),
    place    INTEGER NOT NULL, -- 0 is the newest
    secret   BLOB    NOT NULL,
    PRIMARY KEY (endpoint, place)
) WITHOUT ROWID;

-- Small columns come first, so that a list reads only the first page of a large event.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL,
    tenant      INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    topic       TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL, -- how many it had when it was accepted
    given_id    TEXT,
    idempotency TEXT,             -- its idempotency key
    fingerprint BLOB,             -- only where given_id or idempotency is there
    reasons     BLOB,             -- see record.go
    previous    BLOB,
    data        BLOB    NOT NULL
);

-- Both are appended to at their right edge (within a tenant), because ids and sequences grow with time.
CREATE UNIQUE INDEX event_by_id ON event (id);

-- A list of a tenant's events reads this index alone until a row fits the filter.
CREATE INDEX event_by_tenant ON event (tenant, seq, environment, topic, accepted_at);

-- The publisher's own keys, where it gives any. The text stands in them as it is, so that ids which
-- grow with time (UUIDv7, ULID, counters) are appended; random ones cost a page of the log each.
CREATE TABLE event_key (
    space INTEGER NOT NULL, -- 4 * tenant.num, + 2 in the sandbox, + 1 for an idempotency key
    key   TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (space, key)
) WITHOUT ROWID;

CREATE TABLE delivery (
    seq        INTEGER NOT NULL, -- event.seq
    number     INTEGER NOT NULL, -- within the event, from 1
    endpoint   INTEGER NOT NULL,
    tenant     INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- 0 pending, 1 succeeded, 2 failed, 3 cancelled
    reason     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL, -- the highest number of a finished attempt
    due        INTEGER NOT NULL, -- 0 when it is not pending
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (seq, number)
) WITHOUT ROWID;

-- The lanes: what is owed, in the order in which it goes. Its size is the backlog, not the history.
CREATE INDEX delivery_lane ON delivery (endpoint, due, seq, number) WHERE state = 0;

-- The history of one endpoint.
CREATE INDEX delivery_by_endpoint ON delivery (endpoint, seq, number);

-- What went wrong in one tenant; a delivery that goes well never touches it.
CREATE INDEX delivery_trouble ON delivery (tenant, state, seq, number, endpoint) WHERE state >= 2;

CREATE TABLE attempt (
    seq        INTEGER NOT NULL,
    number     INTEGER NOT NULL, -- of the delivery
    attempt    INTEGER NOT NULL, -- from 1
    cause      INTEGER NOT NULL, -- the trigger
    started_at INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    code       INTEGER NOT NULL,
    status     INTEGER NOT NULL, -- 0 when no response came
    record     BLOB    NOT NULL, -- all the rest, see record.go
    PRIMARY KEY (seq, number, attempt)
) WITHOUT ROWID;

-- Ping counts here, so that it proves a write.
CREATE TABLE heartbeat (
    beats INTEGER NOT NULL
);

INSERT INTO heartbeat (beats) VALUES (0);
