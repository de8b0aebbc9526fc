//! `--plc-log`: commits and proofs are checked with the key of their time.

use pds::crypto::{Curve, SigningKey};

use crate::common::{Directory, Home, masked};

/// A repository with one note, made now, of an account that has had its key for an hour.
fn account() -> (Home, Directory, [SigningKey; 2]) {
    let home = Home::new();
    let keys = [Curve::K256, Curve::P256].map(|curve| SigningKey::generate(curve).unwrap());
    let [old, _] = &keys;
    let directory = Directory::with(old, 60);
    home.pds(["init", "alice", "--did", &directory.did, "--key", "-"])
        .stdin(old.to_multikey().as_bytes())
        .ok();
    home.pds(["-R", "alice", "put", "com.example.note/a"]).stdin("{\"text\":\"hi\"}").ok();
    (home, directory, keys)
}

#[test]
fn an_old_commit_verifies_after_the_key_has_changed() {
    let (home, mut directory, [old, new]) = account();
    home.pds(["-R", "alice", "export", "-o", "old.car"]).ended().done();
    let old_key = old.public_key().did_key();
    directory.rotate_to(&new, 30);
    home.write("log.json", directory.json());
    let new_key = new.public_key().did_key();

    assert_eq!(home.pds(["verify", "old.car", "--key", &new_key]).ended().code(), 1);
    for args in [&["verify", "old.car"][..], &["-R", "alice", "verify"]] {
        let args = args.iter().copied().chain(["--plc-log", "log.json"]);
        let said = home.pds(args).ok();
        assert!(
            masked(&said).starts_with(
                "note key-at-rev <cid 1>: signed with <key 1>, the key at that time (changed since)\nok: "
            ),
            "{said}"
        );
        assert!(said.contains(&old_key) && said.contains("signature valid"), "{said}");
    }
    let json = home.pds(["verify", "old.car", "--plc-log", "log.json", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["code"], "key-at-rev");

    let told = home.pds(["-R", "alice", "log", "--plc-log", "log.json"]).ok();
    assert!(told.lines().all(|line| line.ends_with(&format!("\t{old_key}"))), "{told}");
    assert_eq!(told.lines().count(), 2);
    let told = home.pds(["-R", "old.car", "log", "--plc-log", "log.json", "--json"]).ok();
    assert!(told.contains(&format!("\"signingKey\":\"{old_key}\"")), "{told}");
    let told = home.pds(["-R", "alice", "log", "--json"]).ok();
    assert!(!told.contains("signingKey"), "{told}");
}

#[test]
fn an_import_is_checked_by_the_log_and_its_keys_count_later() {
    let (home, mut directory, [old, new]) = account();
    home.pds(["-R", "alice", "export", "-o", "old.car"]).ended().done();
    home.pds(["clone", "old.car", "phone", "--key", &old.public_key().did_key()]).ok();
    home.pds(["-R", "phone", "key", "import", "-"])
        .stdin(new.to_multikey().as_bytes())
        .ended()
        .done();
    home.pds(["-R", "phone", "put", "com.example.note/b"]).stdin("{\"text\":\"b\"}").ok();
    home.pds(["-R", "phone", "export", "--chain", "-o", "phone.car"]).ended().done();
    home.pds(["-R", "alice", "put", "com.example.note/c"]).stdin("{\"text\":\"c\"}").ok();

    home.write("early.json", directory.json());
    directory.rotate_to(&new, 2);
    home.write("log.json", directory.json());
    for verb in [&["merge"][..], &["import", "--allow-older"]] {
        let pds = |args: &[&str]| {
            home.pds(["-R", "alice"].iter().chain(verb).chain(&["phone.car"]).chain(args).copied())
        };
        // The key is remembered after the first import.
        assert_eq!(pds(&[]).ended().code(), i32::from(verb == ["merge"]));
        let said = pds(&["--plc-log", "early.json"]).fails(1);
        assert!(said.contains("not signed with"), "{said}");
        pds(&["--plc-log", "log.json", "--key", &new.public_key().did_key()]).fails(2);
        pds(&["--plc-log", "log.json"]).ended().done();
        let whole = home.pds(["-R", "alice", "verify", "--history"]).ended().done();
        assert!(whole.contains("signature valid, 0 errors"), "{whole}");
    }
    home.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    home.pds(["-R", "bob", "export", "-o", "bob.car"]).ended().done();
    let said = home.pds(["-R", "alice", "merge", "bob.car", "--plc-log", "log.json"]).fails(1);
    assert!(said.contains("did:web:bob.example.com"), "{said}");
    home.pds(["clone", "phone.car", "mirror", "--plc-log", "log.json"]).ended().done();
    home.pds(["clone", "phone.car", "none", "--plc-log", "early.json"]).fails(1);
    assert!(!std::path::Path::new(&home.path("none")).exists());
}

#[test]
fn a_commit_by_a_key_whose_time_was_over_is_told() {
    let (home, mut directory, [old, new]) = account();
    directory.rotate_to(&new, -30);
    home.write("log.json", directory.json());
    let ended = home.pds(["-R", "alice", "verify", "--plc-log", "log.json"]).ended();
    assert_eq!(ended.code(), 1);
    let old_key = old.public_key().did_key();
    let text = ended.text();
    assert!(text.starts_with("error key-of-another-time bafyrei"), "{text}");
    assert!(text.contains(&old_key) && text.contains("signature invalid"), "{text}");

    let ended = home.pds(["-R", "alice", "log", "--plc-log", "log.json"]).ended();
    assert_eq!(ended.code(), 1);
    assert!(ended.text().lines().all(|line| line.ends_with("\t-")), "{}", ended.text());
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
}

#[test]
fn a_proof_with_its_log_can_be_judged_after_the_key_has_changed() {
    let (home, mut directory, [_, new]) = account();
    directory.rotate_to(&new, 30);
    home.write("log.json", directory.json());
    let proven = home
        .pds(
            ["-R", "alice", "prove", "com.example.note/a", "-o", "a.car"]
                .into_iter()
                .chain(["--with-identity", "log.json"]),
        )
        .ended()
        .done();
    assert!(proven.starts_with("present bafyrei"), "{proven}");
    let check = |keys: [&str; 2]| {
        home.pds(["verify-proof", "a.car", "com.example.note/a"].into_iter().chain(keys)).ended()
    };
    let shown = check(["--plc-log", "a.car.plc.json"]).done();
    assert!(shown.starts_with(&proven), "{shown}");
    assert_eq!(check(["--key", &new.public_key().did_key()]).code(), 1);

    // The log of another account does not apply, and a forged log is refused.
    let other = Directory::with(&new, 60);
    home.write("other.json", other.json());
    let ended = check(["--plc-log", "other.json"]);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.stderr.contains(&format!("the key belongs to {}", other.did)),
        "{}",
        ended.stderr
    );
    let forged = directory.json().replace("\"nullified\":false", "\"nullified\":true");
    home.write("forged.json", forged);
    let ended = check(["--plc-log", "forged.json"]);
    assert_eq!(ended.code(), 3);
    assert_eq!(
        ended.stderr,
        "error: cannot use forged.json: operation 0 of the log: the log states that it is nullified, \
         but by the rules it is not\n"
    );
    for args in [&["verify"][..], &["log"]] {
        let args = ["-R", "alice"].iter().chain(args).copied();
        home.pds(args.chain(["--plc-log", "forged.json"])).fails(3);
    }
}

#[test]
fn a_key_and_a_log_together_are_a_mistake() {
    let (home, directory, [old, _]) = account();
    home.write("log.json", directory.json());
    let key = old.public_key().did_key();
    home.pds(["-R", "alice", "verify", "--key", &key, "--plc-log", "log.json"]).fails(2);
}
