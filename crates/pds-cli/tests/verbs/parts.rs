//! Partial repositories, and options that exclude each other.

use pds::mst::{Node, Position};

use crate::common::{Car, Home, TestRepo, note};

/// A file without one of the lowest tree nodes.
fn with_a_gap() -> Car {
    let records = (0..50).map(|n| (format!("com.example.note/{n:02}").into_bytes(), note("x")));
    let mut car = Car::of(records);
    let is_lowest = |car: &Car, at: usize| {
        let block = &car.blocks[at];
        Node::read(block.cid(), block.bytes(), Position::Child { level: 0 }).is_ok()
    };
    let lowest = (0..car.blocks.len()).find(|at| is_lowest(&car, *at)).unwrap();
    car.blocks.remove(lowest);
    car
}

#[test]
fn a_partial_repository_is_shown_and_its_gaps_are_named() {
    let home = Home::new();
    home.write("part.car", with_a_gap().file());
    for args in [&["ls"][..], &["ls", "--all"], &["ls", "com.example.note"], &["info"]] {
        let args = [&["-R", "part.car"], args].concat();
        let ended = home.pds(args.iter().copied()).ended();
        assert_eq!(ended.code(), 6, "{args:?}: {}", ended.stderr);
        assert!(ended.text().contains("com.example.note") || ended.text().contains("\tbafyrei"));
        assert!(ended.stderr.starts_with("tree node bafyrei"), "{}", ended.stderr);
        assert!(
            ended.stderr.ends_with(" is missing, with everything below it\n"),
            "{}",
            ended.stderr
        );
    }
    let all = home.pds(["-R", "part.car", "ls", "--all"]).ended().text();
    let shown = all.lines().count();
    assert!((1..50).contains(&shown), "{shown}");
    let last = home.pds(["-R", "part.car", "ls", "com.example.note", "--reverse", "--limit", "1"]);
    assert!(last.ended().text().starts_with("49\t"));
    assert_eq!(home.pds(["verify", "part.car"]).ended().code(), 1);
    home.pds(["verify", "part.car", "--partial"]).ok();
}

#[test]
fn ls_refuses_options_that_it_would_not_follow() {
    let repo = TestRepo::with_notes();
    for args in [
        &["ls", "--after", "a"][..],
        &["ls", "--all", "--after", "a"],
        &["ls", "-l"],
        &["ls", "com.example.note", "--all"],
    ] {
        assert!(repo.pds(args.iter().copied()).fails(2).starts_with("error: "), "{args:?}");
    }
    assert_eq!(repo.pds(["ls", "--limit", "0"]).ok(), "");
}

#[test]
fn apply_refuses_what_it_would_pass_over() {
    let repo = TestRepo::new();
    for (line, said) in [
        (
            r#"{"action":"create","collection":"com.example.note","rky":"a","value":{}}"#,
            "unknown field",
        ),
        (
            r#"{"action":"delete","collection":"com.example.note","rkey":"a","value":{}}"#,
            "must not have a value",
        ),
    ] {
        let error = repo.pds(["apply"]).stdin(line).fails(3);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_reset_to_where_head_stands_is_no_move() {
    let repo = TestRepo::with_notes();
    let moves = repo.json_lines(["reflog"]).len();
    repo.pds(["reset", "HEAD"]).ok();
    assert_eq!(repo.json_lines(["reflog"]).len(), moves);
    let (commit, _) = repo.head();
    for name in [commit.as_str(), "3jzfcijpj2z2a"] {
        let said = repo.pds(["ref", "set", name, "HEAD"]).fails(1);
        assert!(said.contains("a ref name must not be a CID or a rev"), "{said}");
    }
}

#[test]
fn a_mirror_expects_the_key_that_it_knows_until_another_is_named() {
    let repo = TestRepo::with_notes();
    let file = repo.export("one.car");
    let key = repo.pds(["key", "show"]).ok();
    repo.home.pds(["clone", &file, "mirror", "--key", key.trim_end()]).ok();
    let forged = Car::of([(b"com.example.note/a".to_vec(), note("forged"))]);
    let forged = repo.home.write("forged.car", forged.file());
    let import = |args: &[&str]| {
        let args = [&["-R", "mirror", "import"], args].concat();
        repo.home.pds(args.iter().copied())
    };
    assert!(import(&[&forged]).fails(1).contains("signature-invalid"));
    repo.put("new", "new");
    let file = repo.export("two.car");
    import(&[&file, "--key", key.trim_end()]).ok();
    repo.home.pds(["-R", "mirror", "verify"]).ok();
}
