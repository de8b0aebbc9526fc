//! `pds recover` on damaged CAR files.

use std::collections::BTreeSet;

use crate::common::{DID, TestRepo, masked};

fn listed(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| line.contains('\t')).collect()
}

#[test]
fn a_whole_file_is_listed_and_written_as_it_is() {
    let repo = TestRepo::with_many_notes(50);
    let good = repo.export("good.car");
    let ended = repo.home.pds(["recover", &good]).ok();
    assert_eq!(listed(&ended), listed(&repo.pds(["ls", "--all"]).ok()));
    assert!(
        ended.ends_with("whole: 50 records, 0 unplaced, 0 without a path, 0 lost\n"),
        "{ended}"
    );
    repo.home.pds(["recover", &good, "-o", "out.car"]).ok();
    assert_eq!(repo.home.read("out.car"), repo.home.read("good.car"));
    let said = repo.home.pds(["recover", &good, "-o", "out.car"]).fails(1);
    assert!(said.contains("out.car exists"), "{said}");
    repo.home.pds(["recover", &good, "-o", "out.car", "--force"]).ok();
}

#[test]
fn a_cut_file_gives_what_stands_before_the_cut() {
    let repo = TestRepo::with_many_notes(200);
    repo.export("good.car");
    let (car, all) = (repo.home.read("good.car"), repo.pds(["ls", "--all"]).ok());
    let mut before = 0;
    for tenth in 1..10 {
        let cut = repo.home.write("cut.car", &car[..car.len() * tenth / 10]);
        let ended = repo.home.pds(["recover", &cut]).ended();
        let text = ended.text();
        assert_eq!(ended.code(), 6, "{tenth}: {}", ended.stderr);
        assert!(listed(&text).is_subset(&listed(&all)), "{tenth}: {text}");
        assert!(listed(&text).len() >= before, "{tenth}");
        before = listed(&text).len();
        assert!(text.contains("lost the records ") || text.contains("lost com."), "{text}");
    }
    assert!(before > 150, "{before}");
}

