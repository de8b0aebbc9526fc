//! Hosts that claim a repository that the account never had: exit code 1, and a copy that is as before.

use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::syntax::tid::Tid;
use pds_e2e::forge::{high_s, micros};
use pds_e2e::{Forged, Home};

use super::Mirror;

/// Forged repositories over a true one, and parts of what is said about them.
fn forgeries(truth: &Forged, key: &SigningKey) -> Vec<(i32, &'static str, Forged)> {
    let other = SigningKey::generate(Curve::K256).unwrap();
    let again = |change: fn(&mut _)| truth.clone().signed(key, change);
    let value = truth.blocks()[0].cid();
    vec![
        (1, "belongs to", again(|commit| commit.did = "did:web:a.example.com".parse().unwrap())),
        (1, "not signed by", truth.clone().signed(&other, |_| ())),
        (
            1,
            "not signed by",
            truth.clone().signed(key, |_| ()).with_signature(|bytes| bytes[40] ^= 1),
        ),
        (1, "high", truth.clone().signed(key, |_| ()).with_signature(high_s)),
        (1, "future", again(|commit| commit.rev = Tid::new(micros() + HOUR, 0).unwrap())),
        (1, "path", truth.clone().with_node(key, &[(b"no-slash", value)])),
        (1, "node", truth.clone().with_node(key, &[(b"a.b/b", value), (b"a.b/a", value)])),
        (1, "is missing", truth.clone().signed(key, |_| ()).without(value)),
    ]
}

#[test]
fn a_clone_refuses_a_forged_repository() {
    let Some(mut mirror) = Mirror::new("30", "1") else { return };
    let truth = Forged::of(&mirror.account.sync("getRepo", "").body);
    let mut wrong = Vec::new();
    for (code, text, forged) in forgeries(&truth, &mirror.account.signing_key()) {
        mirror.home = Home::new();
        mirror.liar.reset();
        forged.show_on(&mirror.liar);
        let cloned = mirror.clone();
        eprintln!("{text}: {:?} {}", cloned.code, cloned.stderr.trim());
        if cloned.code != Some(code) || !cloned.stderr.contains(text) {
            wrong.push(format!("{text}: {:?} {}", cloned.code, cloned.stderr.trim()));
        }
        assert!(!mirror.home.path("copy/pds.db").exists(), "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pull_refuses_a_forged_repository() {
    let Some(mirror) = Mirror::new("30", "1") else { return };
    mirror.clone().with(0);
    let old = Forged::of(&mirror.account.sync("getRepo", "").body);
    mirror.account.act("change", &["10", "1"]);
    mirror.pull().with(0);
    let truth = Forged::of(&mirror.account.sync("getRepo", "").body);
    let before = std::fs::read(mirror.home.path("copy/pds.db")).unwrap();
    let key = mirror.account.signing_key();
    let rev: Tid = truth.rev().parse().unwrap();
    let fork = old.clone().signed(&key, |commit| commit.rev = rev);
    let mut cases = forgeries(&truth, &key);
    // The copy has all records of the true state, so that none is missing.
    cases.retain(|(_, text, _)| *text != "is missing");
    cases.extend([(1, "newer", old), (1, "signed commits of rev", fork)]);
    let mut wrong = Vec::new();
    for (code, text, forged) in cases {
        mirror.liar.reset();
        forged.show_on(&mirror.liar);
        let pulled = mirror.pull();
        eprintln!("{text}: {:?} {}", pulled.code, pulled.stderr.trim());
        if pulled.code != Some(code) || !pulled.stderr.contains(text) {
            wrong.push(format!("{text}: {:?} {}", pulled.code, pulled.stderr.trim()));
        }
        assert_eq!(std::fs::read(mirror.home.path("copy/pds.db")).unwrap(), before, "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_dir(mirror.home.path("copy/evidence")).unwrap().count(), 2);
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}

/// Microseconds.
const HOUR: u64 = 3_600_000_000;
