//! Many records and many files at once: `rm` of patterns, `blob put` and `blob export` of directories.

use crate::common::{DID, Home, TestRepo, creations};

/// A repository with notes, and with records of two other collections.
fn prepared() -> TestRepo {
    let repo = TestRepo::with_many_notes(12);
    for path in ["com.example.other/a", "com.example.other/b", "org.example.note/a"] {
        repo.pds(["put", path]).stdin("{}").ok();
    }
    repo
}

#[test]
fn rm_deletes_the_records_of_a_pattern_in_one_commit() {
    for (pattern, left) in [
        ("com.example.note", "com.example.other\t2\norg.example.note\t1\n"),
        ("com.example.note/*", "com.example.other\t2\norg.example.note\t1\n"),
        (
            "com.example.note/n00000*",
            "com.example.note\t2\ncom.example.other\t2\norg.example.note\t1\n",
        ),
        ("com.example.*", "org.example.note\t1\n"),
        (&format!("at://{DID}/com.example.note/*"), "com.example.other\t2\norg.example.note\t1\n"),
    ] {
        let repo = prepared();
        let planned = repo.pds(["rm", pattern, "--dry-run"]).ok();
        assert_eq!(repo.json_lines(["log"]).len(), 5, "nothing was written");
        let rows = repo.json_lines(["rm", pattern, "--dry-run"]);
        assert_eq!(
            rows[0].to_string(),
            format!(
                "{{\"action\":\"delete\",\"cid\":null,\"commit\":null,\"uri\":\"{}\"}}",
                planned.lines().next().unwrap()
            )
        );
        let said = repo.pds(["rm", pattern]).fails(2);
        assert!(said.contains("--yes") && said.contains(&format!("({pattern})")), "{said}");
        assert_eq!(repo.pds(["rm", pattern, "--yes"]).ok(), planned, "{pattern}");
        assert_eq!(repo.pds(["ls"]).ok(), left, "{pattern}");
        assert_eq!(repo.json_lines(["log"]).len(), 6, "one commit");
        let said = repo.pds(["rm", pattern, "--yes"]).ended();
        let is_gone = !pattern.ends_with("00000*") || said.code() == 1;
        assert!(is_gone && said.stderr.contains("no record matches"), "{}", said.stderr);
        repo.assert_whole();
    }
}

#[test]
fn rm_names_each_record_once_and_refuses_other_stars() {
    let repo = prepared();
    let args = ["rm", "com.example.other/b", "com.example.other", "com.example.*", "--yes"];
    let said = repo.pds(args).ok();
    assert_eq!(said.lines().count(), 14, "{said}");
    assert!(said.starts_with(&format!("at://{DID}/com.example.other/b\n")));
    for wrong in ["*", "com.exam*", "com.example.note/*x", "a*/b"] {
        let said = repo.pds(["rm", wrong, "--yes"]).fails(2);
        assert!(said.contains("star"), "{wrong}: {said}");
    }
    repo.pds(["rm", "at://did:web:bob.example.com/org.example.note/*", "--yes"]).fails(1);
}

#[test]
fn rm_of_a_pattern_asks_on_a_terminal() {
    let repo = prepared();
    for (answer, is_deleted) in [("n", false), ("", false), ("y", true)] {
        let line = "pds -R alice rm com.example.note; echo code=$?";
        let Some(shown) = typed(&repo.home, answer, line) else { return };
        assert!(shown.contains("Delete 12 records (com.example.note)? [y/N] "), "{shown:?}");
        let code = if is_deleted { "code=0" } else { "code=1" };
        assert!(shown.contains(code), "{shown:?}");
        assert_eq!(shown.contains("nothing was changed"), !is_deleted, "{shown:?}");
        let count = repo.pds(["ls"]).ok().lines().count();
        assert_eq!(count, if is_deleted { 2 } else { 3 });
    }
}

