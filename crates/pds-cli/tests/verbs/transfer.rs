//! `import`, `export` and `unpack`.

use crate::common::{Car, DID, Home, TestRepo, masked, note};

#[test]
fn export_writes_a_file_that_verifies_and_never_overwrites_one_unasked() {
    let repo = TestRepo::with_notes();
    let ended = repo.pds(["export", "-o", &repo.home.path("backup.car")]).ended();
    assert_eq!((ended.done(), &*ended.stderr), (String::new(), "6 blocks, 848 bytes\n"));
    repo.home.pds(["verify", "backup.car"]).ok();
    let before = repo.home.read("backup.car");
    repo.put("d", "d");
    let file = repo.home.path("backup.car");
    let said = repo.pds(["export", "-o", &file]).fails(1);
    assert_eq!(said, format!("error: {file} exists\nhint: use --force to overwrite it\n"));
    let said = repo.pds(["export", "-o", &file, "--json"]).fails(1);
    assert_eq!(said, format!("{{\"error\":\"exists\",\"message\":\"{file} exists\"}}\n"));
    assert_eq!(repo.home.read("backup.car"), before);
    repo.pds(["export", "-o", &file, "--force"]).ended().done();
    assert_ne!(repo.home.read("backup.car"), before);
    assert_eq!(repo.home.list("."), ["alice", "backup.car"]);
}

#[test]
fn export_answers_in_json_where_the_file_is_not_the_answer() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["export", "-o", &repo.home.path("backup.car"), "--json"]).ok();
    assert_eq!(
        masked(&said),
        "{\"blocks\":6,\"bytes\":848,\"commit\":{\"cid\":\"<cid 1>\",\"rev\":\"<tid 1>\"}}\n"
    );
}

#[test]
fn export_is_the_same_to_a_file_to_standard_output_and_twice() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let bytes = std::fs::read(file).unwrap();
    for args in [&["export"][..], &["export", "-o", "-"], &["export", "--at", "HEAD"]] {
        assert_eq!(repo.pds(args.iter().copied()).ended().stdout, bytes);
    }
}

#[cfg(unix)]
#[test]
fn export_writes_into_what_is_no_file_instead_of_replacing_it() {
    let repo = TestRepo::with_notes();
    let bytes = repo.pds(["export"]).ended().stdout;
    let pipe = repo.home.path("pipe");
    assert!(repo.home.command("mkfifo").arg(&pipe).status().unwrap().success());
    for force in ["", "--force"] {
        let line = format!(
            "{{ cat pipe > copy; }} > cat.log 2>&1 & pds -R alice export -o pipe {force} && wait"
        );
        assert_eq!(repo.home.sh(&line).ended().code(), 0);
        assert_eq!(repo.home.read("copy"), bytes);
    }
    repo.pds(["export", "-o", &repo.home.path("alice"), "--force"]).fails(1);
    assert_eq!(repo.home.list("."), ["alice", "cat.log", "copy", "pipe"]);
}

#[test]
fn a_slice_since_a_state_brings_another_copy_up_to_date() {
    let repo = TestRepo::with_notes();
    repo.export("old.car");
    let (_, rev) = repo.head();
    repo.home.pds(["clone", "old.car", "copy"]).ok();
    repo.put("d", "d");
    repo.pds(["rm", "com.example.note/a"]).ok();
    for since in [rev.as_str(), "HEAD~2", "@{2}", &repo.home.path("old.car")] {
        let slice = repo.pds(["export", "--since", since]).ended();
        assert_eq!(slice.code(), 0, "{since}: {}", slice.stderr);
        repo.home.write("newer.car", slice.stdout);
        let partial = repo.home.pds(["verify", "newer.car"]).ended();
        assert_eq!(partial.code(), 1, "{since}");
        repo.home.pds(["verify", "newer.car", "--partial"]).ended().done();
        repo.home.pds(["-R", "copy", "import", "newer.car"]).ok();
        let exported = |dir: &str| repo.home.pds(["-R", dir, "export"]).ended().stdout;
        assert_eq!(exported("copy"), exported("alice"), "{since}");
        repo.home.pds(["-R", "copy", "reset", "@{1}"]).ok();
    }
    repo.pds(["export", "--since", "HEAD~99"]).fails(1);
}

