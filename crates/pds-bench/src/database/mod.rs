//! The store in PostgreSQL, next to bare statements in the same server and to the store in SQLite.

mod accounts;
mod bare;
mod clock;
mod goal;
mod import;
mod many;
mod page;
mod proxy;
mod put;
mod reads;
mod recorder;
pub(crate) mod run;
mod server;
