//! The real binary as people and scripts use it: words, tables, JSON, exit codes, other processes beside it.
//!
//! Each test has its own folder and database; none waits for a time, only for what a process prints or for its end.

mod accounts;
mod against;
mod alerts;
mod backups;
mod balance;
mod chores;
mod client;
mod common;
mod cut_off;
mod demo;
mod doctor;
mod engine;
mod holds;
mod imports;
mod keys;
mod months;
mod movements;
mod operators;
mod processes;
mod statements;
mod supervised;
mod tamper;
mod tampered;
mod twists;
mod unwritable;
mod usage;
mod watch;
