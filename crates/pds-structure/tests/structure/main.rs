//! The rules on structure, checked against the sources of every crate.
//!
//! Each file answers one question. `tree.rs`, `source.rs`, `lexer.rs` and `paths.rs` read the sources;
//! `known.rs` keeps the lists of violations that are still to be fixed.
//!
//! - `PDS_STRUCTURE=report cargo test -p atpds-structure -- --nocapture` prints every violation.
//! - `PDS_STRUCTURE=record cargo test -p atpds-structure` writes the lists in `known/` again.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod counts;
mod cycles;
mod imports;
mod known;
mod layers;
mod lengths;
mod lexer;
mod names;
mod paths;
mod repo;
mod source;
mod traits;
mod tree;
mod words;
