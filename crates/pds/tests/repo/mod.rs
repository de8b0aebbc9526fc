//! Tests of repositories through their public interface.

mod admits;
mod advances;
mod any_order;
mod beginnings;
mod blobs;
mod clocks;
mod closed;
mod copies;
mod earlier;
mod first_keys;
mod forget;
mod forks;
mod formats;
mod gc;
mod gc_blobs;
mod healing;
mod history;
mod judged;
mod keys;
mod malformed;
mod meanwhile;
mod merge_reads;
mod merges;
mod mirrors;
mod model;
mod named_by_log;
mod named_keys;
mod old_keys;
mod progress;
pub(super) mod proofs;
mod races;
mod reverts;
mod revisions;
mod rotations;
mod seam;
pub(super) mod slice_checks;
mod slices;
mod spooled;
mod states_of_keys;
mod stores;
mod unreadable;
mod walks;
mod watched;
mod writes;

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::commit::Commit;
use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Cid, Value};
use pds::store::{
    Change, Event, Fact, FactEdit, FactKind, LogEntry, LogQuery, MemoryStore, Refs, Sweep, Version,
};
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

/// Rotates to another key, and returns a handle that signs with it.
fn rotate(repo: &Repo, next: impl Signer + 'static) -> pds::Result<(Repo, Commit)> {
    let commit = repo.keys().rotate(&next)?;
    Ok((repo.clone().signing_with(next), commit))
}

/// Returns a repository in memory with a key and an empty first commit.
fn in_memory() -> Repo {
    let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(SigningKey::generate(Curve::K256).unwrap());
    repo.init(&did()).unwrap();
    repo
}

/// Sets a flag when it is dropped, also by a panic: the threads that wait for it then end.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns the current refs.
pub(crate) fn refs(repo: &Repo) -> Refs {
    repo.store().view().unwrap().refs().unwrap()
}

/// Returns the current version of the store.
fn version(repo: &Repo) -> Version {
    repo.store().view().unwrap().version()
}

/// Returns every row of the log, oldest first.
fn moves(repo: &Repo) -> Vec<LogEntry> {
    let mut rows = Vec::new();
    let mut each = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    repo.store().view().unwrap().log(&LogQuery::oldest_first(), &mut each).unwrap();
    rows
}

/// Returns the action that a row of the log records: the event with its data, and the message.
fn action(row: &LogEntry) -> String {
    match &*row.message {
        "" => row.event.to_string(),
        message => format!("{}: {message}", row.event),
    }
}

/// Returns the actions in the log of the current ref, newest first.
fn actions(repo: &Repo) -> Vec<String> {
    repo.history().log(usize::MAX).unwrap().iter().map(action).collect()
}

/// Returns the facts of a kind.
pub(crate) fn facts(repo: &Repo, kind: FactKind) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut each = |fact| {
        facts.push(fact);
        ControlFlow::Continue(())
    };
    repo.store().view().unwrap().facts(kind, &mut each).unwrap();
    facts
}

/// Applies edits of facts, and nothing else.
fn set_facts(repo: &Repo, edits: impl IntoIterator<Item = FactEdit>) {
    repo.store().apply(Change::new(Event::Set).facts(edits)).unwrap();
}

pub(crate) fn block_count(repo: &Repo) -> u64 {
    repo.store().maintain().unwrap().block_count().unwrap()
}

/// Deletes a block, as a failing disk may.
pub(crate) fn lose(repo: &Repo, lost: Cid) {
    let live = |cid: &Cid| *cid != lost;
    let swept = repo.store().collect(Sweep::new(version(repo), &live)).unwrap();
    assert_eq!(swept.blocks, 1, "{lost}");
}

/// Returns the CIDs of the stored blobs.
fn listed_blobs(repo: &Repo) -> BTreeSet<Cid> {
    let mut cids = BTreeSet::new();
    let mut each = |info: pds::blob::BlobInfo| {
        cids.insert(info.cid);
        ControlFlow::Continue(())
    };
    repo.blobs().list(&mut each).unwrap();
    cids
}

/// Returns the files below a directory that contain a text.
fn files_with(dir: &Path, marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(marker.len()).any(|window| window == marker.as_bytes()) {
                found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
