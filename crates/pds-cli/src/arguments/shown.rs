//! The argument of `pds show`: a state, a block, or a record of a state.

use std::ffi::OsStr;
use std::ops::ControlFlow;

use anyhow::Result;
use pds::data::{Block, Blocks, Cid, Codec};
use pds::{Error, Revision, Snapshot};

use crate::arguments::history_args::no_range;
use crate::arguments::record::RecordArg;
use crate::arguments::record_at::RecordAtArg;
use crate::arguments::short_cid::{CidArg, Fitting};
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::Stated;
use crate::repository::open::{Place, Source};

/// What the argument names.
pub(crate) enum Shown {
    State(Box<OpenState>),
    /// A block, with the source that was searched for its CID.
    Block(Block, Option<Source>),
}

/// A state with its source, and the revision that names it there.
pub(crate) struct OpenState {
    pub(crate) source: Source,
    pub(crate) at: Option<Revision>,
    pub(crate) snapshot: Snapshot,
}

impl OpenState {
    fn open(place: &Place, state: &StateArg) -> Result<Self> {
        let (source, at) = place.source_at(Some(state))?;
        let snapshot = source.snapshot(at)?;
        Ok(Self { source, at: at.cloned(), snapshot })
    }
}

impl Shown {
    /// Finds what an argument names: the block with a CID, a state, the record of a state, or the only block whose CID
    /// begins with the argument. A state wins over a block that is no commit.
    pub(crate) fn find(place: &Place, what: &OsStr) -> Result<Self> {
        let text = what.to_str().unwrap_or_default();
        if let Ok(cid) = text.parse::<Cid>() {
            let source = place.source()?;
            return Ok(Self::Block(block(&source, &cid)?, Some(source)));
        }
        if let Ok(RecordAtArg { at: Some(at), record }) = text.parse() {
            return Ok(Self::Block(record_of(place, &at, &record)?, None));
        }
        let state = StateArg::parse(what.to_owned()).map_err(|reason| {
            let shown = match what.is_empty() {
                true => "an empty argument".to_owned(),
                false => what.display().to_string(),
            };
            let message = format!("{shown} is neither a CID nor a revision: {reason}");
            no_range(what).unwrap_or_else(|| Stated::usage(message))
        });
        let missing =
            match state.map_err(Into::into).and_then(|state| OpenState::open(place, &state)) {
                Ok(state) => return Ok(Self::State(Box::new(state))),
                Err(error) => error,
            };
        if text.parse::<RecordArg>().is_ok() {
            return Stated::no("not-found", format!("{missing:#}"))
                .hint("pds get PATH prints a record")
                .fail();
        }
        let is_no_commit = match missing.downcast_ref() {
            Some(Error::Revision(error)) => error.candidates.is_empty(),
            Some(Error::RevisionHidden { .. }) => true,
            _ => false,
        };
        match text.parse::<CidArg>() {
            Ok(short) if is_no_commit => {
                let source = place.source()?;
                match short.find(|fitting| each_block(&source, fitting))? {
                    Some(cid) => Ok(Self::Block(block(&source, &cid)?, Some(source))),
                    None => Err(missing),
                }
            }
            _ => Err(missing),
        }
    }
}

fn block(source: &Source, cid: &Cid) -> Result<Block> {
    let found = match source {
        Source::Repo(repo) => repo.store().get(cid)?,
        Source::Car(car) => car.get(cid)?,
    };
    Ok(found.ok_or_else(|| {
        let stated = Stated::no("not-found", format!("block {cid} is not stored"));
        match cid.codec() {
            Codec::Raw => stated.hint("pds blob get CID writes a blob, and pds blob ls lists them"),
            Codec::Cbor => stated,
        }
    })?)
}

fn record_of(place: &Place, at: &StateArg, record: &RecordArg) -> Result<Block> {
    let snapshot = place.snapshot(Some(at))?;
    let path = record.path_in(place.account(snapshot.commit().known_did()))?;
    match snapshot.find(path)? {
        Some(record) => Ok(record.block),
        None => Stated::no("not-found", format!("no record {path} in {at}")).fail(),
    }
}

/// Passes on the CIDs of all blocks. No block is decoded.
fn each_block(source: &Source, fitting: &mut Fitting<'_>) -> Result<()> {
    match source {
        Source::Repo(repo) => {
            let Some(maintain) = repo.store().maintain() else {
                return Stated::usage(
                    "this store cannot look for a short CID; write the whole CID",
                )
                .fail();
            };
            maintain.scan_raw(&mut |name, _| match Cid::from_bytes(name) {
                Ok(cid) => fitting.test(&cid),
                Err(_) => ControlFlow::Continue(()),
            })?;
        }
        Source::Car(car) => {
            for number in 0..car.len() {
                if car.cid(number)?.is_some_and(|cid| fitting.test(&cid).is_break()) {
                    break;
                }
            }
        }
    }
    Ok(())
}
