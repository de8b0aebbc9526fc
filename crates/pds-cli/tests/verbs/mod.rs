//! Every verb: its full answer, its refusal with the exit code, its JSON.

mod apply;
mod arguments;
mod blobs;
mod branches;
mod copies;
mod create;
mod files_as_states;
mod forget;
mod forks;
mod gc;
mod history;
mod identity;
mod in_postgres;
mod inside;
mod keys_in_time;
mod numbers;
mod other_states;
mod parts;
mod proofs;
mod records;
mod round_trips;
mod sources;
mod state_names;
mod tools;
mod transfer;
mod verify;