#[test]
fn gc_asks_before_it_deletes_states_and_forget_wants_their_number() {
    let repo = TestRepo::with_notes();
    let Some(shown) = typed(&repo.home, "n", "pds -R alice gc --keep 1; echo code=$?") else {
        return;
    };
    assert!(shown.contains("This deletes 3 states") && shown.contains("code=1"), "{shown:?}");
    let forget = "pds -R alice forget com.example.note/b; echo code=$?";
    let shown = typed(&repo.home, "y", forget).unwrap();
    for expected in [
        "This removes every version of the record and the states that contain it:",
        "  com.example.note/b ",
        " 1 version\r\n",
        "  2 of 4 states, stored ",
        " HEAD becomes a new commit without it\r\n",
        "It cannot be undone.",
        "Type the number of states to go on (2): ",
        "nothing was changed",
        "code=1",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert_eq!(repo.json_lines(["log"]).len(), 4);
    assert!(typed(&repo.home, "2", forget).unwrap().contains("code=0"));
    assert_eq!(repo.json_lines(["log"]).len(), 3);
    let shown = typed(&repo.home, "y", "pds -R alice gc --keep 1; echo code=$?").unwrap();
    assert!(shown.contains("code=0"), "{shown}");
    assert_eq!(repo.json_lines(["log"]).len(), 1);
    // Elsewhere only `forget` needs an answer in advance.
    repo.put("b", "again");
    repo.pds(["gc", "--keep", "1"]).ok();
    let said = repo.pds(["forget", "com.example.note/b"]).fails(2);
    assert!(said.contains("hint: add --yes"), "{said}");
}

/// Runs a line on a terminal and types an answer.
fn typed(home: &Home, answer: &str, line: &str) -> Option<String> {
    if !home.command("script").arg("--version").output().is_ok_and(|it| it.status.success()) {
        return None;
    }
    let typed = format!(
        "(sleep 1; echo '{answer}'; sleep 0.3) | TERM=xterm script -qec '{line}' /dev/null"
    );
    let output = home.command("sh").args(["-c", &typed]).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn blobs_are_files_in_the_directory_of_goat_and_come_back() {
    let repo = TestRepo::new();
    let blob = repo.pds(["blob", "put", "-"]).stdin("a blob").ok();
    let png = b"\x89PNG\r\n\x1a\n and more".to_vec();
    repo.home.write("picture", &png);
    repo.pds(["blob", "put", "picture"]).ok();
    let record = format!("{{\"file\":{blob}}}");
    repo.pds(["put", "com.example.note/file"]).stdin(record).ok();
    let cids: Vec<String> = repo
        .pds(["blob", "ls"])
        .ok()
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    let exported = repo.json(["blob", "export", "out"]);
    let dir = format!("out/{DID}_blobs");
    assert_eq!(
        exported.to_string(),
        format!(
            "{{\"blobs\":2,\"bytes\":23,\"damaged\":0,\"dir\":\"{dir}\",\"kept\":0,\"missing\":0}}"
        )
    );
    assert_eq!(repo.home.list(&dir), cids);
    // A second run keeps the files, and replaces wrong bytes.
    repo.home.write(&format!("{dir}/{}", cids[0]), "damaged");
    let again = repo.pds(["blob", "export", "out", "--json"]).ended();
    assert!(again.text().contains("\"kept\":1") && again.stderr.contains("replaced"));
    repo.pds(["blob", "export", "named", "--ext"]).ok();
    let mut expected = [format!("{}.png", cids[0]), format!("{}.txt", cids[1])];
    if !repo.home.read(&format!("{dir}/{}", cids[0])).starts_with(b"\x89PNG") {
        expected = [format!("{}.txt", cids[0]), format!("{}.png", cids[1])];
    }
    assert_eq!(repo.home.list(&format!("named/{DID}_blobs")), expected);

    for from in ["out", &dir, "named"] {
        let home = Home::new();
        home.pds(["init", "alice", "--did", DID]).ok();
        let other = TestRepo { home };
        let from = repo.home.path(from);
        let refs = other.pds(["blob", "put", &from]).ok();
        assert_eq!(refs.lines().count(), 2, "{refs}");
        assert!(refs.contains(blob.trim()), "{refs}");
        assert_eq!(other.pds(["blob", "ls"]).ok(), repo.pds(["blob", "ls"]).ok());
    }
    // A file whose bytes are not those of its name is reported, and the others are stored.
    repo.home.write(&format!("{dir}/{}", cids[0]), "damaged");
    let home = Home::new();
    home.pds(["init", "alice", "--did", DID]).ok();
    let ended = home.pds(["-R", "alice", "blob", "put", &repo.home.path("out")]).ended();
    assert_eq!((ended.code(), ended.text().lines().count()), (6, 1));
    assert!(ended.stderr.contains(&format!("{} is not stored: its bytes hash to ", cids[0])));
    let one = repo.home.path(&format!("{dir}/{}", cids[0]));
    home.pds(["-R", "alice", "blob", "put", &one]).fails(3);
    // Blobs that are not there are listed.
    std::fs::remove_dir_all(repo.home.path("alice/blobs")).unwrap();
    let ended = repo.pds(["blob", "export", "none"]).ended();
    assert_eq!(ended.code(), 6);
    assert!(ended.stderr.contains("is not stored: at://"), "{}", ended.stderr);
    let car = repo.export("backup.car");
    repo.home.pds(["-R", &car, "blob", "export", "none"]).fails(2);
}

#[test]
fn a_new_key_is_a_file_and_nothing_else() {
    let home = Home::new();
    for curve in ["k256", "p256"] {
        let file = format!("{curve}.key");
        let did_key = home.pds(["key", "new", &file, "--curve", curve]).ok();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(home.path(&file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let before = home.read(&file);
        let said = home.pds(["key", "new", &file]).fails(1);
        assert!(said.contains("exists"), "{said}");
        assert_eq!(home.read(&file), before);
        home.pds(["init", curve, "--did", DID, "--key", &file]).ok();
        assert_eq!(home.pds(["-R", curve, "key", "show"]).ok(), did_key);
    }
    assert_eq!(home.list("."), ["k256", "k256.key", "p256", "p256.key"]);
    // A key file among the parts of a repository would be its key.
    std::fs::remove_file(home.path("k256/key")).unwrap();
    home.pds(["key", "new", "k256/key"]).fails(1);
}

#[test]
fn a_tid_has_the_time_that_was_given() {
    let home = Home::new();
    let tid = |args: &[&str]| home.pds(["tid"].iter().chain(args).copied()).ok().trim().to_owned();
    let day = tid(&["--time", "2023-06-30"]);
    assert_eq!(day, tid(&["--time", "2023-06-30T00:00:00Z"]));
    assert_eq!(day, tid(&["--time", "2023-06-30T02:00:00+02:00"]));
    assert_eq!(day, tid(&["--time", "1688083200000000"]));
    assert_eq!(day, tid(&["--time", "2023-06-30T00:00"]));
    assert!(tid(&["--time", "2 days ago"]) < tid(&["--time", "yesterday"]));
    assert!(tid(&["--time", "yesterday"]) < tid(&["--time", "now"]));
    let shown = tid(&[&day]);
    assert!(shown.contains("time     2023-06-30T00:00:00Z") && shown.contains("clock    0"));
    assert_eq!(tid(&["--time", "1688137381887007", "--clock-id", "6"]), "3jzfcijpj2z2a");
    assert!(tid(&[&tid(&["--clock-id", "7"])]).ends_with("clock    7"));
    for wrong in ["soon", "2023-13-01", "-1", "9007199254740992"] {
        home.pds(["tid", "--time", wrong]).fails(2);
    }
    home.pds(["tid", "--clock-id", "1024"]).fails(2);
    home.pds(["tid", &day, "--time", "2023-06-30"]).fails(2);
}

#[test]
fn many_deletions_in_one_commit_stay_within_bounds() {
    let repo = TestRepo::new();
    for n in 0..4 {
        repo.pds(["apply"]).stdin(creations(n * 10_000..(n + 1) * 10_000)).ended().done();
    }
    let ended = repo.pds(["rm", "com.example.note", "--yes"]).ended();
    assert_eq!(ended.done().lines().count(), 40_000);
    assert!(ended.peak_kib < 120 * 1024, "{} kB", ended.peak_kib);
    assert_eq!(repo.pds(["ls"]).ok(), "");
}
