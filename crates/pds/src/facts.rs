//! The facts of a repository, read one kind at a time.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::Result;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use pds_store::error::StoreError;
use pds_store::fact::{Fact, FactKind};
use pds_store::log::LogQuery;
use pds_store::store::{View, first_fact};

/// Returns the account that the store records.
pub(crate) fn account(view: &dyn View) -> Result<Option<Did>> {
    Ok(match first_fact(view, FactKind::Account)? {
        Some(Fact::Account(did)) => Some(did),
        _ => None,
    })
}

/// Returns the rev before which the keys of commits are unknown, or `None` if all are known.
pub(crate) fn unknown_before(view: &dyn View) -> Result<Option<Tid>> {
    Ok(match first_fact(view, FactKind::UnknownBefore)? {
        Some(Fact::UnknownBefore(rev)) => Some(rev),
        _ => None,
    })
}

/// Returns the rev from which the present key signs. The revs of its commits are not smaller.
pub(crate) fn key_since(view: &dyn View) -> Result<Option<Tid>> {
    let mut since = unknown_before(view)?;
    view.facts(FactKind::EndedKey, &mut |fact| {
        if let Fact::EndedKey { until, .. } = fact {
            since = since.max(Some(until));
        }
        ControlFlow::Continue(())
    })?;
    Ok(since)
}

/// Returns the time of the newest log entry, or `None` if no entry can be read.
pub(crate) fn logged(view: &dyn View) -> Result<Option<u64>> {
    let mut newest = None;
    let read = view.log(&LogQuery::newest_first(), &mut |row| {
        newest = Some(row.at_micros);
        ControlFlow::Break(())
    });
    match read {
        Err(StoreError::Damaged(_)) => Ok(None),
        read => Ok(read.map(|()| newest)?),
    }
}

/// Returns the rev up to which states were deleted on purpose, or `None` without such a deletion.
pub(crate) fn forgotten(view: &dyn View) -> Result<Option<Tid>> {
    Ok(match first_fact(view, FactKind::Forgotten)? {
        Some(Fact::Forgotten(rev)) => Some(rev),
        _ => None,
    })
}

/// Returns the rev up to which past states must not return, or `None` if nothing was purged.
pub(crate) fn purged(view: &dyn View) -> Result<Option<Tid>> {
    Ok(match first_fact(view, FactKind::Purged)? {
        Some(Fact::Purged(rev)) => Some(rev),
        _ => None,
    })
}

/// Returns the known losses: missing blocks of past states that a repair has recorded.
pub(crate) fn losses(view: &dyn View) -> Result<HashSet<Cid>> {
    let mut losses = HashSet::new();
    view.facts(FactKind::Loss, &mut |fact| {
        if let Fact::Loss(cid) = fact {
            losses.insert(cid);
        }
        ControlFlow::Continue(())
    })?;
    Ok(losses)
}

/// Returns the blobs that are still to be deleted.
pub(crate) fn erasures(view: &dyn View) -> Result<HashSet<Cid>> {
    let mut pending = HashSet::new();
    view.facts(FactKind::Erasure, &mut |fact| {
        if let Fact::Erasure(cid) = fact {
            pending.insert(cid);
        }
        ControlFlow::Continue(())
    })?;
    Ok(pending)
}

/// Returns whether the files may still contain remains of deleted data.
pub(crate) fn is_erasing(view: &dyn View) -> Result<bool> {
    Ok(first_fact(view, FactKind::Erasing)?.is_some())
}
