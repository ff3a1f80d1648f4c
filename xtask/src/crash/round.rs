//! One round: sixty-four callers and a few readers on a running server, until it is killed or they have nothing left.
//!
//! The kill falls after a number of answers that the seed decides, in the middle of whatever the callers are doing
//! then. A connection that breaks before the kill is a finding.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::book::{Book, Figure, Sighting};
use super::command::{Card, Deck};
use crate::http::Connection;
use crate::operator::{Operator, get_balance};
use crate::random::Random;
use crate::server::Server;

const CALLERS: usize = 64;
/// Half of them ask GetBalance, half the operator API.
const READERS: usize = 4;
/// Long enough for any number of answers that is asked for here.
const PATIENCE: Duration = Duration::from_secs(300);

/// What callers and readers share.
struct Table<'a> {
    server: &'a Server,
    book: Mutex<&'a mut Book>,
    deck: Mutex<&'a mut Deck>,
    answers: AtomicU64,
    /// After how many answers the kill falls, if it does.
    fatal: Option<u64>,
    over: AtomicBool,
}

/// Lets everybody call until the server is killed after `fatal` answers, or until the deck has nothing left.
pub(crate) fn play(server: Server, book: &mut Book, deck: &mut Deck, fatal: Option<u64>, seed: u64) -> Result<Server> {
    deck.goes_on = fatal.is_some();
    let table = Table {
        server: &server,
        book: Mutex::new(book),
        deck: Mutex::new(deck),
        answers: AtomicU64::new(0),
        fatal,
        over: AtomicBool::new(false),
    };
    let outcome = thread::scope(|scope| {
        let (reached, kill) = channel();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let reached = reached.clone();
                scope.spawn(|| call(&table, reached))
            })
            .collect();
        drop(reached);
        for reader in 0..READERS {
            let random = Random::new(seed.wrapping_add(reader as u64));
            let table = &table;
            scope
                .spawn(move || if reader % 2 == 0 { read_public(table, random) } else { read_operator(table, random) });
        }
        let signalled = kill.recv_timeout(PATIENCE);
        if fatal.is_none() {
            callers.into_iter().for_each(|caller| drop(caller.join()));
        }
        table.over.store(true, Ordering::SeqCst);
        match (fatal, signalled) {
            (Some(_), Ok(())) => table.server.signal(Signal::KILL),
            (Some(answers), Err(_)) if table.book().findings.is_empty() => {
                // Callers and readers must be let go before the scope can end.
                table.server.signal(Signal::KILL)?;
                bail!("the server gave fewer than {answers} answers in {PATIENCE:?}")
            }
            (Some(_), Err(_)) => table.server.signal(Signal::KILL),
            (None, _) => Ok(()),
        }
    });
    outcome.map(|()| server)
}

impl<'a> Table<'a> {
    fn book(&self) -> MutexGuard<'_, &'a mut Book> {
        self.book.lock().expect("no caller panics while it writes the list")
    }

    fn deal(&self) -> Option<Card> {
        self.deck.lock().expect("no caller panics while it takes a card").deal()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Notes that a connection broke, which only the kill excuses.
    fn broken(&self, what: &str, error: &std::io::Error) {
        if !self.is_over() {
            self.book().find(format!("{what}: the connection broke, and the server had not been killed: {error}"));
        }
    }
}

/// One caller: sends card after card.
fn call(table: &Table<'_>, reached: Sender<()>) {
    let mut operator = match Operator::open(&table.server.socket) {
        Ok(operator) => operator,
        Err(error) => return table.broken("a caller", &error),
    };
    while let Some(card) = table.deal() {
        let (command, sent) = match card {
            Card::Misuse(command) if table.book().is_decided(&command.key) => {
                (command.clone(), operator.post(&command.path(), &command.key, &command.altered().body()).map(Err))
            }
            Card::Send(command) | Card::Misuse(command) => {
                table.book().sent(&command);
                (command.clone(), operator.post(&command.path(), &command.key, &command.body()).map(Ok))
            }
        };
        match sent {
            Ok(Ok(answer)) => table.book().answered(&command, &answer),
            Ok(Err(answer)) => table.book().misused(&command, &answer),
            Err(error) => {
                table.book().unanswered += 1;
                return table.broken("a caller", &error);
            }
        }
        let answers = table.answers.fetch_add(1, Ordering::SeqCst) + 1;
        if table.fatal == Some(answers) {
            reached.send(()).ok();
        }
        if !table.book().findings.is_empty() {
            reached.send(()).ok();
            return;
        }
    }
}

/// Asks GetBalance for accounts at random and notes what it saw.
fn read_public(table: &Table<'_>, mut random: Random) {
    let Ok(mut public) = Connection::open(&table.server.public) else { return };
    while !table.is_over() {
        let (index, account, floor) = choose(table, &mut random);
        match get_balance(&mut public, &account) {
            Ok(Ok(shown)) => note(table, index, Sighting { figure: Figure::Shown(shown), floor }),
            Ok(Err(wrong)) => table.book().find(wrong.to_string()),
            Err(error) => return table.broken("a GetBalance client", &error),
        }
    }
}

/// Asks the operator API for accounts at random and notes what it saw.
fn read_operator(table: &Table<'_>, mut random: Random) {
    let Ok(mut operator) = Operator::open(&table.server.socket) else { return };
    while !table.is_over() {
        let (index, account, floor) = choose(table, &mut random);
        match operator.balance(account.id) {
            Ok(Ok((posted, last))) => note(table, index, Sighting { figure: Figure::Posted(posted, last), floor }),
            Ok(Err(wrong)) => table.book().find(wrong.to_string()),
            Err(error) => return table.broken("a reader", &error),
        }
    }
}

fn choose(table: &Table<'_>, random: &mut Random) -> (usize, crate::operator::Account, u64) {
    let book = table.book();
    let index = random.index(book.pages.len());
    (index, book.pages[index].account.clone(), book.pages[index].acknowledged)
}

fn note(table: &Table<'_>, index: usize, sighting: Sighting) {
    table.book().pages[index].sightings.push(sighting);
}
