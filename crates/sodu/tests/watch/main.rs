//! The watcher against a real server, over a week that passes in seconds, and what people read about it.
//!
//! Nothing here waits for a time: the clock of the ledger and of the watcher is one, and it is stepped from event to event.

mod documents;
mod receiver;
mod relay;
mod script;
mod week;
mod world;
