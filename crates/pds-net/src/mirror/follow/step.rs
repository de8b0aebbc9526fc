//! The step of a mirror by one event.

use pds::Advance;
use pds::model::write::RecordChange;
use pds_core::commit::Commit;
use pds_core::data::block::{Blocks, MemoryBlocks};
use pds_core::sync::check::{CheckedCommit, check_commit, check_sync};
use pds_core::sync::error::EventFault;
use pds_core::sync::event::{CommitEvent, SyncEvent};

use crate::account::Account;
use crate::error::{Error, Result};
use crate::mirror::arrival::refusal;
use crate::mirror::blobs::Blobs;
use crate::mirror::fetch_dir::MirrorLock;
use crate::mirror::follow::followed::EventRefused;
use crate::mirror::handle::{FetchOptions, Mirror, origin};
use crate::mirror::pull::Pulled;
use crate::mirror::source::Source;
use crate::mirror::transport::{Parcel, is_gap};
use crate::net::Net;
use crate::progress::Report;

/// What an event has led to.
pub(super) enum Step {
    /// The event is about a state that the mirror had before.
    Old,
    /// The state of the event is stored.
    Taken(Box<Pulled>),
    /// States between the stored one and that of the event are missing.
    Behind,
}

/// What an event claims, well-formed and without contradiction.
struct Claim {
    commit: Commit,
    changes: Vec<RecordChange>,
    blocks: MemoryBlocks,
    /// Whether the changes begin at the stored state.
    is_next: bool,
    /// The bytes of the blocks in the event.
    bytes: u64,
}

impl Claim {
    fn of(event: &CommitEvent, before: &Commit) -> Result<Self, EventFault> {
        if let Some(commit) = unchanged(event, before) {
            return Ok(Self::without_changes(commit, &event.blocks));
        }
        let CheckedCommit { commit, blocks } = check_commit(event, None)?;
        let changes = event.ops.iter().map(|op| RecordChange {
            path: op.path.clone(),
            before: op.prev,
            after: op.cid,
        });
        let is_next = event.prev_data == Some(before.data());
        let (changes, bytes) = (changes.collect(), event.blocks.len() as u64);
        Ok(Self { commit, changes, blocks, is_next, bytes })
    }

    /// A commit that has the stored records.
    fn without_changes(commit: Commit, car: &[u8]) -> Self {
        let (changes, blocks) = (Vec::new(), MemoryBlocks::default());
        Self { commit, changes, blocks, is_next: true, bytes: car.len() as u64 }
    }
}

/// Returns the commit of an event without changes. Hosts send such events without a node of the tree.
fn unchanged(event: &CommitEvent, before: &Commit) -> Option<Commit> {
    if !event.ops.is_empty() {
        return None;
    }
    let sync = SyncEvent {
        seq: event.seq,
        did: event.repo.clone(),
        rev: event.rev,
        blocks: event.blocks.clone(),
        time: String::new(),
    };
    let commit = check_sync(&sync, None).ok()?;
    (commit.cid() == event.commit && commit.data() == before.data()).then_some(commit)
}

fn outcome(taken: Result<Pulled>) -> Result<Step> {
    match taken {
        Ok(pulled) => Ok(Step::Taken(Box::new(pulled))),
        Err(Error::Busy) => Ok(Step::Behind),
        Err(error) if is_gap(&error) => Ok(Step::Behind),
        Err(error) => Err(error),
    }
}

/// What an event is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) net: &'a Net,
    pub(super) report: Report<'a>,
    pub(super) options: &'a FetchOptions,
    pub(super) account: &'a Account,
}

