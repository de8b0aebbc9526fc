//! The rules on structure, checked against the sources of every crate.
//!
//! Each file answers one question. `tree.rs`, `source.rs`, `lexer.rs` and `paths.rs` read the sources;
//! `violation.rs` reports the places that break a rule.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod counts;
mod cycles;
mod imports;
mod layers;
mod lengths;
mod lexer;
mod names;
mod paths;
mod repo;
mod source;
mod traits;
mod tree;
mod violation;
mod words;
