//! A store of repositories in PostgreSQL: many accounts in one database, many processes on one
//! account.
//!
//! [`PostgresStore`](store::PostgresStore) implements the traits of `pds_store` for one account of
//! a database, whose [`Address`](address::Address) looks like `postgres://me@localhost/repos`. It
//! passes the same conformance suite as the other stores.
//!
//! Every call that reads or writes takes round trips to the server. The calls block, and must not
//! run on a thread of an async runtime. Connections are not encrypted: use a server on the same
//! machine, a private network or a tunnel.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use pds::Repo;
//! use pds::crypto::{Curve, SigningKey};
//! use pds::blob::MemoryBlobs;
//! use pds_postgres::store::PostgresStore;
//!
//! let did: pds::syntax::Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?;
//! let store = PostgresStore::create(&"postgres://me@localhost/repos".parse()?, &did)?;
//! let repo = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
//! repo.signing_with(SigningKey::generate(Curve::K256)?).init(&did)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod address;
mod apply;
mod errors;
mod login;
mod maintain;
mod pool;
mod schema;
mod step;
pub mod store;
mod sweep;
mod view;
