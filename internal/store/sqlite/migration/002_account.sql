-- +goose Up

CREATE TABLE user (
    id            BLOB    NOT NULL PRIMARY KEY,
    tenant        INTEGER REFERENCES tenant (num), -- NULL for an operator's user
    login         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    disabled      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX user_by_tenant ON user (tenant, id);

CREATE TABLE refresh_token (
    hash       BLOB    NOT NULL PRIMARY KEY,
    user       BLOB    NOT NULL REFERENCES user (id),
    family     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used       INTEGER NOT NULL -- 1 when another one stands in its place; it is kept to be known again
) WITHOUT ROWID;

CREATE INDEX refresh_token_by_user ON refresh_token (user, family);
CREATE INDEX refresh_token_by_expiry ON refresh_token (expires_at);

-- Secrets name the key that sealed them, so that those of an old key are found without opening any;
-- '' is a value that is not sealed.

CREATE TABLE setting (
    name      TEXT NOT NULL PRIMARY KEY,
    sealed_by TEXT NOT NULL,
    value     BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX setting_by_key ON setting (sealed_by);

-- A new table in place of the old one: dropping that wipes what its pages hold.
CREATE TABLE endpoint_secret_sealed (
    endpoint  INTEGER NOT NULL REFERENCES endpoint (num),
    place     INTEGER NOT NULL, -- from 0, the newest: a signing secret; the others stand in vault.go
    sealed_by TEXT    NOT NULL,
    secret    BLOB    NOT NULL,
    PRIMARY KEY (endpoint, place)
) WITHOUT ROWID;

INSERT INTO endpoint_secret_sealed (endpoint, place, sealed_by, secret)
SELECT endpoint, place, '', secret FROM endpoint_secret;

DROP TABLE endpoint_secret;
ALTER TABLE endpoint_secret_sealed RENAME TO endpoint_secret;

CREATE INDEX endpoint_secret_by_key ON endpoint_secret (sealed_by);

ALTER TABLE endpoint ADD COLUMN rotation_started_at INTEGER;
ALTER TABLE endpoint ADD COLUMN rotation_until INTEGER;
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

CREATE TABLE audit (
    tenant  INTEGER NOT NULL, -- tenant.num, 0 for the operator's own
    id      BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit entries are only ever added');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit entries are only ever added');
END;
-- +goose StatementEnd
