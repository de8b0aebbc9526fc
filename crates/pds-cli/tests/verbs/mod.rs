//! Every verb: its answer whole, its refusal with its exit code, its JSON.

mod apply;
mod blobs;
mod branches;
mod create;
mod history;
mod inside;
mod parts;
mod records;
mod sources;
mod tools;
mod transfer;
mod verify;