#[test]
fn records_are_written_as_files_and_the_rest_beside_them() {
    let repo = TestRepo::with_notes();
    repo.export("good.car");
    let car = repo.home.read("good.car");
    // The last record loses its last byte.
    let cut = repo.home.write("cut.car", &car[..car.len() - 1]);
    let ended = repo.home.pds(["recover", &cut, "out"]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    assert_eq!(
        masked(&ended.text()),
        "lost com.example.note/c: <cid 1>\n\
         partly recovered: 2 records, 0 unplaced, 0 without a path, 1 lost, 1 damaged place\n"
    );
    assert!(ended.stderr.contains("the file ends in the middle of a section"), "{}", ended.stderr);
    repo.pds(["unpack", &repo.home.path("whole")]).ok();
    let records = format!("{DID}/com.example.note");
    assert_eq!(repo.home.list(&format!("out/{records}")), ["a.json", "b.json"]);
    for name in ["a.json", "b.json", "../_commit.json"] {
        let [out, whole] =
            ["out", "whole"].map(|dir| repo.home.read(&format!("{dir}/{records}/{name}")));
        assert_eq!(out, whole, "{name}");
    }
    assert_eq!(repo.home.list("out"), [DID]);
    let said = repo.home.pds(["recover", &cut, "out"]).ended();
    assert!(said.code() == 1 && said.stderr.contains("exists"), "{}", said.stderr);
}

#[test]
fn a_file_without_its_head_still_has_its_repository() {
    let repo = TestRepo::with_many_notes(100);
    let good = repo.export("good.car");
    let car = repo.home.read("good.car");
    // Header and commit are gone, and the start of the root.
    let headless = repo.home.write("headless.car", &car[500..]);
    let ended = repo.home.pds(["recover", &headless, "out", "-o", "out.car"]).ended();
    let text = ended.text();
    assert_eq!(ended.code(), 6, "{text}{}", ended.stderr);
    assert!(text.lines().count() > 2 && text.contains("lost the commit: -\n"), "{text}");
    let names = repo.home.list("out/unknown-account");
    assert!(names.contains(&"com.example.note".to_owned()), "{names:?}");
    assert!(repo.home.list("out/unknown-account/com.example.note").len() > 80, "{text}");
    // In the other direction, nothing is missing.
    repo.home.pds(["recover", &good, "--from", &headless]).ended().done();
}

#[test]
fn another_copy_fills_the_holes() {
    let repo = TestRepo::with_many_notes(200);
    repo.export("good.car");
    let car = repo.home.read("good.car");
    let half = car.len() / 2;
    let mut bad = car.clone();
    bad[half..half + 3_000].fill(0x20);
    let bad = repo.home.write("bad.car", bad);
    let alone = repo.home.pds(["recover", &bad]).ended();
    assert_eq!(alone.code(), 6);
    // Blocks after the hole are read, too.
    assert!(listed(&alone.text()).len() > 150, "{}", alone.text());
    let late = repo.home.write("late.car", &car[half - 2_000..]);
    let ended = repo.home.pds(["recover", &bad, "--from", &late, "-o", "out.car"]).ended();
    assert_eq!(ended.code(), 0, "{}{}", ended.text(), ended.stderr);
    assert_eq!(repo.home.read("out.car"), car);
}

#[test]
fn a_file_with_nothing_in_it_is_bad_input() {
    let repo = TestRepo::new();
    for (bytes, why) in [
        (&b""[..], " is empty"),
        (b"hello", " is a text file, not a CAR file"),
        (&[0x20; 100_000], " is a text file, not a CAR file"),
        (&[0; 100_000], " has no readable block"),
    ] {
        let file = repo.home.write("bad.car", bytes);
        let ended = repo.home.pds(["recover", &file]).ended();
        assert_eq!((ended.code(), ended.text()), (3, String::new()));
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}

/// Returns a file with the blocks of two exports, whose header names the first, and the second export.
fn two_states(repo: &TestRepo) -> (String, String) {
    let old = repo.home.read(&name_of(&repo.export("old.car")));
    repo.put("d", "new");
    repo.put("a", "changed");
    let new = repo.home.read(&name_of(&repo.export("new.car")));
    let header = 1 + usize::from(new[0]);
    let both = repo.home.write("both.car", [&old[..], &new[header..]].concat());
    (both, repo.home.path("new.car"))
}

fn name_of(path: &str) -> String {
    std::path::Path::new(path).file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_newest_state_is_recovered_even_if_the_header_names_an_older_one() {
    let repo = TestRepo::with_notes();
    let (both, _) = two_states(&repo);
    let all = repo.pds(["ls", "--all"]).ok();
    let ended = repo.home.pds(["recover", &both, "out", "-o", "out.car"]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("the header names commit bafyrei"), "{}", ended.stderr);
    let text = masked(&ended.text());
    assert!(
        text.contains(": 4 records, 0 lost\n") && text.contains(": 3 records, 0 lost\n"),
        "{text}"
    );
    assert!(text.ends_with("whole: 4 records at rev <tid 1>, 1 in other states only, 0 unplaced, 0 without a path, 0 lost\n"), "{text}");
    let listed_now = repo.home.pds(["recover", &both]).ended().text();
    assert!(listed(&all).is_subset(&listed(&listed_now)), "{listed_now}");
    // The earlier version of the changed record.
    let old = listed(&listed_now).into_iter().find(|line| line.contains(":com.example.note/a\t"));
    let (rev, _) = old.unwrap().split_once(':').unwrap();
    let names = repo.home.list(&format!("out/{DID}/_other-states/{rev}/com.example.note"));
    assert_eq!(names, ["a.json"]);
    assert_eq!(repo.home.list(&format!("out/{DID}/com.example.note")).len(), 4);
    // The file that is written has both states, and its header names the newest.
    let written = repo.home.pds(["ls", "--all", "-R", "out.car"]).ok();
    assert_eq!(written, all);
    let json = repo.home.pds(["recover", "out.car", "--json"]).ended().done();
    assert!(json.contains("\"inState\":{") && json.contains("\"state\":{"), "{json}");
}

#[test]
fn a_newest_state_without_its_tree_leaves_the_records_of_the_state_before() {
    let repo = TestRepo::with_notes();
    let (_, new) = two_states(&repo);
    let blocks = pds::car::CarFile::open(std::fs::File::open(&new).unwrap()).unwrap();
    let data = {
        let root = pds::data::Blocks::get(&blocks, &blocks.roots()[0]).unwrap().unwrap();
        pds::commit::Commit::decode(&root).unwrap().data()
    };
    let mut both = repo.home.read("both.car");
    let at = both.windows(36).rposition(|bytes| bytes == data.as_bytes()).unwrap();
    both[at + 40] ^= 1;
    let both = repo.home.write("both.car", both);
    let ended = repo.home.pds(["recover", &both]).ended();
    let text = ended.text();
    assert_eq!(ended.code(), 6, "{text}");
    assert!(text.contains(&format!(": all records: {data}\n")), "{text}");
    assert!(text.contains("partly recovered: 3 records at rev "), "{text}");
    let elsewhere = text.matches("without-path ").count() + text.matches("unplaced ").count();
    assert_eq!(elsewhere, 2, "{text}");
}

#[test]
fn the_records_of_whole_real_files_are_those_that_verify_counts() {
    let Some(fixtures) = crate::common::fixtures() else { return };
    let (home, mut whole) = (crate::common::Home::new(), 0);
    for entry in std::fs::read_dir(fixtures.join("cars")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.to_str().unwrap();
        if !name.ends_with(".car") {
            continue;
        }
        let json = |verb: &str| -> serde_json::Value {
            let text = home.pds([verb, name, "--json"]).ended().text();
            serde_json::from_str(text.lines().last().unwrap()).unwrap()
        };
        let verified = json("verify");
        if verified["ok"] != true {
            continue;
        }
        whole += 1;
        let recovered = json("recover");
        assert_eq!(recovered["records"], verified["records"], "{name}");
        assert_eq!(recovered["ok"], true, "{name}");
        assert_eq!(recovered["commit"]["cid"], verified["commit"], "{name}");
    }
    assert!(whole > 5, "{whole}");
}

#[test]
fn another_place_gives_the_missing_blocks_of_every_state() {
    let repo = TestRepo::with_notes();
    let both = newest_named(&repo);
    let whole = repo.home.pds(["recover", &both]).ended().done();
    let (file, old) = (repo.home.read("both.car"), repo.home.path("old.car"));
    // Every block of the older state is lost, except for its commit.
    let header = 1 + usize::from(file[0]);
    let commit = header + section_len(&file[header..]);
    let new = repo.home.read("new.car");
    let new = &new[1 + usize::from(new[0])..];
    let left = repo.home.write("left.car", [&file[..commit], new].concat());
    assert_eq!(repo.home.pds(["recover", &left]).ended().code(), 0, "an earlier commit alone");
    let mended = repo.home.pds(["recover", &left, "--from", &old, "-o", "mended.car"]).ended();
    assert!(whole.ends_with(&mended.done()));
    assert_eq!(repo.home.pds(["recover", "mended.car"]).ended().done(), whole);
}

/// As `two_states`, with a header that names the newer one.
fn newest_named(repo: &TestRepo) -> String {
    two_states(repo);
    let (both, new) = (repo.home.read("both.car"), repo.home.read("new.car"));
    let header = 1 + usize::from(new[0]);
    repo.home.write("both.car", [&new[..header], &both[header..]].concat())
}

/// Returns the length of a section with a short length prefix.
fn section_len(bytes: &[u8]) -> usize {
    let (low, high) = (usize::from(bytes[0]), usize::from(bytes[1]));
    if low < 0x80 { low + 1 } else { (low & 0x7f) + (high << 7) + 2 }
}

#[test]
fn a_file_with_a_damaged_older_state_is_not_whole() {
    let repo = TestRepo::with_notes();
    let both = newest_named(&repo);
    let good = repo.home.read("both.car");
    let header = 1 + usize::from(good[0]);
    let root = header + section_len(&good[header..]);
    let mut bad = good.clone();
    bad[root + section_len(&good[root..]) - 3] ^= 1;
    let bad = repo.home.write("bad.car", bad);
    let ended = repo.home.pds(["recover", &bad]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.text());
    assert!(ended.text().contains("\npartly recovered: 4 records at rev "), "{}", ended.text());
    assert!(ended.text().ends_with(" 0 lost, 1 damaged place\n"), "{}", ended.text());
    let json = repo.home.pds(["recover", &bad, "--json"]).ended().text();
    assert!(json.contains("\"damaged\":1,") && json.contains("\"ok\":false"), "{json}");
    let mended = repo.home.pds(["recover", &bad, "--from", &both, "-o", "mended.car"]).ended();
    assert!(mended.done().ends_with(", 0 lost\n"));
    assert_eq!(repo.home.pds(["recover", "mended.car"]).ended().code(), 0);
}

#[test]
fn a_file_that_is_cut_after_the_last_known_block_is_not_whole() {
    let repo = TestRepo::with_notes();
    repo.export("good.car");
    let good = repo.home.read("good.car");
    let header = 1 + usize::from(good[0]);
    let more = repo.home.write("more.car", [&good[..], &good[header..header + 60]].concat());
    let ended = repo.home.pds(["recover", &more]).ended();
    assert_eq!(ended.code(), 6, "{}{}", ended.text(), ended.stderr);
}

#[test]
fn earlier_commits_without_their_trees_are_no_damage() {
    let repo = TestRepo::with_notes();
    let file = repo.home.path("chain.car");
    assert_eq!(repo.pds(["export", "--chain", "-o", &file]).ended().code(), 0);
    let ended = repo.home.pds(["recover", &file]).ended();
    assert!(ended.done().contains(": the commit without its tree\n"));
}

#[test]
fn records_of_two_states_with_one_rev_have_their_own_directories() {
    let home = crate::common::Home::new();
    let key = |name: &str| format!("com.example.note/{name}").into_bytes();
    let cars = ["x", "y"].map(|text| {
        let record = crate::common::note(text);
        crate::common::Car::of([(key("a"), record)]).file()
    });
    let header = 1 + usize::from(cars[1][0]);
    home.write("eq.car", [&cars[0][..], &cars[1][header..]].concat());
    let listed_all = home.pds(["recover", "eq.car"]).ended().done();
    let other: Vec<&str> = listed_all.lines().filter(|line| line.contains(":com.")).collect();
    assert!(other.len() == 1 && other[0].starts_with("bafyrei"), "{listed_all}");
    let commit = other[0].split(':').next().unwrap();
    home.pds(["recover", "eq.car", "out"]).ended().done();
    let dir = format!("out/{DID}/_other-states");
    assert_eq!(home.list(&dir), [commit]);
    assert_eq!(home.list(&format!("{dir}/{commit}/com.example.note")), ["a.json"]);
}
