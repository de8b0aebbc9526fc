//! Earlier states of other keys, and states that a stranger has signed.

use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::syntax::Tid;
use serde_json::Value;

use crate::common::{Directory, Home, TestRepo};

/// Returns the commits in the log of a repository.
fn commits(home: &Home, dir: &str) -> Vec<String> {
    let log = home.pds(["-R", dir, "log"]).ok();
    log.lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
}

/// Returns the public key of a repository.
fn key(home: &Home, dir: &str) -> String {
    let told: Value = serde_json::from_str(&home.pds(["-R", dir, "info", "--json"]).ok()).unwrap();
    told["signingKey"].as_str().unwrap().to_owned()
}

#[test]
fn a_history_over_a_rotation_is_cloned_whole() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    repo.pds(["key", "rotate"]).ended().done();
    repo.put("d", "after");
    repo.pds(["export", "--history", "-o", "all.car"]).ended().done();
    let new = key(home, "alice");
    let told = home.pds(["clone", "all.car", "copy", "--key", &new, "--json"]).ended().done();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["states"], &told["leftOut"]), (&5.into(), &Value::Array(Vec::new())));
    assert_eq!(commits(home, "copy"), commits(home, "alice"));
    home.pds(["-R", "copy", "verify", "--history"]).ok();
    assert_eq!(key(home, "copy"), new);
}

#[test]
fn a_mirror_follows_a_rotation_with_every_state() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    for mirror in ["one", "two"] {
        home.pds(["clone", "alice", mirror]).ended().done();
    }
    repo.pds(["key", "rotate"]).ended().done();
    repo.put("d", "after");
    repo.put("e", "after");
    repo.pds(["export", "--history", "-o", "all.car"]).ended().done();
    let new = key(home, "alice");
    for (mirror, source) in [("one", "alice"), ("two", "all.car")] {
        let told =
            home.pds(["-R", mirror, "import", source, "--key", &new, "--json"]).ended().done();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["states"], 2, "{source}");
        assert_eq!(commits(home, mirror), commits(home, "alice"), "{source}");
        home.pds(["-R", mirror, "verify", "--history"]).ok();
    }
}

#[test]
fn a_log_decides_on_every_state() {
    let home = Home::new();
    let old = SigningKey::generate(Curve::K256).unwrap();
    let mut directory = Directory::with(&old, 60);
    home.pds(["init", "alice", "--did", &directory.did, "--key", "-"])
        .stdin(old.to_multikey().as_bytes())
        .ok();
    let put = |name: &str| {
        home.pds(["-R", "alice", "put", &format!("com.example.note/{name}")]).stdin("{}").ok()
    };
    put("a");
    home.write("before.json", directory.json());
    home.pds(["-R", "alice", "key", "rotate"]).ended().done();
    let secret = String::from_utf8(home.read("alice/key")).unwrap();
    let new: SigningKey = SigningKey::from_multikey(secret.trim()).unwrap();
    directory.rotate_to(&new, 2);
    home.write("log.json", directory.json());
    put("b");
    home.pds(["-R", "alice", "export", "--history", "-o", "all.car"]).ended().done();
    home.pds(["clone", "all.car", "copy", "--plc-log", "log.json"]).ended().done();
    assert_eq!(commits(&home, "copy"), commits(&home, "alice"));
    let ended = home.pds(["-R", "copy", "verify", "--history"]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    let said = home.pds(["clone", "all.car", "other", "--plc-log", "before.json"]).fails(1);
    assert!(said.contains("not signed with"), "{said}");
}

#[test]
fn states_of_strangers_are_listed_and_the_exit_code_says_so() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    repo.pds(["export", "--history", "-o", "all.car"]).ended().done();
    let stranger = SigningKey::generate(Curve::K256).unwrap();
    let original = pds::Repo::open(home.path("alice")).unwrap();
    let head = original.snapshot().unwrap().commit().clone();
    let mut rev = original.checkout(&"HEAD~1".parse().unwrap()).unwrap().commit().rev();
    let mut file = home.read("all.car");
    for _ in 0..25 {
        rev = Tid::next(0, 0, rev);
        let (did, data) = (head.did().clone(), head.data());
        let forged = UnsignedCommit { did, data, rev: rev.unwrap(), prev: None };
        let forged = forged.sign(&stranger).unwrap();
        let (cid, bytes) = (forged.cid().as_bytes().to_vec(), forged.block().bytes().to_vec());
        let length = cid.len() + bytes.len();
        file.extend([length % 128 + 128, length / 128].map(|byte| u8::try_from(byte).unwrap()));
        file.extend(cid.iter().chain(&bytes));
    }
    home.write("forged.car", file);
    let key = key(home, "alice");
    let ended = home.pds(["clone", "forged.car", "copy", "--key", &key, "--json"]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.text()).unwrap();
    let left_out = told["leftOut"].as_array().unwrap();
    assert_eq!((&told["states"], left_out.len()), (&3.into(), 25));
    let reason = left_out[24]["reason"].as_str().unwrap();
    assert!(reason.contains("signature-invalid"), "{reason}");
    assert_eq!(left_out[24]["rev"], rev.unwrap().to_string());
    let lines = ended.stderr.lines().filter(|line| line.contains("not stored")).count();
    assert_eq!(lines, 11, "{}", ended.stderr);
    assert!(ended.stderr.contains("15 more states not stored"), "{}", ended.stderr);
    assert_eq!(commits(home, "copy"), commits(home, "alice"));
    let ended = repo.pds(["import", "forged.car", "--json"]).ended();
    let told: Value = serde_json::from_str(&ended.text()).unwrap();
    assert_eq!((ended.code(), told["leftOut"].as_array().unwrap().len()), (6, 25));
}
