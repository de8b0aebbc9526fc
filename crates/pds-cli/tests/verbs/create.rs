//! `init`, `clone` and `info`.

use crate::common::{DID, Home, TestRepo, masked};

#[test]
fn init_makes_a_repository_and_tells_what_it_is() {
    let home = Home::new();
    let said = home.pds(["init", "alice", "--did", DID]).ok();
    let (said, bytes) = said.rsplit_once("bytes    ").unwrap();
    assert_eq!(
        masked(said),
        "did      did:web:alice.example.com\n\
         key      <key 1>\n\
         commit   <cid 1>\n\
         rev      <tid 1>\n\
         data     <cid 2>\n\
         version  3\n\
         records  0\n\
         blocks   2 (1 tree node)\n\
         blobs    0\n"
    );
    assert!(bytes.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(home.list("alice"), ["key", "pds.db"]);
    home.pds(["-R", "alice", "verify"]).ok();
}

#[cfg(unix)]
#[test]
fn init_keeps_the_key_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let repo = TestRepo::new();
    let key = std::fs::metadata(repo.home.path("alice/key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn init_leaves_a_directory_alone_that_holds_something() {
    let home = Home::new();
    std::fs::create_dir(home.path("used")).unwrap();
    home.write("used/file", "kept");
    let said = home.pds(["init", "used", "--did", DID]).fails(1);
    assert_eq!(said, "error: used is not empty\nhint: name another directory\n");
    assert_eq!((home.list("used"), home.list(".")), (vec!["file".into()], vec!["used".into()]));
    for beneath in ["used/file", "used/file/deep"] {
        let said = home.pds(["init", beneath, "--did", DID]).fails(1);
        assert_eq!(said, "error: used/file is not a directory\nhint: name another directory\n");
    }
    assert_eq!(home.list("used"), ["file"]);
}

#[test]
fn init_takes_an_empty_directory_and_the_present_one() {
    let home = Home::new();
    std::fs::create_dir(home.path("here")).unwrap();
    home.pds(["init", ".", "--did", DID]).within(home.path("here")).ok();
    assert_eq!(home.list("here"), ["key", "pds.db"]);
}

#[test]
fn init_takes_a_key_that_exists_on_either_curve() {
    let home = Home::new();
    let one = format!("{:064x}\n", 1);
    let generator = "did:key:zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9";
    home.write("secret", &one);
    home.pds(["init", "k256", "--did", DID, "--key", "secret"]).ok();
    assert_eq!(home.pds(["-R", "k256", "key", "show"]).ok().trim_end(), generator);
    home.pds(["init", "p256", "--did", DID, "--key", "-", "--curve", "p256"]).stdin(one).ok();
    assert!(home.pds(["-R", "p256", "key", "show"]).ok().starts_with("did:key:zDn"));
    let said = home.pds(["init", "bad", "--did", DID, "--key", "-"]).stdin("nonsense").fails(3);
    assert!(said.starts_with("error: not a signing key: "), "{said}");
    home.pds(["init", "bad", "--did", DID, "--key", "-"]).stdin([0xff, 0xfe]).fails(3);
    assert_eq!(home.list("."), ["k256", "p256", "secret"]);
}

#[test]
fn init_answers_in_json() {
    let home = Home::new();
    let said = home.pds(["init", "alice", "--did", DID, "--json"]).ok();
    let said = masked(&said);
    let (before, after) = said.split_once("\"bytes\":").unwrap();
    let (_, after) = after.split_once(',').unwrap();
    assert_eq!(
        format!("{before}{after}"),
        "{\"blobs\":0,\"blocks\":2,\"collections\":{},\"commit\":\"<cid 1>\",\"data\":\"<cid 2>\",\
         \"did\":\"did:web:alice.example.com\",\"nodes\":1,\"records\":0,\"rev\":\"<tid 1>\",\
         \"signingKey\":\"<key 1>\",\"version\":3}\n"
    );
    let said = home.pds(["init", "alice", "--did", DID, "--json"]).fails(1);
    assert_eq!(said, "{\"error\":\"directory-in-use\",\"message\":\"alice is not empty\"}\n");
}

#[test]
fn clone_makes_a_mirror_of_a_file_and_names_it_after_the_file() {
    let repo = TestRepo::with_notes();
    repo.export("backup.car");
    let said = repo.home.pds(["clone", "backup.car"]).ok();
    let (said, _) = said.split_once("bytes").unwrap();
    assert_eq!(
        masked(said),
        "did      did:web:alice.example.com\n\
         key      unknown (a mirror)\n\
         commit   <cid 1>\n\
         rev      <tid 1>\n\
         data     <cid 2>\n\
         version  3\n\
         records  3\n\
         blocks   6 (2 tree nodes)\n\
         blobs    0\n"
    );
    assert_eq!(repo.home.list("backup"), ["pds.db"]);
    let again = repo.home.pds(["-R", "backup", "export"]).ended().stdout;
    assert_eq!(again, repo.home.read("backup.car"));
}

#[test]
fn clone_checks_and_remembers_the_key() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let key = repo.pds(["key", "show"]).ok();
    let key = key.trim_end();
    let said = repo.home.pds(["clone", &file, "good", "--key", key]).ok();
    assert!(said.contains(&format!("key      {key} (public key only: a mirror)\n")), "{said}");
    let other = TestRepo::new().pds(["key", "show"]).ok();
    let said = repo.home.pds(["clone", &file, "bad", "--key", other.trim_end()]).fails(1);
    assert!(said.starts_with("error: refused: error signature-invalid bafyrei"), "{said}");
    assert_eq!(repo.home.list("."), ["alice", "backup.car", "good"]);
}

#[test]
fn clone_reads_standard_input_and_names_the_directory_after_the_account() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let bytes = std::fs::read(file).unwrap();
    repo.home.pds(["clone", "-"]).stdin(bytes).ok();
    assert_eq!(repo.home.list("."), ["alice", "backup.car", DID]);
}

