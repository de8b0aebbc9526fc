//! Destinations of a file: standard output, pipes, devices, and places where no file can be created.

use std::fs;

use crate::common::TestRepo;

/// The verbs that write a file with -o, and what comes before it.
const WRITERS: [&str; 3] =
    ["-R alice export", "-R alice prove com.example.note/a", "recover good.car"];

#[test]
fn a_recovered_file_goes_to_standard_output_and_what_was_found_to_standard_error() {
    let repo = TestRepo::with_notes();
    repo.export("good.car");
    let ended = repo.home.pds(["recover", "good.car", "-o", "-"]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, repo.home.read("good.car"));
    assert_eq!(ended.stderr, "whole: 3 records, 0 unplaced, 0 without a path, 0 lost\n");
    assert_eq!(repo.home.list("."), ["alice", "good.car"]);
    let car = repo.home.read("good.car");
    repo.home.write("cut.car", &car[..car.len() - 1]);
    let ended = repo.home.pds(["recover", "cut.car", "-o", "-"]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    assert!(ended.stderr.contains("lost com.example.note/c: "), "{}", ended.stderr);
    let ended = repo.home.pds(["recover", "cut.car", "out", "-o", "-", "--json"]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    let answer: serde_json::Value =
        serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&answer["ok"], &answer["lost"]), (&false.into(), &1.into()), "{}", ended.stderr);
    repo.home.write("rest.car", ended.stdout);
    repo.home.pds(["verify", "rest.car", "--partial"]).ok();
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_into_and_stays_what_it_is() {
    use std::os::unix::fs::FileTypeExt;

    let repo = TestRepo::with_notes();
    repo.export("good.car");
    for writer in WRITERS {
        let line =
            format!("mkfifo to && cat to > read & sleep 0.1; pds {writer} -o to --force; wait");
        repo.home.sh(&line).ended().done();
        let to = repo.home.dir().join("to");
        assert!(fs::metadata(&to).unwrap().file_type().is_fifo(), "{writer}");
        repo.home.pds(["verify", "read", "--partial"]).ok();
        fs::remove_file(to).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_place_where_no_file_can_be_made_is_said_with_what_to_do() {
    let repo = TestRepo::with_notes();
    repo.export("good.car");
    std::os::unix::fs::symlink("gone.car", repo.home.dir().join("link.car")).unwrap();
    for writer in WRITERS {
        for (to, expected) in [
            ("none/x.car", "error: no directory none\nhint: create it first\n"),
            ("alice", "error: alice is a directory\nhint: name a file in it\n"),
            (
                "link.car",
                "error: link.car is a link to a missing file\n\
                 hint: use --force to replace the link\n",
            ),
            ("good.car", "error: good.car exists\nhint: use --force to overwrite it\n"),
            ("good.car/x", "error: cannot write good.car/x: Not a directory (os error 20)\n"),
        ] {
            let said = repo.home.sh(&format!("pds {writer} -o {to}")).fails(1);
            assert_eq!(said, expected, "{writer}");
        }
    }
    assert_eq!(repo.home.list("."), ["alice", "good.car", "link.car"]);
    repo.home.pds(["recover", "good.car", "-o", "link.car", "--force"]).ok();
    assert_eq!(repo.home.read("link.car"), repo.home.read("good.car"));
    assert!(!repo.home.dir().join("gone.car").exists());
}

#[cfg(unix)]
#[test]
fn no_part_of_a_repository_is_overwritten() {
    use std::os::unix::fs::symlink;

    let repo = TestRepo::with_notes();
    repo.export("good.car");
    repo.home.sh("cp -r alice bob && mkdir -p bob/blobs && ln bob/pds.db linked.db").ok();
    let home = repo.home.dir();
    symlink("bob", home.join("to-bob")).unwrap();
    symlink("bob/pds.db", home.join("to-store")).unwrap();
    symlink("bob/key", home.join("to-key")).unwrap();
    let before = (repo.home.read("bob/pds.db"), repo.home.read("bob/key"));
    for writer in WRITERS {
        for to in [
            "bob/pds.db",
            "bob/pds.db-wal",
            "bob/pds.db-shm",
            "bob/PDS.DB",
            "bob/key",
            "bob/key.old",
            "bob/key.next",
            "bob/store",
            "bob/blobs/x.car",
            "alice/pds.db",
            "./bob/../bob/key",
            "to-bob/key",
            "to-store",
            "to-key",
            "linked.db",
        ] {
            for force in ["", " --force"] {
                let said = repo.home.sh(&format!("pds {writer} -o {to}{force}")).fails(1);
                let is_link = to == "linked.db";
                let reason = if is_link {
                    "is the database of a repository"
                } else {
                    "belongs to the repository"
                };
                assert!(said.contains(reason) && said.contains("hint: "), "{writer} {to}: {said}");
            }
        }
        repo.home.sh(&format!("pds {writer} -o bob/mine.car && rm bob/mine.car")).ended().done();
    }
    assert_eq!((repo.home.read("bob/pds.db"), repo.home.read("bob/key")), before);
    repo.home.pds(["-R", "bob", "verify"]).ok();
}

#[test]
fn parts_of_a_repository_get_no_other_files_in_them() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    repo.export("good.car");
    home.sh("mkdir alice/identity && echo '{}' > alice/identity/did.json").ended().done();
    let listed = || [home.list("alice"), home.list("alice/identity")];
    let before = listed();
    for line in [
        "-R alice export --force -o alice/identity/did.json",
        "-R alice export -o alice/identity/new/x.car",
        "-R alice unpack alice/blobs",
        "-R alice unpack alice/blobs/new/dir",
        "-R alice unpack alice/identity",
        "recover good.car alice/blobs",
        "clone good.car alice/blobs/copy",
        "clone alice alice/quarantine/copy",
        "init alice/blobs/copy --did did:web:bob.example.com",
    ] {
        let said = home.pds(line.split(' ')).fails(1);
        assert!(said.contains("the repository"), "{line}: {said}");
        assert_eq!(listed(), before, "{line}");
    }
    assert_eq!(home.read("alice/identity/did.json"), b"{}\n");
    // The directory itself is not a part.
    home.pds(["-R", "alice", "unpack", "alice/records"]).ok();
    home.pds(["clone", "good.car", "alice/copy"]).ok();
}
