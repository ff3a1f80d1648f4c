-- The embedded engine's schema, version 1.
--
-- `entries` and `refusals` are the truth; both draw their row ids from one sequence without gaps, in commit order.
-- Everything marked "derived" can be rebuilt from them, and follows behind the watermark (see follow.rs).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Derived: the account rows and the complete runs of keys include all entries and refusals up to this row id.
INSERT INTO meta (name, value) VALUES ('watermark', 0);

-- No entry or refusal up to the watermark is later than this.
INSERT INTO meta (name, value) VALUES ('last_time', 0);

-- A row that the log reached: what cuts off its end leaves a trace. Written once a second and at an end, as a page more in
-- every commit would cost each waiting caller a tenth of its time.
INSERT INTO meta (name, value) VALUES ('last_row', 0);

-- Refusals decided before this time may have been removed.
INSERT INTO meta (name, value) VALUES ('refusals_lapsed', 0);

CREATE TABLE currencies (
    id              INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 255),
    code            TEXT NOT NULL UNIQUE,
    scale           INTEGER NOT NULL,
    public_decimals INTEGER NOT NULL CHECK (public_decimals BETWEEN 0 AND scale)
) STRICT;

INSERT INTO currencies (id, code, scale, public_decimals) VALUES (0, 'VND', 2, 0);

CREATE TABLE entries (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    kind           INTEGER NOT NULL, -- 1 open, 2 limit, 3 status, 4 topup, 5 charge, 6 hold, 7 extend, 8 capture,
                                     -- 9 void, 10 expire, 11 refund, 12 transfer, 13 adjust
    amount         INTEGER NOT NULL, -- minor units
    posted         INTEGER NOT NULL, -- after this entry, as are held, credit_limit and status
    held           INTEGER NOT NULL CHECK (held >= 0),
    credit_limit   INTEGER NOT NULL CHECK (credit_limit >= 0),
    status         INTEGER NOT NULL, -- 0 active, 1 locked, 2 closed
    at             INTEGER NOT NULL, -- microseconds since 1970 UTC
    recorded_at    INTEGER NOT NULL,
    expires_at     INTEGER,
    target_account INTEGER,
    target_number  INTEGER,
    currency       TEXT,
    scale          INTEGER,
    key            TEXT,
    content        BLOB,
    reference      TEXT,
    reason         TEXT,
    metadata       TEXT,             -- a JSON object of strings
    actor          TEXT NOT NULL,
    hash           BLOB NOT NULL,
    previous       INTEGER,          -- derived: the row of the account's entry before this one
    target_row     INTEGER,          -- derived: the row of the hold, charge or capture that it names
    settled        INTEGER,          -- derived, minor units: what is left of that hold after this entry; what is given
                                     -- back of that charge or capture with this entry
    -- The second line of defence against an overdraft: whatever decided it, no spending entry may leave less than nothing.
    CHECK (posted - held + credit_limit >= 0 OR NOT (kind IN (5, 6) OR (kind = 12 AND amount < 0)))
) STRICT;

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;

-- Derived: every 128th entry of an account, so that any entry is at most 128 steps along `previous` from a known one.
CREATE TABLE milestones (
    account INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    entry   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- Derived: holds that have not ended, as of the last row of the log.
CREATE TABLE open_holds (
    account    INTEGER NOT NULL,
    number     INTEGER NOT NULL, -- of the hold's entry
    entry      INTEGER NOT NULL, -- its row
    remaining  INTEGER NOT NULL, -- minor units
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- Noes that used their key up, kept for the configured number of days.
CREATE TABLE refusals (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    key     TEXT NOT NULL,
    content BLOB NOT NULL,
    slug    TEXT NOT NULL,
    facts   TEXT NOT NULL, -- a JSON object of integers: minor units, entry numbers, codes of kinds, microseconds
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL
) STRICT;

-- Derived: what a key did, in sorted runs (see keys.rs). The ids of pages and filters are run << 32 | number; those of a
-- run that is not listed are unfinished, or wait to be removed.
CREATE TABLE key_runs (
    id       INTEGER PRIMARY KEY,
    level    INTEGER NOT NULL, -- those of level 0 are the newest; within a level the greatest id is
    entries  INTEGER NOT NULL,
    pages    INTEGER NOT NULL,
    part_len INTEGER NOT NULL  -- pages a filter
) STRICT;

CREATE TABLE key_pages (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL -- ascending: a fingerprint of account and key, and an entry's row or, negative, a refusal's
) STRICT;

CREATE TABLE key_filters (
    id     INTEGER PRIMARY KEY,
    fences BLOB NOT NULL, -- the first eight bytes of each page
    filter BLOB NOT NULL
) STRICT;

-- Figures are derived, as of the entry `number` (row `entry`); the rest decides no movement and lives only here.
CREATE TABLE accounts (
    id              INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
    currency        INTEGER NOT NULL REFERENCES currencies (id),
    shows_available INTEGER NOT NULL DEFAULT 0,
    metered         INTEGER NOT NULL DEFAULT 0,
    posted          INTEGER NOT NULL,
    held            INTEGER NOT NULL,
    credit_limit    INTEGER NOT NULL,
    status          INTEGER NOT NULL,
    number          INTEGER NOT NULL,
    entry           INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    hash            BLOB NOT NULL,
    opened_at       INTEGER NOT NULL,
    name            TEXT NOT NULL,
    external_id     TEXT UNIQUE
) STRICT;

CREATE TABLE credentials (
    id              INTEGER PRIMARY KEY, -- 1, 2, 3… without gaps; never deleted
    account         INTEGER NOT NULL REFERENCES accounts (id),
    digest          BLOB NOT NULL,       -- SHA-256 over key and secret, each with its length before it
    cidrs           TEXT,                -- separated by spaces; none for any address
    expires_at      INTEGER,
    revoked_at      INTEGER,
    last_used_at    INTEGER,
    api_key         TEXT NOT NULL UNIQUE,
    label           TEXT,
    created_at      INTEGER NOT NULL,
    idempotency_key TEXT
) STRICT;

CREATE INDEX credentials_by_account ON credentials (account);
CREATE UNIQUE INDEX credentials_by_key ON credentials (account, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Who may use the operator API over a network. A name is never given out twice: entries and the audit trail keep it.
CREATE TABLE operators (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL CHECK (role IN ('read', 'money', 'admin')),
    token_digest BLOB NOT NULL UNIQUE, -- SHA-256 of the token, which is kept nowhere
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    created_by   TEXT NOT NULL
) STRICT;

-- What was changed besides ordinary movements of money, written in the commit of the change itself.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY, -- 1, 2, 3… without gaps, in the order of `at`
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL,       -- a JSON object: what changed, never a secret, never a whole API key
    request_id TEXT
) STRICT;

CREATE INDEX audit_by_time ON audit (at);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is immutable'); END;
CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is immutable'); END;
