//! Several processes on one mirror, and what earlier runs have left.

use std::fs;
use std::thread;
use std::time::Duration;

use pds_e2e::home::ended;
use pds_e2e::{Lie, Rule};
use serde_json::{Value as Json, json};

use super::Mirror;

/// A body that takes some seconds.
fn slowly(bytes: usize) -> Lie {
    Lie::Slowly { bytes, pause: Duration::from_millis(500) }
}

impl Mirror {
    /// Imports the key of the account, so that commits can be made in the copy.
    fn import_key(&self) {
        let key = self.account.signing_key().to_multikey();
        fs::write(self.home.path("key"), key.as_str()).unwrap();
        self.home.pds(["-R", "copy", "key", "import", "key"]).with(0);
    }

    pub(super) fn upstream(&self) -> Json {
        serde_json::from_slice(&fs::read(self.home.path("copy/upstream.json")).unwrap()).unwrap()
    }
}

#[test]
fn files_of_the_user_are_not_removed() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    let thesis = mirror.home.path("copy/fetch/thesis.txt");
    fs::create_dir_all(thesis.parent().unwrap()).unwrap();
    fs::write(&thesis, "precious").unwrap();
    let refused = mirror.clone();
    refused.with(3);
    assert!(refused.stderr.contains("thesis.txt"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&thesis).unwrap(), "precious");
    fs::remove_file(&thesis).unwrap();
    mirror.clone().with(0);
    fs::create_dir_all(thesis.parent().unwrap()).unwrap();
    fs::write(&thesis, "precious").unwrap();
    mirror.account.act("bulk", &["1"]);
    mirror.pull().with(3);
    assert_eq!(fs::read_to_string(&thesis).unwrap(), "precious");
}

#[test]
fn a_pull_that_waited_fetches_the_blobs_of_the_one_before() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("blobs", &["3", "500"]);
    mirror.liar.reset();
    // The one without blobs is first, and holds the lock while the other waits.
    mirror.liar.add(Rule::first(1, "getLatestCommit", slowly(40)));
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            ended(&mut mirror.command(&["-R", "copy", "pull", "--no-blobs"]), b"").with(0).len()
        });
        while mirror.liar.seen("getLatestCommit").is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        ended(&mut mirror.command(&["-R", "copy", "pull", "--wait"]), b"").with(0);
        first.join().unwrap();
    });
    assert_eq!(mirror.upstream()["complete"], true);
    mirror.assert_equal();
}

#[test]
fn a_commit_that_is_made_during_a_pull_stays() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.import_key();
    let listed = mirror.home.pds(["-R", "copy", "ls", "--all"]);
    let record = listed.with(0).lines().last().unwrap().split('\t').next().unwrap().to_owned();
    mirror.account.act("bulk", &["1"]);
    mirror.liar.reset();
    mirror.liar.add(Rule::first(1, "getRepo", slowly(400)));
    thread::scope(|scope| {
        let pull = scope.spawn(|| mirror.pull());
        while mirror.liar.seen("getRepo").is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        mirror.home.pds(["-R", "copy", "rm", &record]).with(0);
        let pulled = pull.join().unwrap();
        pulled.with(0);
        assert!(pulled.stderr.contains("HEAD has commits made here"), "{}", pulled.stderr);
    });
    mirror.home.pds(["-R", "copy", "get", &record]).with(1);
    let origin = mirror.home.pds(["-R", "copy", "ref", "ls"]);
    assert!(origin.with(0).contains(&mirror.account.head().0), "{}", origin.stdout);
}

#[test]
fn a_gap_that_nothing_fills_does_not_fill_the_disk() {
    let Some(mirror) = Mirror::new("200", "1") else { return };
    let length = mirror.account.sync("getRepo", "").body.len() as u64;
    mirror.liar.add(Rule::every("getRepo", Lie::EndAfter(length - 4_000)));
    mirror.liar.add(Rule::every("getBlocks", Lie::error(400, "InvalidRequest")));
    for _ in 0..3 {
        // If what is missing is a record, the state is refused.
        assert!(matches!(mirror.clone().code, Some(1 | 4)));
        assert!(mirror.fetched_bytes() < 2 * length, "{} of {length}", mirror.fetched_bytes());
    }
    mirror.liar.reset();
    mirror.clone().with(0);
    mirror.assert_equal();
}

#[test]
fn a_list_that_is_older_than_the_commits_is_not_believed() {
    let Some(mirror) = Mirror::new("5", "0") else { return };
    mirror.clone().with(0);
    let before = mirror.account.head();
    for number in 0..51 {
        let dir = mirror.home.path(&format!("all/{number}"));
        fs::create_dir_all(&dir).unwrap();
        for name in ["pds.db", "upstream.json"] {
            fs::copy(mirror.home.path("copy").join(name), dir.join(name)).unwrap();
        }
    }
    mirror.account.act("bulk", &["1"]);
    // The list names a head that is neither the stored one nor the newest.
    let other = "bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
    let repo = json!({ "did": mirror.account.did, "head": other, "rev": before.1, "active": true });
    let list = json!({ "repos": [repo] }).to_string().into_bytes();
    mirror.liar.add(Rule::every("listRepos", Lie::answer(200, "application/json", &[], list)));
    let pulled = ended(&mut mirror.command(&["pull", "--all", "all"]), b"");
    pulled.with(0);
    assert!(pulled.stderr.contains("51 pulled, 0 unchanged, 0 failed"), "{}", pulled.stderr);
}

#[test]
fn an_account_that_has_moved_is_followed_whatever_is_at_the_old_address() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("bulk", &["1"]);
    let page = Lie::answer(200, "text/html", &[], b"<html>for sale</html>".to_vec());
    for lie in [Lie::error(404, "NotFound"), page, Lie::error(400, "RepoNotFound")] {
        mirror.account.act("endpoint", &[mirror.liar.url()]);
        mirror.pull().with(0);
        mirror.account.act("bulk", &["1"]);
        mirror.account.act("endpoint", &[&mirror.account.host().url]);
        mirror.liar.add(Rule::every("", lie));
        mirror.pull().with(0);
        mirror.assert_equal();
        assert_eq!(mirror.upstream()["host"], mirror.account.host().url);
        mirror.liar.reset();
    }
}

#[test]
fn a_state_that_is_stored_without_its_blobs_is_no_failure() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("blobs", &["2", "700"]);
    let limited = Lie::answer(
        429,
        "application/json",
        &[("retry-after", "99999999")],
        b"{\"error\":\"RateLimitExceeded\"}".to_vec(),
    );
    mirror.liar.add(Rule::every("getBlob", limited));
    let pulled = mirror.pull();
    pulled.with(6);
    assert!(pulled.stderr.contains("the new state is stored"), "{}", pulled.stderr);
    assert_eq!(mirror.info()["commit"], mirror.account.head().0);
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_hint_that_names_no_commit_is_not_used() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.home.pds(["-R", "copy", "ref", "rm", "origin"]).with(0);
    let listed = mirror.home.pds(["-R", "copy", "ls", "--all"]);
    let record = listed.with(0).lines().next().unwrap().split('\t').nth(1).unwrap().to_owned();
    let mut upstream = mirror.upstream();
    upstream["head"] = record.into();
    fs::write(mirror.home.path("copy/upstream.json"), upstream.to_string()).unwrap();
    mirror.account.act("bulk", &["1"]);
    mirror.pull().with(0);
    mirror.assert_equal();
}
