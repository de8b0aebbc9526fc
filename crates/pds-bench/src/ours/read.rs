//! CAR files: every hash, every rule of the tree, every record in key order.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pds::car::{CarFile, CarReader};
use pds::commit::Commit;
use pds::data::Blocks;
use pds::mst::{Due, Preorder, Step, walk};

use crate::meter::{Meter, Outcome, Seen};

/// In one pass, in the memory of one path of the tree.
pub(crate) fn streamable(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    let mut car = CarReader::new(File::open(path)?)?;
    let root = *car.roots().first().context("no root")?;
    let first = car.next_section()?.context("no commit")?.block;
    ensure!(first.cid() == root, "the commit does not come first");
    let mut tree = Preorder::new(Commit::decode(&first.to_block())?.data());
    let mut seen = Seen::default();
    loop {
        match tree.due()? {
            Due::Nothing => break,
            Due::Node(cid) => {
                let node = car.next_section()?.context("a node is missing")?.block;
                ensure!(node.cid() == cid, "another block than the node that is due");
                tree.node(node.bytes())?;
            }
            Due::Record { key, cid } => {
                let record = car.next_section()?.context("a record is missing")?.block;
                ensure!(record.cid() == cid, "another block than the record that is due");
                seen.record(key, record.bytes());
                tree.record();
            }
        }
    }
    ensure!(car.next_section()?.is_none(), "there are blocks after the last record");
    Ok(meter.stop(seen.records)?.checked(seen))
}

/// Through an index of the file.
pub(crate) fn any_order(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    let car = CarFile::open(File::open(path)?)?;
    let root = car.roots().first().context("no root")?;
    let commit = Commit::decode(&car.get(root)?.context("no commit")?)?;
    let mut seen = Seen::default();
    for step in walk(&car, commit.data()) {
        if let Step::Entry { key, value } = step? {
            let record = car.get(&value)?.context("a record is missing")?;
            seen.record(key.as_bytes(), record.bytes());
        }
    }
    Ok(meter.stop(seen.records)?.checked(seen))
}