#[test]
fn import_takes_in_what_is_new_and_moves_head() {
    let repo = TestRepo::with_notes();
    repo.export("old.car");
    repo.home.pds(["clone", "old.car", "copy"]).ok();
    repo.put("d", "d");
    repo.export("new.car");
    let import = |args: &[&str]| {
        let args = ["-R", "copy", "import"].into_iter().chain(args.iter().copied());
        repo.home.pds(args.map(str::to_owned))
    };
    assert_eq!(masked(&import(&["new.car"]).ok()), "4\t<cid 1>\t<tid 1>\n");
    assert_eq!(
        masked(&import(&["new.car", "--json"]).ok()),
        "{\"blocks\":0,\"commit\":{\"cid\":\"<cid 1>\",\"rev\":\"<tid 1>\"},\"records\":4,\
         \"states\":0,\"leftOut\":[]}\n"
    );
    let bytes = repo.home.read("new.car");
    assert!(import(&["-", "--ref", "other"]).stdin(bytes).ok().starts_with("0\t"));
}

#[test]
fn import_refuses_another_account_damage_and_a_wrong_signature() {
    let repo = TestRepo::with_notes();
    let other = Home::new();
    other.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    other.pds(["-R", "bob", "export", "-o", &repo.home.path("bob.car")]).ended().done();
    let before = repo.head();
    assert_eq!(
        repo.pds(["import", &repo.home.path("bob.car")]).fails(1),
        format!(
            "error: the account is did:web:bob.example.com, expected {DID}\n\
             hint: pds clone creates a separate repository from it\n"
        )
    );
    let forged = Car::of([(b"com.example.note/a".to_vec(), note("forged"))]);
    let forged = repo.home.write("forged.car", forged.file());
    let said = repo.pds(["import", &forged, "--json"]).fails(1);
    assert!(
        said.starts_with("{\"error\":\"refused\",\"message\":\"refused: error signature-invalid"),
        "{said}"
    );
    let mut bytes = std::fs::read(repo.export("good.car")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = repo.home.write("damaged.car", bytes);
    let said = repo.pds(["import", &damaged]).fails(3);
    assert!(said.contains("is damaged") && said.contains("byte "), "{said}");
    assert_eq!(repo.head(), before);
    repo.assert_whole();
}

#[test]
fn unpack_writes_every_record_as_json() {
    let repo = TestRepo::with_notes();
    assert_eq!(repo.pds(["unpack", &repo.home.path("out")]).ok(), "3\n");
    let dir = format!("out/{DID}");
    assert_eq!(repo.home.list(&dir), ["_commit.json", "com.example.note"]);
    let notes = format!("{dir}/com.example.note");
    assert_eq!(repo.home.list(&notes), ["a.json", "b.json", "c.json"]);
    let record = repo.home.read(&format!("{notes}/a.json"));
    assert_eq!(record, b"{\n  \"text\": \"a\",\n  \"$type\": \"com.example.note\"\n}\n");
    let commit = repo.home.read(&format!("{dir}/_commit.json"));
    let commit: serde_json::Value = serde_json::from_slice(&commit).unwrap();
    assert_eq!((&commit["did"], &commit["rev"]), (&DID.into(), &repo.head().1.into()));
    let said = repo.pds(["unpack", &repo.home.path("out")]).fails(1);
    assert!(said.ends_with(" exists\nhint: name another directory\n"), "{said}");
    let said = repo.pds(["unpack", &repo.home.path("out2"), "--json", "--at", "HEAD~1"]).ok();
    assert_eq!(said, "{\"records\":2}\n");
    let said = repo.pds(["unpack", &repo.home.path("out2"), "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"exists\","), "{said}");
}

#[test]
fn unpack_goes_on_after_a_record_whose_name_is_too_long_for_a_file() {
    let repo = TestRepo::with_notes();
    let long = "x".repeat(512);
    repo.put(&long, "long");
    repo.put("y", "after it");
    let ended = repo.pds(["unpack", &repo.home.path("out")]).ended();
    assert_eq!((ended.code(), &*ended.text()), (6, "4\n"));
    assert!(ended.stderr.starts_with(&format!("com.example.note/{long} ")), "{}", ended.stderr);
    let notes = format!("out/{DID}/com.example.note");
    assert_eq!(repo.home.list(&notes), ["a.json", "b.json", "c.json", "y.json"]);
}

#[test]
fn a_slice_without_its_base_names_the_export_to_request() {
    let repo = TestRepo::with_notes();
    repo.export("old.car");
    repo.home.pds(["clone", "old.car", "copy"]).ended().done();
    let rev = repo.head().1;
    for name in ["d", "e", "f"] {
        repo.put(name, name);
    }
    let slice = repo.pds(["export", "--since", "HEAD~1"]).ended().stdout;
    repo.home.write("slice.car", slice);
    let said = repo.home.pds(["-R", "copy", "import", "slice.car"]).fails(1);
    let expected =
        format!("HEAD is at rev {rev}: request an export with since={rev}, or a full one");
    assert!(said.contains(&expected) && said.contains("-missing "), "{said}");
    let said = repo.home.pds(["clone", "slice.car", "other"]).fails(1);
    assert!(
        said.contains("slice.car is only a part of a repository: request a full export"),
        "{said}"
    );
}