#[test]
fn clone_refuses_what_is_no_car_and_leaves_nothing_behind() {
    let home = Home::new();
    home.write("notes.txt", "this is not a CAR file");
    let said = home.pds(["clone", "notes.txt", "to"]).fails(3);
    assert_eq!(said, "error: notes.txt is a text file, not a CAR file\n");
    home.write("odd.bin", b"\xf0\x01\x02");
    let said = home.pds(["clone", "odd.bin", "to"]).fails(3);
    assert_eq!(
        said,
        "error: cannot read odd.bin: byte 0: the file ends in the middle of the header\n\
         hint: pds verify FILE lists every error; pds recover FILE recovers the records\n"
    );
    assert_eq!(home.pds(["clone", "gone.car"]).fails(3), "error: no file gone.car\n");
    let said = home.pds(["clone", "gone.car", "--json"]).fails(3);
    assert_eq!(said, "{\"error\":\"bad-input\",\"message\":\"no file gone.car\"}\n");
    assert_eq!(home.list("."), ["notes.txt", "odd.bin"]);
}

#[test]
fn clone_into_a_file_or_a_used_directory_leaves_nothing_behind() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    repo.home.write("taken", "kept");
    let said = repo.home.pds(["clone", &file, "taken"]).fails(1);
    assert_eq!(said, "error: taken is not a directory\nhint: name another directory\n");
    repo.home.pds(["clone", &file, "alice"]).fails(1);
    assert_eq!(repo.home.list("."), ["alice", "backup.car", "taken"]);
    assert_eq!(repo.home.read("taken"), b"kept");
}

#[test]
fn clone_of_a_file_without_an_ending_is_named_after_the_account() {
    let repo = TestRepo::with_notes();
    repo.export("backup");
    for source in ["backup", "./backup"] {
        repo.home.pds(["clone", source]).ok();
        std::fs::remove_dir_all(repo.home.path(DID)).unwrap();
    }
}

#[test]
fn info_counts_collections_records_and_blocks() {
    let repo = TestRepo::with_notes();
    repo.pds(["put", "com.example.other/x"]).stdin("{}").ok();
    let said = repo.pds(["info"]).ok();
    assert!(said.ends_with("\n  com.example.note\t3\n  com.example.other\t1\n"), "{said}");
    let said = repo.json(["info"]);
    let fields: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "blobs",
            "blocks",
            "bytes",
            "collections",
            "commit",
            "data",
            "did",
            "nodes",
            "records",
            "rev",
            "signingKey",
            "version"
        ]
    );
    assert_eq!(said["collections"]["com.example.note"], 3);
}

#[test]
fn info_on_no_repository_says_how_to_make_one() {
    let home = Home::new();
    std::fs::create_dir(home.path("empty")).unwrap();
    assert_eq!(
        home.pds(["-R", "empty", "info"]).fails(3),
        "error: no repository in empty\n\
         hint: create one with pds init DIR or pds clone FILE, or name one with -R PATH\n"
    );
    let said = home.pds(["-R", "empty", "info", "--json"]).fails(3);
    assert_eq!(said, "{\"error\":\"not-a-repository\",\"message\":\"no repository in empty\"}\n");
}
