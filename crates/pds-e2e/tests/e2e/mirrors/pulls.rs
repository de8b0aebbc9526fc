//! Pulls: what they fetch, and that the copy follows the host.

use super::Mirror;

#[test]
fn an_idle_pull_is_one_request() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    mirror.liar.reset();
    mirror.pull().with(0);
    let seen: Vec<String> = mirror.liar.seen("").into_iter().map(|seen| seen.path).collect();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains("getLatestCommit"), "{seen:?}");
}

#[test]
fn pulls_follow_random_writes_and_fetch_little_more_than_the_slice() {
    let Some(mirror) = Mirror::new("300", "1") else { return };
    mirror.clone().with(0);
    for round in 1..=rounds() {
        let (_, since) = mirror.account.head();
        mirror.account.act("change", &["20", &round.to_string()]);
        let slice = mirror.account.sync("getRepo", &format!("&since={since}")).body.len() as u64;
        mirror.liar.reset();
        mirror.pull().with(0);
        let bytes = mirror.liar.bytes("");
        assert!(bytes <= slice + slice / 10 + 500, "{bytes} of {slice}");
        mirror.assert_equal();
    }
    mirror.account.act("blobs", &["3", "500"]);
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
    assert_eq!(mirror.liar.seen("getBlob").len(), 3);
}

fn rounds() -> u32 {
    if super::is_full() { 50 } else { 4 }
}

#[test]
fn states_of_an_account_are_noted_and_change_nothing() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    let before = std::fs::read(mirror.home.path("copy/pds.db")).unwrap();
    for (action, back) in [("deactivate", "activate"), ("takedown", "restore")] {
        mirror.account.act(action, &[]);
        let pulled = mirror.pull();
        pulled.with(4);
        assert!(pulled.stderr.contains(&mirror.account.did), "{}", pulled.stderr);
        assert_eq!(std::fs::read(mirror.home.path("copy/pds.db")).unwrap(), before);
        // The host activates only accounts whose identity names it.
        mirror.account.act("endpoint", &[&mirror.account.host().url]);
        mirror.account.act(back, &[]);
        mirror.account.move_behind(&mirror.liar);
        mirror.pull().with(0);
    }
    mirror.account.act("delete", &[]);
    mirror.pull().with(4);
    mirror.home.pds(["-R", "copy", "verify", "--blobs"]).with(0);
}
