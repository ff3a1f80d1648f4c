//! One round: sixty-four callers and a few readers on a running server, until it is killed or they have nothing left.
//!
//! The kill falls right after an answer, or right after a reading that shows an entry of which nobody has been told yet:
//! the two moments at which a server that vouched too early is caught. The seed decides after how many answers. A connection that breaks before the kill is a finding.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

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

/// What ends a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The deck has nothing left.
    Drained,
    /// A kill, right after so many answers.
    Answer(u64),
    /// A kill, right after the first reading beyond so many answers that is ahead of all acknowledgements.
    Reading(u64),
}

/// What callers and readers share.
struct Table<'a> {
    server: &'a Server,
    book: Mutex<&'a mut Book>,
    deck: Mutex<&'a mut Deck>,
    answers: AtomicU64,
    end: End,
    over: AtomicBool,
    /// Tells that the server was killed, or that there is a finding.
    ended: Sender<()>,
}

/// Lets everybody call until the round ends; the server is then dead, unless the deck was drained.
pub(crate) fn play(server: &Server, book: &mut Book, deck: &mut Deck, end: End, seed: u64) -> Result<()> {
    deck.goes_on = end != End::Drained;
    let (ended, end_seen) = channel();
    let table = Table {
        server,
        book: Mutex::new(book),
        deck: Mutex::new(deck),
        answers: AtomicU64::new(0),
        end,
        over: AtomicBool::new(false),
        ended,
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| call(&table))).collect();
        for reader in 0..READERS {
            let random = Random::new(seed.wrapping_add(reader as u64));
            let table = &table;
            scope
                .spawn(move || if reader % 2 == 0 { read_public(table, random) } else { read_operator(table, random) });
        }
        if end == End::Drained {
            callers.into_iter().for_each(|caller| drop(caller.join()));
            table.over.store(true, Ordering::SeqCst);
            return Ok(());
        }
        let seen = end_seen.recv_timeout(PATIENCE);
        // Whatever came, callers and readers must be let go before the scope can end.
        table.kill();
        ensure!(seen.is_ok(), "no kill in {PATIENCE:?}: the server answers too slowly for {end:?}");
        Ok(())
    })
}

impl<'a> Table<'a> {
    fn book(&self) -> MutexGuard<'_, &'a mut Book> {
        self.book.lock().expect("no caller panics while it writes the list")
    }

    fn deal(&self) -> Option<Card> {
        self.deck.lock().expect("no caller panics while it takes a card").deal()
    }

    /// Kills the server; from now on connections may break.
    fn kill(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.server.kill_now().ok();
        self.ended.send(()).ok();
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
fn call(table: &Table<'_>) {
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
        let answers = table.answers.fetch_add(u64::from(sent.is_ok()), Ordering::SeqCst) + 1;
        if sent.is_ok() && table.end == End::Answer(answers) {
            table.kill();
        }
        match sent {
            Ok(Ok(answer)) => table.book().answered(&command, &answer),
            Ok(Err(answer)) => table.book().misused(&command, &answer),
            Err(error) => {
                table.book().unanswered += 1;
                return table.broken("a caller", &error);
            }
        }
        if !table.book().findings.is_empty() {
            table.ended.send(()).ok();
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
            Ok(Ok((posted, last))) => {
                let due = |answers| table.answers.load(Ordering::SeqCst) >= answers;
                if last > floor && matches!(table.end, End::Reading(answers) if due(answers)) {
                    table.kill();
                }
                note(table, index, Sighting { figure: Figure::Posted(posted, last), floor });
            }
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
