//! Completion in shells: verbs and flags, and the collections, records, refs and revisions of a repository.
//!
//! A script of the shell calls the program with the words of the command line. Completion only reads, it prints no
//! errors, and it gives up after a moment.

pub(crate) mod answer;
pub(crate) mod attach;
pub(crate) mod command_line;
pub(crate) mod find;
pub(crate) mod opened;
pub(crate) mod shells;
