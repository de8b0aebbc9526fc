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
        match tree.due() {
            Due::Nothing => break,
            Due::Node(cid) => {
                let node = car.next_section()?.context("a node is missing")?.block;
                ensure!(node.cid() == cid, "another block than the node that is due");
                tree.node(node.bytes())?;
            }
            Due::Record { key, cid } => {
                let record = car.next_section()?.context("a record is missing")?.block;
                ensure!(record.cid() == cid, "another block than the record that is due");
                seen.record(key, record.bytes().len());
                tree.record();
            }
        }
    }
    ensure!(car.next_section()?.is_none(), "there are blocks after the last record");
    Ok(meter.stop(seen.records)?.checked(seen))
}

/// Every block hashed as it stands in the file, then the tree through an index.
pub(crate) fn any_order(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    let car = CarFile::open(File::open(path)?)?;
    let root = car.roots().first().context("no root")?;
    let commit = Commit::decode(&car.get(root)?.context("no commit")?)?;
    let (mut seen, mut nodes) = (Seen::default(), 0);
    for step in walk(&car, commit.data()) {
        match step? {
            Step::Node { .. } => nodes += 1,
            Step::Entry { key, value } => {
                seen.record(key.as_bytes(), car.size_of(&value).context("a record is missing")?);
            }
        }
    }
    ensure!(1 + nodes + seen.records == car.len(), "there are blocks that the tree does not name");
    Ok(meter.stop(seen.records)?.checked(seen))
}
