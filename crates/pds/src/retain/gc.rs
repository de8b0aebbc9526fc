//! Collecting what no ref and no move in the log reaches.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::clock::now_micros;
use crate::error::Result;
use crate::retain::collect::{Collected, Collection, Decide};
use crate::retain::handle::Retain;
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;
use pds_store::log::LogEntry;
use pds_store::sweep::Fate;

/// What a collection keeps beside what the refs name.
///
/// ```
/// use pds::retain::gc::Keep;
///
/// let keep = Keep { states: std::num::NonZeroUsize::new(10), ..Keep::default() };
/// assert_eq!(keep.blob_age.as_secs(), 24 * 60 * 60);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many of the latest states of each ref, the present one included; `None` for all that the
    /// log tells.
    pub states: Option<NonZeroUsize>,
    /// Blobs that were stored less long ago than this stay even if nothing refers to them: the
    /// record that does may be on its way.
    pub blob_age: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { states: None, blob_age: Duration::from_secs(24 * 60 * 60) }
    }
}

/// What a collection has done.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::retain::gc::Keep;
///
/// let swept = repo.retain().gc(&Keep::default(), &mut |_| {})?;
/// assert_eq!((swept.blocks, swept.blobs, swept.bytes()), (0, 0, 0), "the log reaches everything");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// How many blocks went.
    pub blocks: u64,
    /// How many bytes they had.
    pub block_bytes: u64,
    /// How many blobs went.
    pub blobs: u64,
    /// How many bytes they had.
    pub blob_bytes: u64,
    /// How many commits went that the log named.
    pub states: u64,
    /// How many moves the log no longer tells.
    pub moves: u64,
    /// Records that live and cannot be decoded: what blobs they refer to is not known, so no blob
    /// went.
    pub undecodable: Vec<Cid>,
    /// Why the room was not given back, and remains of what went may still be in the files; a later
    /// collection sees to it.
    pub remains: Option<StoreError>,
}

impl Swept {
    /// Returns how many bytes of blocks and blobs went.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.block_bytes + self.blob_bytes
    }
}

impl From<Collected> for Swept {
    fn from(done: Collected) -> Self {
        let Collected { blocks, block_bytes, blobs, blob_bytes, moves, states, .. } = done;
        let Collected { undecodable, remains, .. } = done;
        Self { blocks, block_bytes, blobs, blob_bytes, states, moves, undecodable, remains }
    }
}

impl Retain<'_> {
    /// Deletes the blocks that no ref and no move in the log reaches, and the blobs that no record
    /// in there refers to.
    ///
    /// Others may read and write at the same time: nothing goes that they can reach. With
    /// [`Keep::states`] the log is cut first. `progress` is called with how many blocks have been
    /// looked at since it was called last.
    ///
    /// # Errors
    ///
    /// [`Error`](super::Error) when a tree that lives cannot be read: what is below it is not known,
    /// so nothing goes. [`Error::StateLost`](super::Error::StateLost) when it is one of the past; what a
    /// repair has told of is passed over, see [`accept_losses`](Self::accept_losses).
    pub fn gc(&self, keep: &Keep, progress: &mut dyn FnMut(u64)) -> Result<Swept> {
        self.collect_garbage(keep, progress, false)
    }

    /// Tells what [`gc`](Self::gc) would delete; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`gc`](Self::gc).
    pub fn reclaimable(&self, keep: &Keep, progress: &mut dyn FnMut(u64)) -> Result<Swept> {
        self.collect_garbage(keep, progress, true)
    }

    fn collect_garbage(
        &self,
        keep: &Keep,
        progress: &mut dyn FnMut(u64),
        dry_run: bool,
    ) -> Result<Swept> {
        let age_micros = u64::try_from(keep.blob_age.as_micros()).unwrap_or(u64::MAX);
        let keep_last = |_: &LogEntry, later: u64| match keep.states {
            Some(states) if later >= states.get() as u64 => Fate::Goes,
            _ => Fate::Stays,
        };
        let fate: Option<&Decide<'_>> = match keep.states {
            Some(_) => Some(&keep_last),
            None => None,
        };
        let done = self.collect(Collection {
            fate,
            drafted: None,
            blobs_before_micros: now_micros().saturating_sub(age_micros),
            is_forgetting: false,
            dry_run,
            seen: None,
            progress,
        })?;
        Ok(done.into())
    }
}
