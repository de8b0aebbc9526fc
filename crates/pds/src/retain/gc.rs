//! Garbage collection of the blocks that no ref and no log entry reaches.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::clock::now_micros;
use crate::error::Result;
use crate::retain::collection::{Collected, Collection, Decide};
use crate::retain::handle::Retain;
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;
use pds_store::log::LogEntry;
use pds_store::sweep::Fate;

/// The options of a collection: the states and blobs to keep in addition to those of the refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// The number of latest states of each ref to keep, including the present one. `None` keeps all states in
    /// the log.
    pub states: Option<NonZeroUsize>,
    /// The minimum age of deleted blobs. Younger blobs stay even without a reference, because their record may
    /// not be written yet.
    pub blob_age: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { states: None, blob_age: Duration::from_secs(24 * 60 * 60) }
    }
}

impl Keep {
    /// Sets the number of latest states of each ref to keep.
    #[must_use]
    pub fn states(mut self, states: impl Into<Option<NonZeroUsize>>) -> Self {
        self.states = states.into();
        self
    }

    /// Sets the minimum age of deleted blobs.
    #[must_use]
    pub fn blob_age(mut self, age: Duration) -> Self {
        self.blob_age = age;
        self
    }
}

/// The result of a collection.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// The number of deleted blocks.
    pub blocks: u64,
    /// The bytes of the deleted blocks.
    pub block_bytes: u64,
    /// The number of deleted blobs.
    pub blobs: u64,
    /// The bytes of the deleted blobs.
    pub blob_bytes: u64,
    /// The number of deleted commits that the log named.
    pub states: u64,
    /// The number of deleted log entries.
    pub moves: u64,
    /// Live records that cannot be decoded. Their references are unknown, so no blob was deleted.
    pub undecodable: Vec<Cid>,
    /// The reason why the files were not cleaned. They may contain remains of deleted data until a later
    /// collection succeeds.
    pub remains: Option<StoreError>,
    /// The places that may contain remains of deleted data and that the store does not manage, such as the
    /// backups of a database server. The text also names the people that have to remove the remains.
    pub remains_elsewhere: Option<String>,
}

impl Swept {
    /// Returns the bytes of deleted blocks and blobs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.block_bytes + self.blob_bytes
    }
}

impl From<Collected> for Swept {
    fn from(done: Collected) -> Self {
        let Collected { blocks, block_bytes, blobs, blob_bytes, moves, states, .. } = done;
        let Collected { undecodable, remains, remains_elsewhere, .. } = done;
        let swept = Self { blocks, block_bytes, blobs, blob_bytes, ..Self::default() };
        Self { states, moves, undecodable, remains, remains_elsewhere, ..swept }
    }
}

/// A collection that was counted and not made; from [`Retain::plan_gc`].
#[derive(Debug)]
#[non_exhaustive]
pub struct GcPlan<'r> {
    /// The data that the collection would delete.
    pub swept: Swept,
    retain: Retain<'r>,
    keep: Keep,
}

impl GcPlan<'_> {
    /// Makes the collection. It marks again, because other processes may have written meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Retain::gc`].
    pub fn apply(self, progress: &mut dyn FnMut(u64)) -> Result<Swept> {
        self.retain.gc(&self.keep, progress)
    }
}

impl<'r> Retain<'r> {
    /// Deletes the blocks that no ref and no log entry reaches, and the blobs that no remaining record refers
    /// to.
    ///
    /// Other processes may read and write at the same time; data that they can reach is not deleted. With
    /// [`Keep::states`], older log entries are deleted first. `progress` is called with the number of blocks
    /// that were visited since the last call.
    ///
    /// ```
    /// use pds::retain::gc::Keep;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// let path = "com.example.note/draft".parse()?;
    /// repo.put(&path, &pds::Value::from([("text", pds::Value::from("hello"))]))?;
    /// repo.delete(&path)?;
    /// // The log still names the state with the record.
    /// assert_eq!(repo.retain().gc(&Keep::default(), &mut |_| {})?.blocks, 0);
    /// let only_the_present = Keep::default().states(std::num::NonZeroUsize::new(1));
    /// assert!(repo.retain().gc(&only_the_present, &mut |_| {})?.blocks > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if a live tree cannot be read: the blocks below it are unknown, so nothing is
    /// deleted. [`Error::StateLost`](crate::Error::StateLost) if a past state cannot be read. Known losses are
    /// ignored; see [`accept_losses`](Self::accept_losses).
    pub fn gc(&self, keep: &Keep, progress: &mut dyn FnMut(u64)) -> Result<Swept> {
        self.collect_garbage(keep, progress, false)
    }

    /// Counts what [`gc`](Self::gc) would delete. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`gc`](Self::gc).
    pub fn plan_gc(&self, keep: &Keep, progress: &mut dyn FnMut(u64)) -> Result<GcPlan<'r>> {
        let swept = self.collect_garbage(keep, progress, true)?;
        Ok(GcPlan { retain: *self, keep: *keep, swept })
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
