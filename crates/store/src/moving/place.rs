//! One of the two databases of a move, whichever engine it is of.

use ledger::{AccountId, Entry};

use super::arrival::{self, Arrival};
use super::file::File;
use super::marks::Mark;
use super::tables::{Cell, Table};
use super::{Figures, Heads, MoveError, Side, Told};
use crate::postgres::Remote;
use crate::{DatabaseUrl, VerifyReport};

/// A database that the move has to itself.
pub(super) enum Place {
    File(File),
    Remote(Box<Remote>),
}

/// The target, once something arrives in it.
pub(super) enum Receiver {
    File(Box<Arrival>),
    Remote(Box<Remote>),
}

impl Place {
    /// Takes it; `other` is the one that must not be the same.
    pub(super) fn open(url: &DatabaseUrl, side: Side, other: Option<&Place>) -> Result<Place, MoveError> {
        let unusable = |error| MoveError::Unusable { side, error };
        match url {
            DatabaseUrl::Sqlite(file) => File::open(file, side).map(Place::File).map_err(unusable),
            DatabaseUrl::Postgres(url) => {
                let remote = Remote::connect(url, side).map_err(unusable)?;
                if let Some(Place::Remote(other)) = other
                    && other.is_same(&remote)?
                {
                    return Err(MoveError::Same);
                }
                remote.take().map_err(unusable)?;
                Ok(Place::Remote(Box::new(remote)))
            }
        }
    }

    pub(super) fn mark(&self) -> Result<Option<Mark>, MoveError> {
        match self {
            Place::File(file) => file.mark(),
            Place::Remote(remote) => remote.mark(),
        }
    }

    pub(super) fn is_empty(&self) -> Result<bool, MoveError> {
        match self {
            Place::File(file) => file.is_empty(),
            Place::Remote(remote) => remote.is_empty(),
        }
    }

    pub(super) fn verify(&self, told: Told<'_>) -> Result<VerifyReport, MoveError> {
        match self {
            Place::File(file) => file.verify(told),
            Place::Remote(remote) => remote.verify(told),
        }
    }

    pub(super) fn leave(&self, to: &str, figures: Figures, at: &str) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.leave(to, figures, at),
            Place::Remote(remote) => remote.leave(to, figures, at),
        }
    }

    pub(super) fn entries(&self, each: &mut dyn FnMut(Vec<Entry>) -> Result<(), MoveError>) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.entries(each),
            Place::Remote(remote) => remote.entries(each),
        }
    }

    pub(super) fn watched(&self) -> Result<Vec<AccountId>, MoveError> {
        match self {
            Place::File(file) => file.watched(),
            Place::Remote(remote) => remote.watched(),
        }
    }

    pub(super) fn rows(
        &self,
        table: &Table,
        each: &mut dyn FnMut(Vec<Vec<Cell>>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.rows(table, each),
            Place::Remote(remote) => remote.rows(table, each),
        }
    }

    pub(super) fn begin_arrival(&self, from: &str, at: &str) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.begin_arrival(from, at),
            Place::Remote(remote) => remote.begin_arrival(from, at),
        }
    }

    pub(super) fn note(&self, figures: Figures) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.note(figures),
            Place::Remote(remote) => remote.note(figures),
        }
    }

    pub(super) fn end_arrival(&self, at: &str) -> Result<(), MoveError> {
        match self {
            Place::File(file) => file.end_arrival(at),
            Place::Remote(remote) => remote.end_arrival(at),
        }
    }

    /// Makes it ready for what comes.
    pub(super) fn receive(self) -> Result<Receiver, MoveError> {
        match self {
            Place::File(file) => Arrival::new(file).map(Box::new).map(Receiver::File),
            Place::Remote(remote) => Ok(Receiver::Remote(remote)),
        }
    }
}

impl Receiver {
    /// All of it is there.
    pub(super) fn received(self) -> Place {
        match self {
            Receiver::File(arrival) => Place::File(arrival.into_file()),
            Receiver::Remote(remote) => Place::Remote(remote),
        }
    }

    /// How many entries one transaction takes.
    pub(super) fn batch_len(&self) -> usize {
        match self {
            Receiver::File(_) => arrival::BATCH_LEN,
            Receiver::Remote(_) => Remote::BATCH_LEN,
        }
    }

    pub(super) fn heads(&self) -> Result<Heads, MoveError> {
        match self {
            Receiver::File(arrival) => Ok(arrival.heads()),
            Receiver::Remote(remote) => remote.heads(),
        }
    }

    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), MoveError> {
        match self {
            Receiver::File(arrival) => arrival.append(entries),
            Receiver::Remote(remote) => remote.append(entries),
        }
    }

    pub(super) fn begin_rest(&self) -> Result<(), MoveError> {
        match self {
            Receiver::File(arrival) => arrival.begin_rest(),
            Receiver::Remote(remote) => remote.begin_rest(),
        }
    }

    pub(super) fn put(&mut self, table: &Table, rows: Vec<Vec<Cell>>) -> Result<(), MoveError> {
        match self {
            Receiver::File(arrival) => arrival.put(table, rows),
            Receiver::Remote(remote) => remote.put(table, rows),
        }
    }

    pub(super) fn end_rest(&mut self) -> Result<(), MoveError> {
        match self {
            Receiver::File(arrival) => arrival.end_rest(),
            Receiver::Remote(remote) => remote.end_rest(),
        }
    }
}
