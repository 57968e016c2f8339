//! The doors from outside: a real server on a real port, spoken to by a real client of the contract.

#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

mod contract;
mod life;
mod plain;
mod world;
