//! Alerts, their deliveries, and how long accounts last.

use ledger::{AccountId, Actor, Runway, Time};

use crate::{
    AccountNow, AlertSettings, AlertState, Attempt, Attempted, ChangeError, Delivery, DeliveryQuery, Due, Fault,
    Measured, Page, Store,
};

impl Store {
    /// An account's alerts; `None` where it has none. Blocks.
    pub fn alerts(&self, account: AccountId) -> Result<Option<AlertState>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.alerts(account),
            Store::Postgres(postgres) => postgres.alerts(account),
        }
    }

    /// Sets an account's alerts, or with `None` takes them away.
    pub async fn change_alerts(
        &self,
        by: Actor,
        account: AccountId,
        settings: Option<AlertSettings>,
        measured: Measured,
    ) -> Result<(), ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.change_alerts(by, account, settings, measured).await,
            Store::Postgres(postgres) => postgres.change_alerts(by, account, settings, measured).await,
        }
    }

    /// Measures an account, for [`Store::change_alerts`]: a look back at its newest entries. Blocks.
    pub fn measure(&self, account: AccountId) -> Result<Option<Measured>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.measure(account),
            Store::Postgres(postgres) => postgres.measure(account),
        }
    }

    /// How long what an account may spend lasts; `None` where too little is known, or there is no such account. Blocks.
    ///
    /// Of a watched account (one with alerts, or with a metric of its own) from what is kept of it. Of any other from its newest entries,
    /// at most 5,000: where those do not reach back a day, the time that they do is what [`Runway::since`] says.
    pub fn runway(&self, account: &AccountNow) -> Result<Option<Runway>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.runway(account),
            Store::Postgres(postgres) => postgres.runway(account),
        }
    }

    /// The watched accounts that run dry first, at most `limit`: those with the shortest time left before the others. An
    /// account of which too little is known, or that uses nothing, is not among them. Blocks.
    pub fn dry_first(&self, limit: usize) -> Result<Vec<(AccountNow, Runway)>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.dry_first(limit)),
            Store::Postgres(postgres) => postgres.dry_first(limit),
        }
    }

    /// Resolves when this process may have written something to deliver that was not there before.
    pub async fn alerts_written(&self) {
        match self {
            Store::Sqlite(sqlite) => sqlite.alerts_written().await,
            Store::Postgres(postgres) => postgres.alerts_written().await,
        }
    }

    /// The deliveries whose time has come by `now` and that no other process tries, those that wait longest first, at most
    /// `limit`. Blocks, as do the next three.
    pub fn due_deliveries(&self, now: Time, limit: usize) -> Result<Vec<Due>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.due_deliveries(now, limit),
            Store::Postgres(postgres) => postgres.due_deliveries(now, limit),
        }
    }

    /// Takes deliveries for this process alone, and those that it has taken already for longer: for some seconds from now.
    /// Gives those that it got; the others another process tries, or has tried.
    pub async fn take_deliveries(&self, ids: Vec<u64>) -> Result<Vec<u64>, Fault> {
        match self {
            // Nobody else has the database.
            Store::Sqlite(_) => Ok(ids),
            Store::Postgres(postgres) => postgres.take_deliveries(ids).await,
        }
    }

    /// Deliveries in the order of their numbers, at most `limit`; `next` is the number to go on after.
    pub fn deliveries(&self, wanted: &DeliveryQuery, limit: usize) -> Result<Page<Delivery, u64>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.deliveries(wanted, limit),
            Store::Postgres(postgres) => postgres.deliveries(wanted, limit),
        }
    }

    /// A delivery with every attempt that was made.
    pub fn delivery(&self, id: u64) -> Result<Option<(Delivery, Vec<Attempt>)>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.delivery(id),
            Store::Postgres(postgres) => postgres.delivery(id),
        }
    }

    /// How many deliveries wait, and how many were given up.
    pub fn delivery_counts(&self) -> Result<(u64, u64), Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.delivery_counts(),
            Store::Postgres(postgres) => postgres.delivery_counts(),
        }
    }

    /// Keeps what became of attempts.
    pub async fn record_attempts(&self, attempted: Vec<Attempted>) -> Result<(), Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.record_attempts(attempted).await,
            Store::Postgres(postgres) => postgres.record_attempts(attempted).await,
        }
    }

    /// Has a delivery tried again at once, whatever became of it before; `None` where there is none of that number.
    pub async fn resend(&self, by: Actor, id: u64) -> Result<Option<Delivery>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.resend(by, id).await,
            Store::Postgres(postgres) => postgres.resend(by, id).await,
        }
    }

    /// Removes alerts from before `before` of which no delivery waits, of the oldest `limit`; gives how many.
    pub async fn forget_alerts(&self, before: Time, limit: usize) -> Result<usize, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.forget_alerts(before, limit).await,
            Store::Postgres(postgres) => postgres.forget_alerts(before, limit).await,
        }
    }
}
