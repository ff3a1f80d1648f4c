-- The scale-out engine's schema, version 1. Times are microseconds since 1970 UTC, figures minor units.
--
-- Every row and every constraint is of one account (a transfer's two entries are two rows of two accounts), so that
-- accounts can be spread over databases one day. `entries` and `refusals` are the truth; what is marked "derived" can be
-- rebuilt from them.

CREATE TABLE meta (
    name  text PRIMARY KEY,
    value bigint NOT NULL
);

INSERT INTO meta (name, value) VALUES ('schema', 1);

-- The only clock of the ledger.
CREATE FUNCTION ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

CREATE TABLE currencies (
    id              smallint PRIMARY KEY CHECK (id BETWEEN 0 AND 255),
    code            text COLLATE "C" NOT NULL UNIQUE,
    scale           smallint NOT NULL,
    public_decimals smallint NOT NULL CHECK (public_decimals BETWEEN 0 AND scale)
);

INSERT INTO currencies (id, code, scale, public_decimals) VALUES (0, 'VND', 2, 0);

CREATE TABLE entries (
    account        integer NOT NULL,
    number         bigint NOT NULL,
    kind           smallint NOT NULL, -- 1 open, 2 limit, 3 status, 4 topup, 5 charge, 6 hold, 7 extend, 8 capture,
                                      -- 9 void, 10 expire, 11 refund, 12 transfer, 13 adjust
    amount         bigint NOT NULL,
    posted         bigint NOT NULL,   -- after this entry, as are held, credit_limit and status
    held           bigint NOT NULL CHECK (held >= 0),
    credit_limit   bigint NOT NULL CHECK (credit_limit >= 0),
    status         smallint NOT NULL, -- 0 active, 1 locked, 2 closed
    at             bigint NOT NULL,   -- never decreases within an account
    recorded_at    bigint NOT NULL,
    expires_at     bigint,
    target_account integer,
    target_number  bigint,
    currency       text,
    scale          smallint,
    key            text COLLATE "C",
    content        bytea,
    reference      text,
    reason         text,
    metadata       text,              -- a JSON object of strings
    actor          text NOT NULL,
    hash           bytea NOT NULL,
    PRIMARY KEY (account, number),
    -- The second line of defence against an overdraft: whatever decided it, no spending entry may leave less than nothing.
    CHECK (posted - held + credit_limit >= 0 OR NOT (kind IN (5, 6) OR (kind = 12 AND amount < 0)))
);

-- The key of a movement is its account's; that of an opening is the platform's, since there is no account yet.
CREATE UNIQUE INDEX entries_by_key ON entries (account, key) WHERE key IS NOT NULL AND kind <> 1;
CREATE UNIQUE INDEX entries_by_opening_key ON entries (key) WHERE key IS NOT NULL AND kind = 1;
-- What became of a hold, charge or capture of the same account.
CREATE INDEX entries_by_target ON entries (account, target_number, number) WHERE kind IN (8, 9, 10, 11);

-- Figures are derived, as of the entry `number`, in the commit of that entry; the rest decides no movement and lives only
-- here. The room that is left in each page lets a new version of a row lie beside the old one, without work on an index.
CREATE TABLE accounts (
    id              integer PRIMARY KEY CHECK (id >= 1),
    currency        smallint NOT NULL REFERENCES currencies (id),
    shows_available boolean NOT NULL DEFAULT false,
    metered         boolean NOT NULL DEFAULT false,
    ruled           boolean NOT NULL DEFAULT false, -- whether alert_rules has a row of it
    posted          bigint NOT NULL,
    held            bigint NOT NULL,
    credit_limit    bigint NOT NULL,
    status          smallint NOT NULL,
    number          bigint NOT NULL,
    at              bigint NOT NULL,
    hash            bytea NOT NULL,
    refused_second  bigint NOT NULL DEFAULT 0, -- the second in which a movement was last refused
    refused         integer NOT NULL DEFAULT 0, -- how many refusals were kept in it
    watch           bytea, -- derived: what it used within a day (see watch.rs), where it is metered or ruled; else none
    opened_at       bigint NOT NULL,
    name            text NOT NULL,
    external_id     text UNIQUE
) WITH (fillfactor = 70);

CREATE INDEX accounts_metered ON accounts (id) WHERE metered;
-- No column of it changes with a movement.
CREATE INDEX accounts_watched ON accounts (id) WHERE metered OR ruled;

-- Derived: holds that have not ended, as of their account's last entry.
CREATE TABLE open_holds (
    account    integer NOT NULL,
    number     bigint NOT NULL, -- of the hold's entry
    remaining  bigint NOT NULL CHECK (remaining > 0),
    expires_at bigint NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE INDEX open_holds_by_end_of_account ON open_holds (account, expires_at);
CREATE INDEX open_holds_by_end ON open_holds (expires_at);

-- Noes that used their key up, kept for the configured number of days.
CREATE TABLE refusals (
    account integer NOT NULL,
    key     text COLLATE "C" NOT NULL,
    content bytea NOT NULL,
    slug    text NOT NULL,
    facts   text NOT NULL, -- a JSON object of integers: minor units, entry numbers, codes of kinds, microseconds
    at      bigint NOT NULL,
    actor   text NOT NULL,
    PRIMARY KEY (account, key)
);

CREATE INDEX refusals_by_time ON refusals (at);

CREATE TABLE credentials (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account         integer NOT NULL REFERENCES accounts (id),
    digest          bytea NOT NULL,  -- SHA-256 over key and secret, each with its length before it
    cidrs           text,            -- separated by spaces; none for any address
    expires_at      bigint,
    revoked_at      bigint,
    last_used_at    bigint,
    api_key         text COLLATE "C" NOT NULL UNIQUE,
    label           text,
    created_at      bigint NOT NULL,
    idempotency_key text COLLATE "C"
) WITH (fillfactor = 80);

CREATE INDEX credentials_by_account ON credentials (account);
CREATE UNIQUE INDEX credentials_by_key ON credentials (account, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Who may use the operator API over a network. A name is never given out twice: entries and the audit trail keep it.
CREATE TABLE operators (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE,
    role         text NOT NULL CHECK (role IN ('read', 'money', 'admin')),
    token_digest bytea NOT NULL UNIQUE, -- SHA-256 of the token, which is kept nowhere
    created_at   bigint NOT NULL,
    revoked_at   bigint,
    created_by   text NOT NULL
);

-- What was changed besides ordinary movements of money, written in the commit of the change itself.
CREATE TABLE audit (
    id         bigint PRIMARY KEY, -- 1, 2, 3… without gaps, in the order of `at`
    at         bigint NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    detail     text NOT NULL,      -- a JSON object: what changed, never a secret, never a whole API key
    request_id text
);

CREATE INDEX audit_by_time ON audit (at);

-- What an account's people want to hear, and what they have heard: state changes in the commit of the entry that changed it.
CREATE TABLE alert_rules (
    account        integer PRIMARY KEY REFERENCES accounts (id),
    levels         text NOT NULL,    -- such as 'percent:20 hours:24 money:5000000', in minor units
    margin_percent bigint NOT NULL,
    remind_hours   bigint,
    events         smallint NOT NULL, -- a bit each
    quiet_from     smallint,         -- minutes since midnight in quiet_zone, as is quiet_until
    quiet_until    smallint,
    quiet_zone     text,
    reached        smallint NOT NULL DEFAULT 0, -- a bit a level
    low_since      bigint,           -- since when any is reached
    remind_at      bigint,
    refused_since  bigint,           -- of the series of refused charges that goes on: its first,
    refused_amount bigint,           -- what that asked for,
    refused_count  bigint            -- and how many there were
) WITH (fillfactor = 80);

CREATE INDEX alert_rules_to_remind ON alert_rules (remind_at) WHERE remind_at IS NOT NULL;

CREATE TABLE alert_contacts (
    account  integer NOT NULL REFERENCES accounts (id),
    number   integer NOT NULL,
    channel  text NOT NULL CHECK (channel IN ('email', 'webhook', 'telegram')),
    address  text NOT NULL,
    language text NOT NULL CHECK (language IN ('en', 'vi')),
    secret   text,                   -- what a webhook is signed with
    PRIMARY KEY (account, number)
);

-- What was to be told, written in the commit of what it tells of.
CREATE TABLE alerts (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,           -- by which receivers recognize it
    account integer NOT NULL,
    at      bigint NOT NULL,
    event   text NOT NULL,
    facts   text NOT NULL            -- a JSON object; money in minor units, times in microseconds
);

-- To whom, and what became of it.
CREATE TABLE deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert        bigint NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    account      integer NOT NULL,
    target       text NOT NULL,      -- 'operator:NAME' of the configuration, or 'email:', 'webhook:', 'telegram:' and where
    status       smallint NOT NULL DEFAULT 0, -- 0 waiting, 1 delivered, 2 given up
    due_at       bigint NOT NULL,    -- when to try (again)
    attempts     bigint NOT NULL DEFAULT 0,
    attempted_at bigint,
    error        text,               -- of the last attempt; none where it was delivered
    taken_by     bigint,             -- the node that tries it now, and until when nobody else does: by the server's own
    taken_until  timestamptz         -- clock, since that is no matter of the ledger
) WITH (fillfactor = 80);

CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE status = 0;
CREATE INDEX deliveries_given_up ON deliveries (id) WHERE status = 2;
CREATE INDEX deliveries_by_alert ON deliveries (alert);
CREATE INDEX deliveries_by_account ON deliveries (account, id);

CREATE TABLE delivery_attempts (
    delivery bigint NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number   bigint NOT NULL,
    at       bigint NOT NULL,
    error    text,                   -- none where it was delivered
    PRIMARY KEY (delivery, number)
);

-- The number of the last entry of an account that took effect at `until` or before; 0 where none did. Times never
-- decrease within an account, so that halving finds it.
CREATE FUNCTION last_number(of integer, until bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, coalesce((SELECT a.number FROM accounts a WHERE a.id = of), 0)
        UNION ALL
        SELECT CASE WHEN e.at <= until THEN e.number ELSE s.low END, CASE WHEN e.at <= until THEN s.high ELSE e.number - 1 END
        FROM search s JOIN entries e ON e.account = of AND e.number = (s.low + s.high + 1) / 2
        WHERE s.low < s.high
    )
    SELECT low FROM search WHERE low = high
$$;

-- What is written is written: not even the owner may change or remove it, unless they first give themselves that right.
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON entries, audit FROM CURRENT_USER;
