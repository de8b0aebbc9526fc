//! The state of an account in its database, written to a CAR file.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::Path;

use pds::car::CarWriter;
use pds_core::data::block::BlockRef;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use pds_store::sqlite::foreign_reader::{ForeignReader, ForeignRow};

use crate::error::{Error, Result};
use crate::mirror::data_directory::layout::{ReadFault, read_file, unusable};
use crate::mirror::small_file::failed;
use crate::progress::{Progress, Report};
use crate::refusal::Refusal;

/// The state of an account.
pub(super) struct ActorState {
    /// The rev that the server gives to the state.
    pub(super) rev: Option<Tid>,
    /// What is wrong with rows that were left out.
    pub(super) damaged: DamagedRows,
    /// Blobs that were uploaded, and that the server has not put in their place.
    pub(super) temporary: HashSet<Cid>,
}

/// Rows whose bytes are not those of their CID.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DamagedRows {
    /// The number of rows.
    pub count: u64,
    /// What is wrong with the first of them.
    pub reasons: Vec<String>,
}

impl DamagedRows {
    fn add(&mut self, reason: impl FnOnce() -> String) {
        self.count += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason());
        }
    }
}

/// Writes the blocks of an account to a CAR file, in one transaction. Each block is hashed.
pub(super) fn write_car(
    store: &Path,
    did: &Did,
    to: &Path,
    (max_bytes, report): (u64, Report<'_>),
) -> Result<ActorState> {
    read_file(store, &mut |reader| {
        let (root, rev) = root(reader, store, did)?;
        let file = File::create(to).map_err(|error| failed(to, error))?;
        let car = |error| Error::Repo(pds::Error::Car(error));
        let mut writer = CarWriter::new(BufWriter::new(file), &[root]).map_err(car)?;
        let mut damaged = DamagedRows::default();
        reader.each_row("repo_block", &["cid", "content"], &mut |row| {
            match block(row) {
                Ok(block) => writer.block(block).map_err(car)?,
                Err(reason) => damaged.add(|| reason),
            }
            let bytes = writer.bytes();
            if bytes > max_bytes {
                let (url, what) = (store.display().to_string(), "the repository");
                return Err(Error::Bound { url, what, limit: max_bytes }.into());
            }
            match report(Progress::Repo { bytes, total: None }).is_break() {
                true => Err(Error::Stopped.into()),
                false => Ok::<_, ReadFault>(ControlFlow::Continue(())),
            }
        })?;
        drop(writer.finish().map_err(car)?);
        Ok(ActorState { rev, damaged, temporary: temporary(reader)? })
    })
}

/// Returns the commit of the account, and the rev that the server gives to it.
fn root(reader: &ForeignReader, store: &Path, did: &Did) -> Result<(Cid, Option<Tid>), ReadFault> {
    let mut found = Vec::new();
    reader.each_row("repo_root", &["did", "cid", "rev"], &mut |row| {
        let [owner, cid, rev] = [0, 1, 2].map(|column| row.text(column).map(str::to_owned));
        found.push((owner, cid, rev));
        Ok::<_, ReadFault>(if found.len() > 1 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    let wrong = |reason: &str| ReadFault::Other(unusable(store, reason));
    let [(owner, cid, rev)] = &found[..] else {
        return Err(wrong("its table repo_root has not exactly one row"));
    };
    let owner: Option<Did> = owner.as_ref().and_then(|owner| owner.parse().ok());
    let owner = owner.ok_or_else(|| wrong("its table repo_root names no DID"))?;
    if owner != *did {
        let refusal = Refusal::WrongDid { expected: did.clone(), found: owner };
        return Err(ReadFault::Other(refusal.into()));
    }
    let cid = cid.as_ref().and_then(|cid| cid.parse().ok());
    let cid = cid.ok_or_else(|| wrong("its table repo_root names no commit"))?;
    Ok((cid, rev.as_ref().and_then(|rev| rev.parse().ok())))
}

/// Returns the block of a row, or what is wrong with the row.
fn block<'r>(row: &'r ForeignRow<'_>) -> Result<BlockRef<'r>, String> {
    let Some(cid) = row.text(0).and_then(|cid| cid.parse::<Cid>().ok()) else {
        return Err("a row of repo_block has no valid CID".to_owned());
    };
    let Some(bytes) = row.bytes(1) else { return Err(format!("the row of {cid} has no bytes")) };
    BlockRef::verified(cid, bytes).map_err(|error| format!("the row of {cid}: {error}"))
}

/// Returns the blobs that are not in their place yet.
fn temporary(reader: &ForeignReader) -> Result<HashSet<Cid>, ReadFault> {
    let mut found = HashSet::new();
    if reader.has_table("blob")? {
        reader.each_row("blob", &["cid", "tempKey"], &mut |row| {
            if let (Some(cid), Some(_)) = (row.text(0), row.text(1)) {
                found.extend(cid.parse::<Cid>());
            }
            Ok::<_, ReadFault>(match found.len() {
                0..MAX_TEMPORARY => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            })
        })?;
    }
    Ok(found)
}

/// The most rows whose faults are named.
const MAX_REASONS: usize = 10;

/// A server removes uploads that no record refers to. If there are more, the others count as not found.
const MAX_TEMPORARY: usize = 100_000;
