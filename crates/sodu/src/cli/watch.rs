//! `sodu watch`.

pub mod burn;
pub mod judge;
