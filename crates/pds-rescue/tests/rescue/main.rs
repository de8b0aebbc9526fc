//! Repairs of damaged repositories and files, through the public interface.
#![allow(missing_docs, clippy::unwrap_used)]

mod account;
mod quarantine;
mod recover;
mod repair;
mod salvage;
mod states;

use std::fs;
use std::path::Path;

use pds::Repo;
use pds::data::Value;
use pds::store::{Refs, Version};
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

fn refs(repo: &Repo) -> Refs {
    repo.store().view().unwrap().refs().unwrap()
}

fn version(repo: &Repo) -> Version {
    repo.store().view().unwrap().version()
}

/// Copies the sample store to a directory. It has four commits, a ref `before`, and a blob, and no signing key.
fn copy_sample(dir: &Path) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats/v1");
    let mut waiting = vec![(sample, dir.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            let entries = fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().file_name());
            waiting.extend(entries.map(|name| (from.join(&name), to.join(&name))));
        } else {
            fs::write(&to, fs::read(&from).unwrap()).unwrap();
        }
    }
}
