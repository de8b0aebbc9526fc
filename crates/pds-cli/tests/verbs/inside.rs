//! `show`, `mst` and `key`.

use crate::common::{FORMS, Home, TestRepo, masked};

#[test]
fn show_decodes_any_block() {
    let repo = TestRepo::with_notes();
    let info = repo.json(["info"]);
    let (commit, data) = (info["commit"].as_str().unwrap(), info["data"].as_str().unwrap());
    assert_eq!(
        masked(&repo.pds(["show", commit, "--block"]).ok())
            .lines()
            .filter(|line| !line.contains("$bytes"))
            .collect::<Vec<_>>(),
        [
            "{",
            "  \"did\": \"did:web:alice.example.com\",",
            "  \"rev\": \"<tid 1>\",",
            "  \"sig\": {",
            "  },",
            "  \"data\": {",
            "    \"$link\": \"<cid 1>\"",
            "  },",
            "  \"prev\": {",
            "    \"$link\": \"<cid 2>\"",
            "  },",
            "  \"version\": 3",
            "}",
        ]
    );
    assert_eq!(
        masked(&repo.pds(["show", data, "--json"]).ok()),
        "{\"e\":[{\"k\":{\"$bytes\":\"Y29tLmV4YW1wbGUubm90ZS9h\"},\"p\":0,\
         \"t\":{\"$link\":\"<cid 1>\"},\"v\":{\"$link\":\"<cid 2>\"}}],\"l\":null}\n"
    );
    let bytes = repo.pds(["show", data, "--cbor"]).ended().stdout;
    assert_eq!(pds::data::Cid::of(pds::data::Codec::Cbor, &bytes).to_string(), data);
}

#[test]
fn show_of_a_block_that_is_not_here_is_no() {
    let repo = TestRepo::new();
    let cid = pds::data::Cid::of(pds::data::Codec::Raw, b"elsewhere").to_string();
    let hint = "hint: pds blob get CID writes a blob, and pds blob ls lists them\n";
    let said = repo.pds(["show", &cid]).fails(1);
    assert_eq!(said, format!("error: block {cid} is not stored\n{hint}"));
    let said = repo.pds(["show", &cid, "--json"]).fails(1);
    assert_eq!(
        said,
        format!("{{\"error\":\"not-found\",\"message\":\"block {cid} is not stored\"}}\n")
    );
    let said = repo.pds(["show", "nonsense"]).fails(1);
    assert_eq!(
        said,
        format!("error: unknown revision \"nonsense\": no ref named nonsense\n{FORMS}")
    );
    let said = repo.pds(["show", "com.example.note/a"]).fails(1);
    assert!(said.ends_with("\nhint: pds get PATH prints a record\n"), "{said}");
}

#[test]
fn mst_draws_the_tree() {
    let repo = TestRepo::with_notes();
    assert_eq!(
        masked(&repo.pds(["mst"]).ok()),
        "<cid 1> level 1, 1 entry\n\
         - com.example.note/a <cid 2>\n  \
           <cid 3> level 0, 2 entries\n  \
           - com.example.note/b <cid 4>\n  \
           - com.example.note/c <cid 5>\n"
    );
    assert_eq!(
        masked(&repo.pds(["mst", "--depth", "1"]).ok()),
        "<cid 1> level 1, 1 entry\n- com.example.note/a <cid 2>\n"
    );
    let lines = repo.json_lines(["mst", "--depth", "1", "--at", "HEAD~2"]);
    assert_eq!(
        masked(&lines[0].to_string()),
        "{\"bytes\":78,\"entries\":1,\"level\":1,\"node\":\"<cid 1>\"}"
    );
    assert_eq!(
        masked(&lines[1].to_string()),
        "{\"cid\":\"<cid 1>\",\"level\":1,\"path\":\"com.example.note/a\"}"
    );
    repo.pds(["mst", "--depth", "0"]).fails(2);
    repo.pds(["mst", "--at", "nope"]).fails(1);
}

