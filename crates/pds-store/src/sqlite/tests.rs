//! Tests of a store in a file: the tail, the index after it, several handles, and damage.

mod checksums;
mod conforms;
mod foreign;
mod foreign_reader;
mod foreign_schema;
mod format;
mod handles;
mod index;
mod memory;
mod parallel;
mod reading;
mod repair;
mod replaced;

use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use crate::change::{Applied, Change};
use crate::error::StoreError;
use crate::event::Event;
use crate::ref_name::RefName;
use crate::refs::{Expect, RefEdit};
use crate::sqlite::store::SqliteStore;
use crate::store::{Maintain, Store};
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};

fn block(n: u32) -> Block {
    Block::new(Codec::Raw, n.to_be_bytes())
}

/// An edit that points HEAD to a block.
fn head_at(target: Option<Cid>) -> RefEdit {
    RefEdit { name: RefName::head(), target, expect: Expect::Any }
}

/// Stores blocks, and points HEAD to a target.
fn change(
    store: &SqliteStore,
    blocks: impl IntoIterator<Item = Block>,
    target: Option<Cid>,
) -> Result<Applied, StoreError> {
    let blocks: Vec<_> = blocks.into_iter().map(Ok).collect();
    store.apply(Change::new(Event::Set).blocks(blocks).edit(head_at(target)).message("test"))
}

/// Stores blocks, and points HEAD to the first.
fn apply(store: &SqliteStore, blocks: impl Iterator<Item = u32>) -> Applied {
    let blocks: Vec<Block> = blocks.map(block).collect();
    let target = blocks.first().map(Block::cid);
    change(store, blocks, target).unwrap()
}

fn head(store: &SqliteStore) -> Option<Cid> {
    store.view().unwrap().refs().unwrap().get(&RefName::head())
}

fn numbers(path: &Path) -> (i64, i64) {
    let connection = Connection::open(path).unwrap();
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (one("SELECT count(*) FROM blocks"), one("SELECT count(*) FROM places"))
}

/// Returns the text of an error with its causes.
fn explained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Runs work that must end: a hang is a failure of the test, and not an endless test.
fn bounded<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(MUST_END) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: timeout"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the answer was sent"),
        },
    }
}

const MUST_END: Duration = Duration::from_secs(120);
