//! The blocks that are missing from a state, asked for by their CIDs, level by level.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufWriter;

use pds::car::{CarReader, CarWriter};
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_core::mst::error::MstError;
use pds_core::mst::walk::{Step, walk};

use crate::error::{Error, Result};
use crate::limits::MAX_CIDS_A_REQUEST;
use crate::mirror::fetch_dir::FetchDir;
use crate::mirror::fetched::Fetched;
use crate::mirror::small_file::failed;
use crate::mirror::source::Source;
use crate::xrpc::sync::get_blocks;

/// The state that is here already.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) blocks: &'a dyn Blocks,
    /// The root of the tree of the present state.
    pub(super) data: Option<Cid>,
}

/// Fetches all blocks of a state that have not arrived and are not here.
pub(super) fn fetch_missing(
    source: &Source<'_>,
    fetch: &FetchDir,
    fetched: &mut Fetched,
    (root, known): (Cid, Known<'_>),
) -> Result<()> {
    // Each round completes at least one level of the tree.
    for _ in 0..MAX_ROUNDS {
        let missing = missing(fetched, root, known)?;
        if missing.is_empty() {
            return Ok(());
        }
        let got = fetch_blocks(source, fetch, root, &missing);
        fetched.add(fetch.files()?)?;
        got?;
    }
    Ok(())
}

/// Returns the CIDs of the blocks that the readable part of a state needs.
fn missing(fetched: &Fetched, root: Cid, known: Known<'_>) -> Result<Vec<Cid>> {
    let both = Overlay { over: fetched, under: known.blocks };
    let read = |cid: &Cid| both.get(cid).map_err(|error| Error::Repo(error.into()));
    let Some(block) = read(&root)? else { return Ok(vec![root]) };
    let commit = Commit::decode(&block).map_err(|error| Error::Repo(error.into()))?;
    let has = |cid: &Cid| fetched.has(cid);
    let base = known.data.map(|data| BaseTree::new(known.blocks, data, &has));
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |cid: Cid| {
        if seen.insert(cid) {
            found.push(cid);
        }
    };
    for step in walk(&both, commit.data()).over(base) {
        match step {
            Ok(Step::Entry { value, .. }) => {
                if !fetched.has(&value) && read(&value)?.is_none() {
                    add(value);
                }
            }
            Ok(Step::Node { .. }) => {}
            Err(MstError::Missing { cid, .. }) => add(cid),
            // The import names the fault.
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Fetches blocks into one new file. What arrives before an error is kept.
fn fetch_blocks(source: &Source<'_>, fetch: &FetchDir, root: Cid, wanted: &[Cid]) -> Result<()> {
    let (part, path) = fetch.next()?;
    let file = File::create_new(&part).map_err(|error| failed(&part, error))?;
    let car = |error| Error::Repo(pds::Error::Car(error));
    let mut writer = CarWriter::new(BufWriter::new(file), &[root]).map_err(car)?;
    let mut outcome = Ok(());
    let before = fetch.bytes()?;
    for some in wanted.chunks(MAX_CIDS_A_REQUEST) {
        let left = source.bytes_left(before.saturating_add(writer.bytes()));
        outcome = left.and_then(|left| fetch_some(source, some, left, &mut writer));
        if outcome.is_err() {
            break;
        }
        source.check_stop(writer.bytes())?;
    }
    drop(writer.finish().map_err(car)?);
    fs::rename(&part, &path).map_err(|error| failed(&path, error))?;
    outcome
}

/// Asks for a few blocks, again for those that a cut answer lacks.
fn fetch_some(
    source: &Source<'_>,
    wanted: &[Cid],
    max_bytes: u64,
    writer: &mut CarWriter<BufWriter<File>>,
) -> Result<()> {
    let mut left: Vec<Cid> = wanted.to_vec();
    while !left.is_empty() {
        let before = left.len();
        let body = get_blocks(source.client, source.host, source.did, &left, max_bytes)?;
        let outcome = read_blocks(source, CarReader::new(body), &mut left, writer);
        match outcome {
            Err(error) if left.len() == before => return Err(error),
            Ok(()) if left.len() == before => {
                let (did, cid) = (source.did, left.first().copied());
                let reason = format!("the host does not send {} of {did}", text(cid));
                return Err(Error::Answer { url: source.host.to_string(), reason });
            }
            // The rest is asked for again.
            _ => {}
        }
    }
    Ok(())
}

fn text(cid: Option<Cid>) -> String {
    cid.map_or_else(|| "a block".to_owned(), |cid| cid.to_string())
}

/// Takes the wanted blocks of an answer. Blocks with other bytes than their CID names, and blocks that were not
/// asked for, are not taken.
fn read_blocks<R: std::io::Read>(
    source: &Source<'_>,
    reader: Result<CarReader<R>, pds::car::CarError>,
    left: &mut Vec<Cid>,
    writer: &mut CarWriter<BufWriter<File>>,
) -> Result<()> {
    let answer = |error| match error {
        pds::car::CarError::Io(error) => Error::from(error),
        error => Error::Answer { url: source.host.to_string(), reason: error.to_string() },
    };
    let mut reader = reader.map_err(answer)?;
    loop {
        match reader.next_section() {
            Ok(None) => return Ok(()),
            Ok(Some(section)) => {
                let cid = section.block.cid();
                if let Some(place) = left.iter().position(|wanted| *wanted == cid) {
                    left.swap_remove(place);
                    let written = writer.block(section.block);
                    written.map_err(|error| Error::Repo(pds::Error::Car(error)))?;
                }
            }
            Err(error) if error.is_one_block() => {}
            Err(error) => return Err(answer(error)),
        }
    }
}

/// A tree has at most 129 levels, and the commit and the records are two more.
const MAX_ROUNDS: usize = 131;
