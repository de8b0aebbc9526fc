//! From an empty directory to a verified backup.

use pds::car::CarReader;
use pds::data::{Block, Value};
use pds::mst::Builder;

use crate::common::{TestRepo, creation};

#[test]
fn a_thousand_writes_and_a_hundred_deletions_leave_the_tree_of_what_remains() {
    let repo = TestRepo::new();
    let lines: String = (0..1000).map(|n| creation(&rkey(n), &format!("note {n}"))).collect();
    let said = repo.pds(["apply", "--batch", "100"]).stdin(lines).ok();
    assert_eq!(said.lines().count(), 1000);
    let (removed, kept): (Vec<usize>, Vec<usize>) = (0..1000).partition(|n| n % 10 == 3);
    let paths: Vec<String> =
        removed.iter().map(|n| format!("com.example.note/{}", rkey(*n))).collect();
    let said = repo.pds(["rm"].into_iter().chain(paths.iter().map(String::as_str))).ok();
    assert_eq!(said.lines().count(), 100);

    let file = repo.export("backup.car");
    let key = repo.pds(["key", "show"]).ok();
    let said = repo.home.pds(["verify", &file, "--key", key.trim_end()]).ok();
    assert!(said.contains(", 900 records, "), "{said}");
    assert!(said.contains(", complete, signature valid, 0 errors, 0 warnings"), "{said}");

    // The same records, in one go and by nothing of the binary.
    let mut records: Vec<(String, Block)> = kept
        .iter()
        .map(|n| {
            (format!("com.example.note/{}", rkey(*n)), crate::common::note(&format!("note {n}")))
        })
        .collect();
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut builder = Builder::default();
    let mut nodes: Vec<Block> = Vec::new();
    for (path, record) in &records {
        builder.push(path.as_bytes(), record.cid(), |node| nodes.push(node)).unwrap();
    }
    let root = builder.finish(|node| nodes.push(node));
    assert_eq!(repo.json(["info"])["data"], root.to_string());

    // The file has these nodes and records and a commit, and nothing else.
    let car = CarReader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mut found: Vec<Block> = car.collect::<Result<_, _>>().unwrap();
    let commit = found.remove(0);
    let commit = Value::decode(commit.bytes()).unwrap();
    assert_eq!(commit.get("data"), Some(&Value::Link(root)));
    let mut expected: Vec<Block> =
        nodes.into_iter().chain(records.into_iter().map(|(_, record)| record)).collect();
    found.sort_by_key(Block::cid);
    expected.sort_by_key(Block::cid);
    assert!(found == expected);
}

#[test]
fn a_backup_of_a_backup_is_the_same_file() {
    let repo = TestRepo::with_many_notes(200);
    let file = repo.export("one.car");
    repo.home.pds(["clone", &file, "copy"]).ok();
    repo.home.pds(["-R", "copy", "export", "-o", "two.car"]).ended().done();
    repo.home.pds(["-R", "two.car", "export", "-o", "three.car"]).ended().done();
    let one = repo.home.read("one.car");
    assert!(one == repo.home.read("two.car") && one == repo.home.read("three.car"));
    repo.home.pds(["diff", "one.car", "three.car"]).ok();
}

/// Keys in another order than their numbers.
fn rkey(n: usize) -> String {
    format!("r{:03}-{n}", (n * 577) % 1000)
}
