//! `sodu watch`.

pub mod burn;
mod file;
pub mod journal;
pub mod judge;
pub mod memory;
mod own;
pub mod plan;
