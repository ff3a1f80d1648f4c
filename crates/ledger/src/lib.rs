//! The rules of the credit ledger, and nothing else: no I/O, no clock, no threads, no serialization framework.
//!
//! [`decide()`] looks at the [`Facts`] that a [`Command`] needs and answers with the entries to write, or with the
//! [`Refusal`] that says why not. [`Account::apply`] folds an entry back into an account and is the other, independently
//! written half: whatever `decide` produces must fold, and whatever does not fold was not produced here. [`canonical`]
//! defines the bytes that are hashed, so that every storage engine gives the same chain.
//!
//! Units: every figure is an integer of minor units ([`Minor`]), every instant is microseconds since 1970 UTC ([`Time`]).

mod account;
mod alert;
pub mod canonical;
mod command;
mod decide;
mod due;
mod entry;
mod hold;
mod money;
mod refusal;
mod text;
mod usage;

pub use account::{Account, Broken};
pub use alert::{Event, Events, Level, Reached, Rules, Standing, ends_refusals};
pub use canonical::{Content, Hash};
pub use command::{Command, Movement, Named};
pub use decide::{Earlier, Facts, Verdict, decide};
pub use due::expire;
pub use entry::{Entry, Kind, Status, Target};
pub use hold::{Hold, Lifetime, Subject};
pub use money::{Amount, AmountError, Currency, CurrencyError, Decimal, Minor};
pub use refusal::{Fact, Refusal};
pub use text::{AccountId, Actor, Key, Metadata, Reason, Reference, TextError, Time};
pub use usage::{Runway, Usage};
