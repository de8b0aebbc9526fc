//! Unusual but valid arguments: a leading dash, duplicates, a directory without a name.

use crate::common::{DID, Home, TestRepo, masked};

#[test]
fn a_clone_of_a_directory_has_its_whole_name() {
    let repo = TestRepo::with_notes();
    std::fs::create_dir(repo.home.path("elsewhere")).unwrap();
    repo.home.sh("cp -r alice alice.bsky.social").ok();
    for source in ["../alice.bsky.social", "../alice/"] {
        repo.home.pds(["clone", source]).within(repo.home.path("elsewhere")).ok();
    }
    assert_eq!(repo.home.list("elsewhere"), ["alice", "alice.bsky.social"]);
    // The file has no extension, so the account names the directory.
    repo.home.pds(["clone", "."]).within(repo.home.path("alice")).ok();
    assert!(repo.home.dir().join("alice/did:web:alice.example.com/pds.db").exists());
}

#[test]
fn a_key_or_a_file_may_start_with_a_dash() {
    let repo = TestRepo::new();
    for name in ["-a", "-x", "--z", "y"] {
        repo.put(name, name);
    }
    let listed = |args: &[&str]| {
        let args = ["ls", "com.example.note"].iter().chain(args).copied();
        let text = repo.pds(args).ok();
        text.lines().map(|line| line.split_once('\t').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ["--z", "-a", "-x", "y"]);
    assert_eq!(listed(&["--after", "-a"]), ["-x", "y"]);
    assert_eq!(listed(&["--after", "--z", "--limit", "1"]), ["-a"]);
    assert_eq!(listed(&["--after=-x"]), ["y"]);
    let home = &repo.home;
    repo.pds(["export", "-o", "-lead.car"]).ended().done();
    repo.pds(["prove", "com.example.note/y", "-o", "--proof.car"]).ended().done();
    home.pds(["-R", "-lead.car", "ls"]).ok();
    home.pds(["recover", "--output", "-again.car", "--", "-lead.car"]).ok();
    home.pds(["verify", "./-again.car"]).ok();
    assert_eq!(home.list("."), ["--proof.car", "-again.car", "-lead.car", "alice"]);
}

#[test]
fn a_record_that_is_named_twice_is_removed_once() {
    let repo = TestRepo::with_notes();
    let uri = "at://did:web:alice.example.com/com.example.note/a";
    let said = repo.pds(["rm", "com.example.note/a", "com.example.note/b", uri]).ok();
    assert_eq!(said, format!("{uri}\n{}\n", uri.replace("/a", "/b")));
}

#[test]
fn impossible_arguments_are_reported_before_any_read() {
    let home = Home::new();
    let said = home.pds(["tid", "garbage"]).fails(2);
    assert!(said.starts_with("error: invalid value 'garbage' for '[TID]': "), "{said}");
    let cid = "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee";
    let said = home.pds(["put", "com.example.note", "--swap", cid]).fails(2);
    assert_eq!(said, "error: --swap needs a record key; name the record as collection/rkey\n");
    assert_eq!(
        masked(&home.pds(["tid", "3jzf-cij-pj2z-2a", "--json"]).ok()).matches("<tid 1>").count(),
        1
    );
}

#[test]
fn a_curve_that_is_not_the_one_of_the_key_is_a_usage_error() {
    let home = Home::new();
    let multikey =
        pds::crypto::SigningKey::generate(pds::crypto::Curve::K256).unwrap().to_multikey();
    home.write("k256", multikey.as_bytes());
    let init = |curve: &[&str]| {
        let args = ["init", "alice", "--did", DID, "--key", "k256"].iter().chain(curve).copied();
        home.pds(args)
    };
    let said = init(&["--curve", "p256"]).fails(2);
    assert_eq!(said, "error: the file has a k256 key, but --curve is p256\n");
    assert_eq!(home.list("."), ["k256"]);
    init(&["--curve", "k256"]).ok();
    // Raw hex does not name a curve.
    home.write("hex", "07".repeat(32));
    home.pds(["init", "bob", "--did", DID, "--key", "hex", "--curve", "p256"]).ok();
    let bob = home.pds(["-R", "bob", "key", "show"]).ok();
    assert!(bob.starts_with("did:key:zDn"), "{bob}");
    home.pds(["-R", "alice", "export", "-o", "alice.car"]).ended().done();
    home.pds(["clone", "alice.car", "mirror"]).ok();
    let import = |curve| home.pds(["-R", "mirror", "key", "import", "k256", "--curve", curve]);
    import("p256").fails(2);
    import("k256").ended().done();
}

#[test]
fn forget_names_what_no_state_has() {
    let repo = TestRepo::with_notes();
    repo.pds(["rm", "com.example.note/b"]).ok();
    for dry_run in [&["--dry-run"][..], &[]] {
        let paths = [
            "forget",
            "--yes",
            "com.example.note/none",
            "com.example.note/a",
            "com.example.note/b",
        ];
        let ended = repo.pds(paths.iter().chain(dry_run).copied()).ended();
        assert_eq!(ended.code(), 0);
        assert_eq!(ended.stderr, "no stored state has com.example.note/none\n");
    }
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 1);
}

#[test]
fn a_record_in_cbor_without_a_type_is_told_that_it_has_none() {
    let repo = TestRepo::new();
    let put =
        |bytes: &[u8]| repo.pds(["put", "com.example.note/a", "--cbor"]).stdin(bytes).fails(3);
    assert!(put(b"\xa1\x61a\x01").contains("the $type is missing"));
    assert!(put(b"\xa1\x65$type\x61x").contains("the $type is not the collection"));
}