impl Mirror {
    /// Takes the commit of an event, if it follows the stored state.
    pub(super) fn step(
        &mut self,
        event: &CommitEvent,
        judge: Judge<'_>,
    ) -> Result<Step, EventRefused> {
        let seq = event.seq;
        let refused = |error: Error| EventRefused::Commit { seq, error: Box::new(error) };
        let before = self.state().map_err(refused)?;
        if before.cid() == event.commit || before.rev() > Some(event.rev) {
            return Ok(Step::Old);
        }
        let claim = Claim::of(event, &before);
        let claim = claim.map_err(|fault| EventRefused::Invalid { seq, fault })?;
        outcome(self.take_claim(&before, &claim, judge)).map_err(refused)
    }

    /// Takes the commit of a sync event, if it has the stored records.
    pub(super) fn renew(
        &mut self,
        event: &SyncEvent,
        judge: Judge<'_>,
    ) -> Result<Step, EventRefused> {
        let seq = event.seq;
        let refused = |error: Error| EventRefused::Commit { seq, error: Box::new(error) };
        let before = self.state().map_err(refused)?;
        let commit = check_sync(event, None);
        let commit = commit.map_err(|fault| EventRefused::Invalid { seq, fault })?;
        if before.cid() == commit.cid() || before.rev() > commit.rev() {
            return Ok(Step::Old);
        }
        if commit.data() != before.data() {
            return Ok(Step::Behind);
        }
        outcome(self.take_claim(&before, &Claim::without_changes(commit, &event.blocks), judge))
            .map_err(refused)
    }

    fn take_claim(&mut self, before: &Commit, claim: &Claim, judge: Judge<'_>) -> Result<Pulled> {
        let Judge { net, report, options, account } = judge;
        let net = &net.with_own_counts();
        let Claim { commit, changes, blocks, is_next, .. } = claim;
        let _lock = MirrorLock::take(&self.dir, options.wait)?;
        if self.state()?.cid() != before.cid() {
            // Another process was at work meanwhile.
            return Err(Error::Busy);
        }
        let store = self.repo.store().clone();
        let parcel = match is_next {
            true => Parcel::Changes(Advance::new(commit, changes, blocks).base(before.data())),
            false => Parcel::Blocks(blocks, commit.cid()),
        };
        // The states between may have had blobs, too.
        let has_blobs = !options.no_blobs && (!is_next || self.has_new_blobs(changes, blocks)?);
        if has_blobs {
            // Another process may have changed the file.
            self.reload()?;
        }
        let was_complete = self.upstream.complete;
        if has_blobs {
            self.set_incomplete()?;
        }
        let taken = self.take(account, parcel, &account.host, options);
        let (imported, warning) =
            taken.map_err(|error| refusal(error, (&self.dir, store.as_ref()), parcel))?;
        let changes = match is_next {
            true => changes.clone(),
            false => self.changes(before, &imported)?,
        };
        let moves_head = self.repo.head()? == self.repo.get_ref(&origin())?;
        let (blobs, blobs_error) = match has_blobs {
            true => {
                let (did, host) = (self.upstream.did.clone(), self.upstream.host.clone());
                let client = net.reporting(report);
                let source = Source { client, host: &host, did: &did, report };
                self.blobs_of_new(&source, (&changes, was_complete), options)?
            }
            false => (Blobs::default(), None),
        };
        let (after, warnings) = (imported.commit, warning.into_iter().collect());
        let before = before.cid();
        let (moved_to, mut traffic) = (None, net.traffic());
        traffic.bytes_received += claim.bytes;
        Ok(Pulled {
            before,
            after,
            changes,
            moves_head,
            moved_to,
            blobs,
            traffic,
            blobs_error,
            warnings,
        })
    }

    /// Returns whether new records refer to blobs that are not stored.
    fn has_new_blobs(&self, changes: &[RecordChange], blocks: &MemoryBlocks) -> Result<bool> {
        for cid in changes.iter().filter_map(|change| change.after) {
            let block = blocks.get(&cid).ok().flatten();
            let blobs = block.and_then(|block| pds::data::blobs_in(block.bytes()).ok());
            for blob in blobs.into_iter().flatten() {
                if self.repo.blob(&blob.cid)?.is_none() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "step_tests.rs"]
mod tests;
