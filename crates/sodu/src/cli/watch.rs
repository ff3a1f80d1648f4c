//! `sodu watch`.

pub mod burn;
pub mod journal;
pub mod judge;
pub mod memory;
mod own;
