//! The ways to get the blocks of a state: one export, what is newer, and single blocks.

use std::path::Path;

use pds::Advance;
use pds::Code;
use pds::model::finding::Stage;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;

use crate::error::{Error, Result};
use crate::mirror::fetch_dir::FetchDir;
use crate::mirror::fetched::Fetched;
use crate::mirror::source::Source;
use crate::mirror::walk::{Known, fetch_missing};
use crate::refusal::Refusal;

/// Blocks of a state, in one of two forms.
#[derive(Clone, Copy)]
pub(super) enum Parcel<'a> {
    /// A complete file of a host.
    File(&'a Path),
    /// All that has arrived.
    Blocks(&'a dyn Blocks, Cid),
    /// The changes that lead to a commit from the stored state.
    Changes(Advance<'a>),
}

/// What was asked for, and how often.
#[derive(Default)]
struct Tries {
    exports: u32,
    newer: u32,
    walks: u32,
    /// Whether the last export was cut.
    is_cut: bool,
    /// Whether single blocks come first: the state here is probably close to that of a new host, whose revs are other
    /// ones.
    walks_first: bool,
}

/// Fetches blocks until `take` has all blocks of a state. `take` verifies them and says what is missing.
///
/// An export of a real server can be torn although it ends well, because the server reads it while it writes: it then
/// lacks nodes. What is newer than its root completes it. Some proxies end each long answer: then blocks are asked for
/// by their CIDs.
///
/// After an error, the files stay for the next run, without those that others make superfluous.
pub(super) fn bring<T>(
    source: &Source<'_>,
    fetch: &FetchDir,
    (since, known): (Option<&str>, Known<'_>),
    take: &mut dyn FnMut(Parcel<'_>) -> Result<T>,
) -> Result<(T, Vec<String>)> {
    let mut fetched = Fetched::default();
    fetched.add(fetch.files()?)?;
    let brought = bring_into(&mut fetched, source, fetch, (since, known), take);
    match &brought {
        // The next run must ask the host again; a refused state, and one that is too large, are of no use to it.
        Err(error) if error.is_refusal() || matches!(error, Error::Bound { .. }) => {
            fetch.clear_files()?;
        }
        Err(_) => fetched.remove_superfluous()?,
        Ok(_) => {}
    }
    brought.map(|taken| (taken, fetched.faults))
}

fn bring_into<T>(
    fetched: &mut Fetched,
    source: &Source<'_>,
    fetch: &FetchDir,
    (since, known): (Option<&str>, Known<'_>),
    take: &mut dyn FnMut(Parcel<'_>) -> Result<T>,
) -> Result<T> {
    let mut tries = Tries::of(since, known);
    let mut root = newest(fetched, known);
    loop {
        let mut reason = None;
        if let Some(root_now) = root {
            match take(Parcel::Blocks(fetched, root_now)) {
                Err(error) if is_gap(&error) => reason = Some(error),
                Err(error) if error.is_refusal() && tries.is_first() => {
                    // What an interrupted run has left says nothing about the host of today.
                    fetch.clear_files()?;
                    (*fetched, root) = (Fetched::default(), None);
                    continue;
                }
                taken => return taken,
            }
        }
        match tries.next(root.is_some()) {
            Some(Way::Export) => {
                let arrived = source.export(fetch, since)?;
                tries.is_cut = arrived.cut.is_some();
                if arrived.cut.is_none() {
                    match take(Parcel::File(&arrived.path)) {
                        Err(error) if is_gap(&error) => {}
                        taken => return taken,
                    }
                }
                fetched.add(fetch.files()?)?;
                root = newest(fetched, known);
            }
            Some(Way::Newer) => {
                fetch_newer(source, fetch, fetched, known)?;
                let before = std::mem::replace(&mut root, newest(fetched, known));
                if before == root {
                    tries.newer = MAX_NEWER;
                }
            }
            Some(Way::Walk) => {
                let latest = source.latest()?.cid;
                match fetch_missing(source, fetch, fetched, (latest, known)) {
                    Ok(()) => root = Some(latest),
                    // By now the host has a newer state, and no longer the blocks of this one.
                    Err(Error::Http { .. } | Error::Answer { .. }) if tries.walks < MAX_WALKS => {}
                    Err(error) => {
                        return Err(worse(error, reason.filter(|_| root == Some(latest))));
                    }
                }
            }
            None => return Err(reason.unwrap_or_else(|| source.nothing())),
        }
    }
}

/// Fetches what is newer than the newest root that has arrived.
fn fetch_newer(
    source: &Source<'_>,
    fetch: &FetchDir,
    fetched: &mut Fetched,
    known: Known<'_>,
) -> Result<()> {
    let rev = fetched.newest(known.blocks).and_then(|commit| commit.rev());
    source.export(fetch, rev.map(|rev| rev.to_string()).as_deref())?;
    fetched.add(fetch.files()?)
}

fn newest(fetched: &Fetched, known: Known<'_>) -> Option<Cid> {
    fetched.newest(known.blocks).map(|commit| commit.cid())
}

/// The next thing to ask for.
enum Way {
    /// The export.
    Export,
    /// What is newer than the newest root that has arrived.
    Newer,
    /// The missing blocks of the newest commit of the host.
    Walk,
}

impl Tries {
    fn of(since: Option<&str>, known: Known<'_>) -> Self {
        Self { walks_first: since.is_none() && known.data.is_some(), ..Self::default() }
    }

    /// Returns whether nothing was asked for yet.
    fn is_first(&self) -> bool {
        self.exports + self.newer + self.walks == 0
    }

    /// Returns the next way, and counts it. An export that ended well is not asked for again.
    fn next(&mut self, has_root: bool) -> Option<Way> {
        if self.walks_first && self.is_first() {
            self.walks = 1;
            return Some(Way::Walk);
        }
        if self.exports < MAX_EXPORTS && (self.exports == 0 || self.is_cut) {
            self.exports += 1;
            return Some(Way::Export);
        }
        if has_root && self.newer < MAX_NEWER {
            self.newer += 1;
            return Some(Way::Newer);
        }
        self.walks += 1;
        (self.walks <= MAX_WALKS).then_some(Way::Walk)
    }
}

/// Returns the error of a walk, or the gap in the newest state of a host that denies the missing block.
fn worse(error: Error, gap: Option<Error>) -> Error {
    let is_denied = matches!(error, Error::Answer { .. } | Error::Http { status: 400 | 404, .. });
    gap.filter(|gap| is_denied && gap.is_refusal()).unwrap_or(error)
}

/// Returns whether blocks are missing or damaged, so that others may complete the state, or whether a newer state is
/// missing.
pub(super) fn is_gap(error: &Error) -> bool {
    let finding = match error {
        Error::Repo(pds::Error::Car(_)) | Error::Answer { .. } => return true,
        Error::Refused(refusal) => match &**refusal {
            Refusal::Unsound(finding) => finding,
            _ => return false,
        },
        _ => return false,
    };
    matches!(finding.code(), Code::CommitMissing | Code::NodeMissing | Code::RecordMissing)
        || matches!(finding.stage(), Stage::Car | Stage::Hash | Stage::Cid)
}

/// How often an export is asked for that was cut.
const MAX_EXPORTS: u32 = 3;

/// How often the part that is newer than the root is asked for.
const MAX_NEWER: u32 = 3;

/// How often single blocks are asked for, from the newest commit on.
const MAX_WALKS: u32 = 5;
