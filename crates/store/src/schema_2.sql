-- From version 1 to 2: alerts. Adds columns and tables, and touches no entry.

-- Derived: what an account used within a day (see watch.rs); none where nobody wants to know. Empty where it is to be kept
-- from here on, as it is for accounts with a metric of their own.
ALTER TABLE accounts ADD COLUMN watch BLOB;
UPDATE accounts SET watch = x'' WHERE metered = 1;

-- What an account's people want to hear, and what they have heard: state changes in the commit of the entry that changed it.
CREATE TABLE alert_rules (
    account        INTEGER PRIMARY KEY REFERENCES accounts (id),
    levels         TEXT NOT NULL,    -- such as 'percent:20 hours:24 money:5000000', in minor units
    margin_percent INTEGER NOT NULL,
    remind_hours   INTEGER,
    events         INTEGER NOT NULL, -- a bit each
    quiet_from     INTEGER,          -- minutes since midnight in quiet_zone, as is quiet_until
    quiet_until    INTEGER,
    quiet_zone     TEXT,
    reached        INTEGER NOT NULL DEFAULT 0, -- a bit a level
    low_since      INTEGER,          -- since when any is reached
    remind_at      INTEGER,
    refused_since  INTEGER,          -- of the series of refused charges that goes on: its first,
    refused_amount INTEGER,          -- what that asked for,
    refused_count  INTEGER           -- and how many there were
) STRICT;

CREATE TABLE alert_contacts (
    account  INTEGER NOT NULL REFERENCES accounts (id),
    number   INTEGER NOT NULL,
    channel  TEXT NOT NULL CHECK (channel IN ('email', 'webhook', 'telegram')),
    address  TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('en', 'vi')),
    secret   TEXT,                   -- what a webhook is signed with
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- What was to be told, written in the commit of what it tells of.
CREATE TABLE alerts (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT NOT NULL,           -- by which receivers recognize it
    account INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    facts   TEXT NOT NULL            -- a JSON object; money in minor units, times in microseconds
) STRICT;

-- To whom, and what became of it.
CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    alert        INTEGER NOT NULL REFERENCES alerts (id),
    account      INTEGER NOT NULL,
    target       TEXT NOT NULL,      -- 'operator:NAME' of the configuration, or 'email:', 'webhook:', 'telegram:' and where
    status       INTEGER NOT NULL DEFAULT 0, -- 0 waiting, 1 delivered, 2 given up
    due_at       INTEGER NOT NULL,   -- when to try (again)
    attempts     INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    error        TEXT                -- of the last attempt; none where it was delivered
) STRICT;

CREATE INDEX deliveries_due ON deliveries (due_at) WHERE status = 0;
CREATE INDEX deliveries_given_up ON deliveries (id) WHERE status = 2;
CREATE INDEX deliveries_by_alert ON deliveries (alert);

CREATE TABLE delivery_attempts (
    delivery INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    error    TEXT,                   -- none where it was delivered
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;
