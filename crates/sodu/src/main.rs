//! The command `sodu`; see `cli`.

fn main() {}
