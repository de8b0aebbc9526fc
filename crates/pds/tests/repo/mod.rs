//! Repositories as their users see them.

mod blobs;
mod closed;
mod forget;
mod formats;
mod gc;
mod history;
mod keys;
mod merges;
mod model;
mod proofs;
mod races;
#[cfg(feature = "sqlite")]
mod repair;
mod salvage;
mod slices;
mod stores;
mod writes;

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Value;
use pds::repo::Repo;
use pds::store::MemoryStore;
use pds::syntax::{Did, RecordPath};

fn did() -> Did {
    "did:web:alice.example.com".parse().unwrap()
}

fn path(text: &str) -> RecordPath {
    text.parse().unwrap()
}

fn note(text: &str) -> Value {
    Value::from([("text", Value::from(text))])
}

/// A repository in memory with a key and an empty first commit.
fn in_memory() -> Repo {
    let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(SigningKey::generate(Curve::K256).unwrap());
    repo.init(&did()).unwrap();
    repo
}
