//! A `forget` that is killed at any moment: the repository stays sound, and the next run completes it.

use pds::Expected;
use pds::verify::indexed::verify;

use super::{MOMENTS, kill_after};
use crate::common::{TestRepo, log_rows};

const MARKER: &str = "what-is-to-be-forgotten";

#[test]
fn a_forgetting_that_is_killed_leaves_whole_states_and_can_be_done_again() {
    let mut outcomes = [0, 0, 0];
    for moment in MOMENTS {
        let repo = TestRepo::with_many_notes(1_500);
        let blob = repo.pds(["blob", "put", "-"]).stdin(MARKER).ok();
        let record = format!("{{\"text\":\"{MARKER}\",\"file\":{blob}}}");
        repo.pds(["put", "com.example.note/secret"]).stdin(record).ok();
        repo.put("later", "x");
        let path = "com.example.note/secret";
        kill_after(&repo.home, &["-R", "alice", "forget", "--yes", path], moment);

        let opened = pds::local::open::open_without_key(repo.home.path("alice")).unwrap();
        let moves = log_rows(&opened);
        for commit in moves.iter().flat_map(|entry| [entry.before, entry.after]).flatten() {
            let mut panic = |finding| panic!("{moment} ms: {commit}: {finding}");
            let blocks = opened.store().clone();
            let report = verify(blocks.as_ref(), commit, &Expected::default(), &mut panic);
            assert!(report.unwrap().is_complete(), "{moment} ms");
        }
        let is_told = moves.iter().any(|entry| {
            let at = entry.after.map(|cid| opened.checkout(&cid.into()).unwrap());
            at.is_some_and(|at| at.find_cid(&path.parse().unwrap()).unwrap().is_some())
        });
        outcomes[usize::from(!is_told)
            + usize::from(!is_told && !opened.retain().is_erasing().unwrap())] += 1;
        drop(opened);
        repo.assert_whole();

        // Run it again, even if it was done.
        let ended = repo.pds(["forget", "--yes", path]).ended();
        assert!([0, 1].contains(&ended.code()), "{moment} ms: {}", ended.stderr);
        let db = repo.home.read("alice/pds.db");
        assert!(!db.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()), "{moment} ms");
        assert_eq!(repo.home.list("alice"), ["blobs", "key", "pds.db"]);
        assert_eq!(repo.pds(["blob", "ls"]).ok(), "", "{moment} ms: young, and gone all the same");
        repo.assert_whole();
        assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t1501\n", "{moment} ms");
    }
    assert!(outcomes[0] > 0, "no kill came in time: {outcomes:?}");
}

#[test]
fn a_collection_that_is_killed_leaves_whole_states() {
    for moment in MOMENTS {
        let repo = TestRepo::with_many_notes(1_500);
        for n in 0..3 {
            repo.put("a", &n.to_string());
        }
        kill_after(&repo.home, &["-R", "alice", "gc", "--keep", "2"], moment);
        let log = repo.json_lines(["log"]);
        assert!([5, 2].contains(&log.len()), "{moment} ms: all of the log, or the rest");
        repo.assert_whole();
        assert_eq!(repo.pds(["gc", "--keep", "2"]).ended().code(), 0);
        assert_eq!(repo.json_lines(["log"]).len(), 2);
        repo.assert_whole();
    }
}
