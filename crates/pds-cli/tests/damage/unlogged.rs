//! Refs that point elsewhere than the log says, and refs without their rows in the log.

use super::history::lose;
use super::refs::commits;
use super::rows::{run, set_ref};
use crate::common::TestRepo;

#[test]
fn a_ref_that_is_older_than_the_log_is_a_warning_that_says_where_the_log_has_it() {
    let repo = TestRepo::with_notes();
    let commits = commits(&repo);
    set_ref(&repo, "HEAD", &commits[1]);
    let verify = repo.pds(["verify"]).ok();
    let said = format!(
        "warning ref-unlogged {}: according to the log, ref HEAD points to {}\n",
        commits[1], commits[0]
    );
    assert!(verify.starts_with(&said), "{verify}");
    repo.pds(["reset", &commits[0]]).ok();
    assert!(repo.pds(["verify"]).ok().starts_with("ok: "));
}

#[test]
fn a_ref_without_a_row_in_the_log_is_a_finding_of_the_history_and_is_logged() {
    let repo = TestRepo::with_notes();
    let older = commits(&repo)[1].clone();
    set_ref(&repo, "odd", &older);
    repo.assert_whole();
    let history = repo.pds(["verify", "--history"]).ended();
    let missing = "the database is damaged: ref odd: log row 0 is missing\n";
    assert_eq!(history.code(), 1, "{history:?}");
    assert!(history.text().contains(missing), "{}", history.text());
    let mended = repo.pds(["repair", "--here"]).ended();
    assert!(mended.code() == 6 && mended.text().contains("the log could not be "), "{mended:?}");
    assert_eq!(repo.json(["info", "--at", "odd"])["commit"], older.as_str());
    repo.pds(["verify", "--history"]).ok();
    assert!(repo.pds(["repair", "--here"]).ok().starts_with("ok: "));
    repo.pds(["verify", "--history"]).ok();
}

#[test]
fn a_log_that_was_cut_is_no_finding_again_whatever_becomes_of_its_refs() {
    let repo = TestRepo::with_notes();
    let lost = commits(&repo)[1].clone();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    repo.pds(["ref", "set", "side", &lost]).ok();
    lose(&repo, &lost);
    run(&repo, "DELETE FROM log WHERE ref = 'side'");
    let history = repo.pds(["verify", "--history"]).ended().text();
    assert!(history.contains("ref side: log row 6 is missing\n"), "{history}");
    assert_eq!(repo.pds(["repair", "--here"]).ended().code(), 6);
    let damage = |repo: &TestRepo| {
        let history = repo.pds(["verify", "--history"]).ended().text();
        assert!(!history.contains("store-damaged"), "{history}");
    };
    damage(&repo);
    // The log has no row that leads to the commit that is removed, and a repair knows why.
    repo.pds(["ref", "rm", "side"]).ok();
    for _ in 0..3 {
        damage(&repo);
        repo.pds(["repair", "--here"]).ok();
    }
}
