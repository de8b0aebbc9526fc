//! Messages about commits that arrived with an imported one.

use pds::transfer::earlier::{LeftOut, Reason};
use pds::transfer::import::Imported;

use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::process::text::{counted_plain, rev_text, say};

/// Prints how many other states arrived with a commit, and which commits were not stored. Returns the exit code.
pub(crate) fn say_other_states(imported: &Imported, out: &mut Output) -> Exit {
    if imported.earlier > 0 {
        let what = if imported.newer.is_some() { "other state" } else { "earlier state" };
        say(&format!("stored {}", counted_plain(imported.earlier, what)));
    }
    let is_without_tree = |left: &&LeftOut| left.reason == Reason::WithoutTree;
    let (without_tree, others): (Vec<_>, Vec<_>) =
        imported.left_out.iter().partition(is_without_tree);
    let (purged, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|left| left.reason == Reason::Purged);
    for left in others.iter().take(MAX_LINES) {
        let (commit, rev) = (left.commit, rev_text(left.rev));
        let because = because(&left.reason);
        out.warn(format!("the state at commit {commit}, rev {rev}, was not stored: {because}"));
    }
    if let Some(more) = others.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
        let more = counted_plain(more as u64, "more state");
        out.warn(format!("{more} not stored for reasons like these"));
    }
    if !without_tree.is_empty() {
        let commits = counted_plain(without_tree.len() as u64, "other commit");
        say(&format!("{commits} without a tree: not stored"));
    }
    if !purged.is_empty() {
        let states = counted_plain(purged.len() as u64, "state");
        out.warn(format!(
            "{states} not stored: pds forget has deleted states up to a later rev here"
        ));
    }
    if let Some(newer) = &imported.newer {
        let rev = rev_text(newer.rev());
        out.warn(format!(
            "the source has a newer commit than its root: {}, rev {rev}; pds reset {rev} moves there",
            newer.cid()
        ));
    }
    // States of other accounts are not missed.
    let is_missed = |left: &&LeftOut| !matches!(left.reason, Reason::OtherAccount(_));
    if others.into_iter().any(|left| is_missed(&left)) { Exit::Partly } else { Exit::Done }
}

/// Returns why a commit was not stored.
pub(crate) fn because(reason: &Reason) -> String {
    match reason {
        Reason::WithoutTree => "it came without its tree".to_owned(),
        Reason::Invalid(finding) => finding.to_string(),
        Reason::OtherAccount(did) => format!("it belongs to {did}"),
        Reason::SameRev(other) => format!("commit {other} has the same rev"),
        Reason::TooMany | _ => "there are too many states".to_owned(),
    }
}

/// The most states that are named in messages, because a file may have many thousands.
const MAX_LINES: usize = 10;
