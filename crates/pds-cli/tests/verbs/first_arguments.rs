//! The CAR file or the repository as the first argument of verbs that read.

use crate::common::{FORMS, TestRepo};

#[test]
fn reading_verbs_accept_the_place_first() {
    let repo = TestRepo::with_notes();
    repo.export("b.car");
    repo.home.sh("gzip -k b.car && cp b.car.gz compressed").ok();
    let pds = |args: &[&str]| repo.home.pds(args.iter().copied());
    for place in ["b.car", "b.car.gz", "compressed", "./b.car", "alice", "./alice", "alice/"] {
        for verb in [
            &["ls", place][..],
            &["ls", place, "com.example.note"],
            &["ls", "-l", place, "com.example.note", "--limit", "2"],
            &["ls", "--limit", "2", place, "com.example.note"],
            &["get", place, "com.example.note/a"],
            &["get", "--at", "HEAD", place, "com.example.note/a"],
            &["--json", "get", place, "com.example.note/a"],
            &["info", place],
            &["log", place, "-n1"],
            &["log", "-n", "1", place],
            &["log", place, "com.example.note/a"],
            &["show", place, "HEAD"],
            &["show", place],
            &["mst", "--depth=1", place],
            &["blob", "ls", place],
        ] {
            // A word alone after `show` is a state, unless it has the form of a path.
            if verb == ["show", "compressed"] {
                continue;
            }
            let named: Vec<&str> = verb.iter().copied().filter(|word| *word != place).collect();
            let expected = match verb {
                ["show", _] => pds(&["-R", place, "show", "HEAD"]).ok(),
                _ => pds(&[&["-R", place], &named[..]].concat()).ok(),
            };
            assert_eq!(pds(verb).ok(), expected, "{verb:?}");
        }
    }
    assert_eq!(pds(&["export", "alice"]).ended().stdout, repo.home.read("b.car"));
    let out = |n: u8| format!("out{n}/");
    assert_eq!(pds(&["unpack", "b.car", &out(1)]).ok(), "3\n");
    assert_eq!(pds(&["unpack", "alice", &out(2), "--at", "HEAD^"]).ok(), "2\n");
    // One argument is the directory to write to.
    assert_eq!(repo.pds(["unpack", &out(3)]).ok(), "3\n");
    assert_eq!(pds(&["blob", "missing", "alice"]).ok(), "");
}

#[test]
fn a_place_that_is_named_twice_is_refused() {
    let repo = TestRepo::with_notes();
    repo.export("b.car");
    for args in [&["-R", "alice", "ls", "b.car"][..], &["ls", "b.car", "--repo=alice"]] {
        let said = repo.home.pds(args.iter().copied()).fails(2);
        let message =
            "the repository is named twice, by --repo alice and by b.car; leave one of them out";
        assert!(said.starts_with(&format!("error: {message}\n")), "{said}");
    }
    // The variable is only a default.
    let listed = repo.home.pds(["ls", "b.car"]).env("PDS_REPO", "nowhere").ok();
    assert_eq!(listed, "com.example.note\t3\n");
    let said = repo.home.pds(["ls", "gone.car"]).fails(3);
    assert!(said.starts_with("error: no repository in gone.car\n"), "{said}");
    let said = repo.home.pds(["ls", "./gone"]).fails(3);
    assert!(said.starts_with("error: no "), "{said}");
}

