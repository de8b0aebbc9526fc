//! Facts that are missing, damaged, or of another repository.

use super::repair::NOTES;
use super::rows::{run, run_sealed, set_fact};
use crate::common::TestRepo;

#[test]
fn a_state_that_does_not_verify_is_not_called_ok() {
    let repo = TestRepo::with_many_notes(NOTES);
    set_fact(&repo, "account", "did:web:bob.example.com");
    assert_eq!(repo.pds(["verify"]).ended().code(), 1);
    for args in [&["repair"][..], &["repair", "--here"], &["repair", "--rebuild"]] {
        let ended = repo.pds(args.iter().copied()).ended();
        assert!(ended.code() == 1 && ended.text().starts_with("FAILED: "), "{ended:?}");
        assert!(ended.stderr.contains("pds verify lists the reasons"), "{ended:?}");
    }
}

#[test]
fn whose_repository_it_is_and_its_key_are_found_again() {
    let repo = TestRepo::with_many_notes(NOTES);
    let (key, home) = (repo.pds(["key", "show"]).ok(), repo.home.dir());
    run(&repo, "DELETE FROM facts");
    let verify = repo.pds(["verify"]).ended();
    let said = "error store-damaged: the database is damaged: facts: 0 rows instead of 2\n";
    assert!(verify.code() == 1 && verify.text().contains(said), "{verify:?}");
    assert!(verify.text().contains("signature unchecked"), "{verify:?}");
    assert_eq!(repo.pds(["repair", "--here"]).ended().code(), 6);
    assert!(repo.pds(["verify"]).ok().contains("signature valid"));
    assert_eq!(repo.pds(["key", "show"]).ok(), key);
    for kind in ["key", "ended-key", "account"] {
        for how in ["--here", "--rebuild"] {
            for is_sealed in [false, true] {
                let what = format!("{kind} {how} {is_sealed}");
                let rows = [
                    format!("DELETE FROM facts WHERE kind = '{kind}';"),
                    format!("INSERT INTO facts VALUES (1, '{kind}', '', 'rubbish', 7);"),
                ];
                let change = if is_sealed { run_sealed } else { run };
                change(&repo, &rows.concat());
                let verify = repo.pds(["verify"]).ended();
                let said =
                    format!("error store-damaged: the database is damaged: facts row {kind}: ");
                assert!(verify.code() == 1 && verify.text().contains(&said), "{what}: {verify:?}");
                let survey = repo.pds(["repair"]).ended();
                let said = format!("database: facts row {kind}: ");
                assert!(survey.code() == 1 && survey.text().starts_with(&said), "{survey:?}");
                // The kind of a damaged row is unknown.
                let mended = repo.pds(["repair", how]).ended();
                let said = "earlier keys and pending erasures may be lost\n";
                assert!(mended.code() == 6 && mended.text().contains(said), "{what}: {mended:?}");
                assert!(repo.pds(["repair"]).ok().starts_with("ok: "), "{what}");
                assert!(repo.pds(["verify"]).ok().contains("signature valid"), "{what}");
                assert_eq!(repo.pds(["key", "show"]).ok(), key, "{what}");
            }
        }
    }
    // The key of the repository does not change.
    run(&repo, "DELETE FROM facts");
    repo.home.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    std::fs::copy(home.join("bob/key"), home.join("alice/key")).unwrap();
    assert_eq!(repo.pds(["repair", "--here"]).ended().code(), 6);
    assert!(repo.pds(["verify"]).ok().contains("signature unchecked"));
}
