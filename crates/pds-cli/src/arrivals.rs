//! Messages about commits that arrived with an imported one.

use pds::transfer::earlier::{LeftOut, Reason};
use pds::transfer::import::Imported;

use crate::output::Output;
use crate::text::{counted, rev_text, say};

/// Prints how many other states arrived with a commit, and which commits were not stored.
pub(crate) fn say_other_states(imported: &Imported, out: &mut Output) {
    if imported.earlier > 0 {
        let what = if imported.newer.is_some() { "other state" } else { "earlier state" };
        say(&format!("stored {}", counted(imported.earlier, what)));
    }
    let mut without_tree = 0;
    for LeftOut { commit, rev, reason, .. } in &imported.left_out {
        let because = match reason {
            Reason::WithoutTree => {
                without_tree += 1;
                continue;
            }
            Reason::Invalid(finding) => format!("{finding}"),
            Reason::OtherAccount(did) => format!("it belongs to {did}"),
            Reason::SameRev(other) => format!("commit {other} has the same rev"),
            Reason::TooMany | _ => "there are too many states".to_owned(),
        };
        let rev = rev_text(*rev);
        out.warn(format!("the state at commit {commit}, rev {rev}, was not stored: {because}"));
    }
    if without_tree > 0 {
        let commits = counted(without_tree, "other commit");
        say(&format!("{commits} without a tree: not stored"));
    }
    if let Some(newer) = &imported.newer {
        let rev = rev_text(newer.rev());
        out.warn(format!(
            "the source has a newer commit than its root: {}, rev {rev}; pds reset {rev} moves there",
            newer.cid()
        ));
    }
}