#[test]
fn records_collections_refs_and_states_are_no_places() {
    let repo = TestRepo::with_notes();
    repo.export("old.car");
    repo.put("d", "d");
    repo.export("new.car");
    // A directory with the name of a collection, and a collection that ends as a file does.
    repo.home.pds(["clone", "old.car", "com.example.note"]).ok();
    repo.pds(["put", "com.example.car/x"]).stdin("{}").ok();
    assert_eq!(repo.pds(["ls", "com.example.note"]).ok().lines().count(), 4);
    assert_eq!(repo.pds(["ls", "com.example.car"]).ok().lines().count(), 1);
    let diff = repo.home.pds(["diff", "old.car", "new.car"]).ended();
    assert!(diff.code() == 1 && diff.text().starts_with("+ com.example.note/d "));
    repo.home.pds(["verify", "old.car"]).ok();
    let inside =
        |args: &[&str]| repo.home.pds(args.iter().copied()).within(repo.home.dir().join("alice"));
    assert_eq!(inside(&["ls", "--", "com.example.note"]).ok().lines().count(), 4);
    inside(&["get", "at://did:web:alice.example.com/com.example.note/a"]).ok();
    // A ref of the same spelling wins.
    repo.home.sh("cp old.car alice/side.car && cp -r com.example.note alice/side").ok();
    assert_eq!(inside(&["log", "-n9", "side"]).ok().lines().count(), 1);
    inside(&["ref", "set", "side.car", "HEAD"]).ok();
    inside(&["show", "side.car"]).ok();
    assert_eq!(inside(&["show", "side.car"]).ok(), inside(&["show", "HEAD"]).ok());
    assert_eq!(inside(&["ls", "./side.car"]).ok(), "com.example.note\t3\n");
    let said = inside(&["show", "nowhere"]).fails(1);
    assert!(said.ends_with(FORMS), "{said}");
}

#[test]
fn unpack_of_a_file_needs_a_directory_too() {
    let repo = TestRepo::with_notes();
    repo.export("b.car");
    for run in [repo.home.pds(["unpack", "b.car"]), repo.pds(["unpack", &repo.home.path("b.car")])]
    {
        let said = run.fails(2);
        assert!(said.contains("b.car is a file, not a directory to write to\n"), "{said}");
        assert!(said.ends_with("hint: the form is: pds unpack FILE.car DIR\n"), "{said}");
    }
}

#[test]
fn an_empty_argument_names_no_repository() {
    let repo = TestRepo::with_notes();
    for verb in ["ls", "show", "mst", "stats", "info"] {
        let said = repo.home.pds([verb, ""]).within(repo.home.path("alice")).fails(2);
        assert!(said.contains("''") || said.contains("an empty argument"), "{verb}: {said}");
    }
}

#[test]
fn a_word_that_a_listing_cannot_use_names_the_command_that_can() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "s.car", "HEAD"]).ok();
    repo.export("s.car");
    for (line, hint) in [
        ("ls com.example.note/one", "pds get com.example.note/one prints the record"),
        ("ls HEAD^", "pds ls --at HEAD^ reads another state"),
        ("stats HEAD^", "pds stats --at HEAD^ reads another state"),
        ("mst HEAD^", "pds mst --at HEAD^ reads another state"),
        ("ls s.car", "a ref has this name; ./s.car names the file"),
        ("stats s.car", "a ref has this name; ./s.car names the file"),
    ] {
        let said = repo.pds(line.split(' ')).fails(2);
        assert!(said.ends_with(&format!("\nhint: {hint}\n")), "{line}: {said}");
    }
    // The value of an option is no such word.
    let said = repo.pds(["ls", "--limit", "x"]).fails(2);
    assert!(said.contains("hint: the form is pds ls "), "{said}");
}

#[test]
fn a_proof_reads_the_state_before_a_colon() {
    let repo = TestRepo::with_notes();
    let before = repo.json(["get", "com.example.note/a"])["cid"].clone();
    repo.put("a", "changed");
    let path = repo.home.path("old.car");
    let proof = repo.json(["prove", "HEAD^:com.example.note/a", "-o", &path]);
    assert_eq!(proof["cid"], before);
    let twice = ["prove", "HEAD^:com.example.note/a", "--at", "HEAD", "-o", "x.car"];
    let said = repo.pds(twice).fails(2);
    assert!(said.starts_with("error: the state is named twice, "), "{said}");
}

#[test]
fn ls_accepts_a_slash_and_the_uri_of_a_collection() {
    let repo = TestRepo::with_notes();
    let expected = repo.pds(["ls", "com.example.note"]).ok();
    let uri = "at://did:web:alice.example.com/com.example.note";
    for name in ["com.example.note/", uri, &format!("{uri}/")] {
        assert_eq!(repo.pds(["ls", name]).ok(), expected, "{name}");
        let within = repo.home.pds(["ls", name]).within(repo.home.path("alice"));
        assert_eq!(within.ok(), expected, "{name}");
    }
    let said = repo.pds(["ls", "at://did:web:other.example.com/com.example.note"]).fails(1);
    assert!(said.contains("did:web:other.example.com"), "{said}");
}