#[test]
fn key_show_prints_the_public_key_only() {
    let repo = TestRepo::new();
    assert_eq!(masked(&repo.pds(["key", "show"]).ok()), "<key 1>\n");
    let said = repo.pds(["key", "show", "--json"]).ok();
    assert_eq!(masked(&said), "{\"signingKey\":\"<key 1>\"}\n");
    let file = repo.export("backup.car");
    let said = repo.home.pds(["-R", &file, "key", "show"]).fails(1);
    assert_eq!(said, "error: the signing key is unknown\n");
    let said = repo.home.pds(["-R", &file, "key", "show", "--json"]).fails(1);
    assert_eq!(said, "{\"error\":\"not-found\",\"message\":\"the signing key is unknown\"}\n");
}

#[test]
fn key_import_turns_a_mirror_into_a_repository_of_ones_own() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    repo.home.pds(["clone", &file, "copy"]).ok();
    let secret = repo.home.read("alice/key");
    let key = repo.pds(["key", "show"]).ok();
    let import = || repo.home.pds(["-R", "copy", "key", "import", "-"]).stdin(secret.clone());
    assert_eq!(import().ok(), key);
    repo.home.pds(["-R", "copy", "put", "com.example.note/d"]).stdin("{}").ok();
    repo.home.pds(["-R", "copy", "verify"]).ok();
    assert_eq!(
        import().fails(1),
        "error: key file copy/key already exists\n\
         hint: move the key file away to replace it\n"
    );
}

#[test]
fn key_import_notes_that_another_key_was_expected() {
    let repo = TestRepo::new();
    let file = repo.export("backup.car");
    let known = repo.pds(["key", "show"]).ok();
    repo.home.pds(["clone", &file, "copy", "--key", known.trim_end()]).ok();
    let secret = TestRepo::new().home.read("alice/key");
    let ended = repo.home.pds(["-R", "copy", "key", "import", "-"]).stdin(secret).ended();
    ended.done();
    let known = known.trim_end();
    let expected = format!(
        "note: stored commits are still checked with {known}; the new key signs later commits\n"
    );
    assert_eq!(ended.stderr, expected);
    for _ in 0..2 {
        let whole = repo.home.pds(["-R", "copy", "verify", "--history"]).ended().done();
        assert!(whole.contains("signature valid, 0 errors"), "{whole}");
        repo.home.pds(["-R", "copy", "put", "com.example.note"]).stdin("{}").ok();
    }
}

#[test]
fn key_import_refuses_what_is_no_key_and_never_repeats_it() {
    let repo = TestRepo::new();
    std::fs::remove_file(repo.home.path("alice/key")).unwrap();
    let almost = format!("{:063x}", 0x00c0_ffee_u32);
    let import = |json: &[&str]| {
        repo.pds(["key", "import", "-"].into_iter().chain(json.iter().copied()))
            .stdin(almost.clone())
            .fails(3)
    };
    for said in [import(&[]), import(&["--json"])] {
        assert!(said.contains("not a signing key"), "{said}");
        assert!(!said.contains("c0ffee"), "{said}");
    }
    assert_eq!(repo.pds(["key", "import", "gone"]).fails(3), "error: no file gone\n");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let repo = TestRepo::new();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(repo.home.path("alice/key"), open).unwrap();
    assert_eq!(
        repo.pds(["put", "com.example.note/a"]).stdin("{}").fails(1),
        "error: key file alice/key is open to group or others (mode 0644): run chmod 600 on it\n"
    );
    repo.pds(["info"]).ok();
}

#[test]
fn key_of_no_repository_is_bad_input() {
    let home = Home::new();
    home.pds(["-R", ".", "key", "show"]).fails(3);
    home.pds(["-R", ".", "key", "import", "-"]).stdin("x").fails(3);
    assert_eq!(home.list("."), [""; 0]);
}
