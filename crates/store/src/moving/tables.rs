//! The tables beside the entries, as both engines have them: which columns a row takes along.
//!
//! What is derived from entries (figures, open ends of an index) is no part of it: the database that gets the rows makes
//! that itself.

/// What a column holds. Both engines' own types differ in width only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// 64 bits in SQLite, `bigint` in PostgreSQL.
    Big,
    /// `integer` in PostgreSQL.
    Int,
    /// `smallint` in PostgreSQL.
    Small,
    /// 0 or 1 in SQLite, `boolean` in PostgreSQL.
    Flag,
    Text,
    Bytes,
}

/// One value of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A table whose rows are taken along as they are.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// The order in which its rows go, as SQL.
    pub(crate) order: &'static str,
    /// Whether the first column counts the rows from 1 on: one engine leaves numbers out, the other never does, and nothing
    /// names them.
    pub(crate) is_counted: bool,
    /// Whether its rows are there for ever, so that those of an attempt before are left as they are.
    pub(crate) only_grows: bool,
}

use Kind::{Big, Bytes, Flag, Int, Small, Text};

/// Accounts without their figures; beside these columns goes what those that are watched used.
pub(crate) const ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        ("id", Int),
        ("currency", Small),
        ("shows_available", Flag),
        ("metered", Flag),
        ("opened_at", Big),
        ("name", Text),
        ("external_id", Text),
    ],
    order: "id",
    is_counted: false,
    only_grows: false,
};

/// Open holds; the embedded engine adds the row of each.
pub(crate) const HOLDS: Table = Table {
    name: "open_holds",
    columns: &[("account", Int), ("number", Big), ("remaining", Big), ("expires_at", Big)],
    order: "account, number",
    is_counted: false,
    only_grows: false,
};

/// Refusals; the embedded engine has them in its log.
pub(crate) const REFUSALS: Table = Table {
    name: "refusals",
    columns: &[
        ("account", Int),
        ("key", Text),
        ("content", Bytes),
        ("slug", Text),
        ("facts", Text),
        ("at", Big),
        ("actor", Text),
    ],
    order: "at, account, key",
    is_counted: false,
    only_grows: false,
};

/// What has to be there before accounts are.
pub(crate) const CURRENCIES: Table = Table {
    name: "currencies",
    columns: &[("id", Small), ("code", Text), ("scale", Small), ("public_decimals", Small)],
    order: "id",
    is_counted: false,
    only_grows: false,
};

/// All that is left, each after what it names.
pub(crate) const REST: [Table; 8] = [
    Table {
        name: "credentials",
        columns: &[
            ("id", Big),
            ("account", Int),
            ("digest", Bytes),
            ("cidrs", Text),
            ("expires_at", Big),
            ("revoked_at", Big),
            ("last_used_at", Big),
            ("api_key", Text),
            ("label", Text),
            ("created_at", Big),
            ("idempotency_key", Text),
        ],
        order: "id",
        is_counted: true,
        only_grows: false,
    },
    Table {
        name: "operators",
        columns: &[
            ("id", Int),
            ("name", Text),
            ("role", Text),
            ("token_digest", Bytes),
            ("created_at", Big),
            ("revoked_at", Big),
            ("created_by", Text),
        ],
        order: "id",
        is_counted: true,
        only_grows: false,
    },
    Table {
        name: "audit",
        columns: &[
            ("id", Big),
            ("at", Big),
            ("actor", Text),
            ("action", Text),
            ("subject", Text),
            ("detail", Text),
            ("request_id", Text),
        ],
        order: "id",
        is_counted: false,
        only_grows: true,
    },
    Table {
        name: "alert_rules",
        columns: &[
            ("account", Int),
            ("levels", Text),
            ("margin_percent", Big),
            ("remind_hours", Big),
            ("events", Small),
            ("quiet_from", Small),
            ("quiet_until", Small),
            ("quiet_zone", Text),
            ("reached", Small),
            ("low_since", Big),
            ("remind_at", Big),
            ("refused_since", Big),
            ("refused_amount", Big),
            ("refused_count", Big),
        ],
        order: "account",
        is_counted: false,
        only_grows: false,
    },
    Table {
        name: "alert_contacts",
        columns: &[
            ("account", Int),
            ("number", Int),
            ("channel", Text),
            ("address", Text),
            ("language", Text),
            ("secret", Text),
        ],
        order: "account, number",
        is_counted: false,
        only_grows: false,
    },
    Table {
        name: "alerts",
        columns: &[("id", Big), ("name", Text), ("account", Int), ("at", Big), ("event", Text), ("facts", Text)],
        order: "id",
        is_counted: false,
        only_grows: false,
    },
    Table {
        name: "deliveries",
        columns: &[
            ("id", Big),
            ("alert", Big),
            ("account", Int),
            ("target", Text),
            ("status", Small),
            ("due_at", Big),
            ("attempts", Big),
            ("attempted_at", Big),
            ("error", Text),
        ],
        order: "id",
        is_counted: false,
        only_grows: false,
    },
    Table {
        name: "delivery_attempts",
        columns: &[("delivery", Big), ("number", Big), ("at", Big), ("error", Text)],
        order: "delivery, number",
        is_counted: false,
        only_grows: false,
    },
];

/// Those of the tables that number their rows by themselves, in PostgreSQL.
pub(crate) const NUMBERED: [&str; 4] = ["credentials", "operators", "alerts", "deliveries"];

impl Table {
    /// Its columns, separated by commas.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}
