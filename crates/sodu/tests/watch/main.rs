//! The watcher against a real server, over a week that passes in seconds, and what people read about it.
//!
//! Nothing here waits for a time: the clock of the ledger and of the watcher is one, and it is stepped from event to event. Eight
//! days pass in half a minute, more than 20,000 times as fast as they do, and each run is the same.

mod documents;
mod receiver;
mod relay;
mod script;
mod week;
mod world;
