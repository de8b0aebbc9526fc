//! The texts of errors that need more than a format string.

use crate::model::conflict::Versions;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::ref_name::RefName;
use pds_store::refs::Expect;

pub(crate) fn no_commit(name: &RefName) -> String {
    if *name == RefName::head() {
        "the repository has no commits yet".to_owned()
    } else {
        format!("no ref named {name}")
    }
}

pub(crate) fn older(
    name: &RefName,
    found: &Cid,
    rev: &Option<Tid>,
    present: &Option<Tid>,
) -> String {
    let rev = rev.map_or_else(|| "no rev".to_owned(), |rev| format!("rev {rev}"));
    let present = present.map_or_else(|| "none".to_owned(), |rev| rev.to_string());
    format!("commit {found} has {rev}, and {name} points to a later rev, {present}")
}

pub(crate) fn local_records(lost: u64) -> String {
    match lost {
        1 => "1 local record".to_owned(),
        lost => format!("{lost} local records"),
    }
}

pub(crate) fn descent(name: &RefName, is_fork: bool) -> String {
    match is_fork {
        true => format!("{name} is not its ancestor: `pds merge` keeps both"),
        false => format!("it is not known to descend from {name}"),
    }
}

pub(crate) fn list(refs: &[RefName]) -> String {
    refs.iter().map(RefName::as_str).collect::<Vec<_>>().join(", ")
}

pub(crate) fn last_target(target: &Option<Cid>) -> String {
    match target {
        Some(cid) => format!("according to the log it points to {cid}"),
        None => "the store has blocks, but the log does not name its commit".to_owned(),
    }
}

pub(crate) fn expectation(expected: &Expect, found: &Option<Cid>) -> String {
    match (expected, found) {
        (Expect::Absent, _) => "already exists".to_owned(),
        (Expect::Present, _) => "does not exist".to_owned(),
        (Expect::Exactly(cid), None) => format!("does not exist, expected {cid}"),
        (Expect::Exactly(cid), Some(found)) => format!("is {found}, expected {cid}"),
        (Expect::Any, _) => "was changed by another writer".to_owned(),
    }
}

pub(crate) fn conflict_count(conflicts: &[Versions]) -> String {
    match conflicts.len() {
        1 => "1 record was changed on both sides".to_owned(),
        count => format!("{count} records were changed on both sides"),
    }
}
