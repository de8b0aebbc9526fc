//! `export --format csv`.

use std::fs::File;

use super::{odd_car, varied};
use crate::common::{DID, Home, TestRepo, say};

/// The rows of a CSV file, the names of the columns first.
fn rows(home: &Home, name: &str) -> Vec<Vec<String>> {
    let file = File::open(home.path(name)).unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let text = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    reader.records().map(|row| text(row.unwrap())).collect()
}

/// The cells of a column, by its name.
fn column<'r>(rows: &'r [Vec<String>], name: &str) -> Vec<&'r str> {
    let at = rows[0].iter().position(|column| column == name).unwrap();
    rows[1..].iter().map(|row| row[at].as_str()).collect()
}

#[test]
fn every_collection_is_a_file_with_its_fields_as_columns() {
    let repo = varied();
    let ended = repo.pds(["export", "--format", "csv", "-o", &repo.home.path("out")]).ended();
    assert_eq!((ended.done(), &*ended.stderr), (String::new(), "3 files, 6 records\n"));
    let files = ["com.example-b.note.csv", "com.example.note%54wo.csv", "com.example.note.csv"];
    assert_eq!(repo.home.list("out"), files);
    let found = rows(&repo.home, "out/com.example.note.csv");
    let columns =
        "uri cid rkey created_at text $type bytes big deep.is deep.a\\.b deep.list n createdAt";
    assert_eq!(found[0], columns.split(' ').collect::<Vec<_>>());
    assert_eq!(column(&found, "rkey"), ["-x:~._", "3jzfcijpj2z2a", "A", "a"]);
    let texts = ["\u{202e}\u{7} ünï 🐈", "a, \"b\"\nc", "=1+1", "plain"];
    assert_eq!(column(&found, "text"), texts);
    assert_eq!(column(&found, "deep.list"), ["", "", "[1,{}]", ""]);
    assert_eq!(column(&found, "bytes"), ["AQID", "", "", ""]);
    assert_eq!(column(&found, "big"), ["", "9007199254740993", "", ""]);
    let times = ["", "2023-06-30T15:03:01.887007Z", "", "2024-02-03T04:05:06Z"];
    assert_eq!(column(&found, "created_at"), times);
    assert_eq!(column(&found, "uri")[3], format!("at://{DID}/com.example.note/a"));
    let two = rows(&repo.home, "out/com.example.note%54wo.csv");
    assert_eq!(column(&two, ".uri"), ["at://x"]);
    assert_eq!(column(&two, ".cid"), ["no"]);
    let said = repo.pds(["export", "--format", "csv", "-o", &repo.home.path("out")]).fails(1);
    assert!(said.ends_with("hint: name another directory\n"), "{said}");
}

#[test]
fn one_collection_is_a_file_or_standard_output() {
    let repo = varied();
    let args = ["export", "--format", "csv", "-c", "com.example.note"];
    let printed = repo.pds(args).ended();
    assert_eq!((printed.code(), &*printed.stderr), (0, ""));
    let file = repo.home.path("notes.csv");
    repo.pds(args.into_iter().chain(["-o", &file])).ended().done();
    assert_eq!(repo.home.read("notes.csv"), printed.stdout);
    assert!(printed.stdout.ends_with(b"\r\n"));
    let said = repo.pds(args.into_iter().chain(["-o", &file, "--force", "--json"])).ok();
    assert!(said.ends_with("\"records\":4,\"rejected\":0}\n"), "{said}");
    let none = repo.pds(["export", "--format", "csv", "-c", "com.example.none"]).ended();
    assert_eq!((none.code(), &*none.stdout), (0, &b"uri,cid,rkey,created_at\r\n"[..]));
}

#[test]
fn guarded_cells_begin_with_an_apostrophe_and_numbers_do_not() {
    let repo = varied();
    let args = ["export", "--format", "csv", "-c", "com.example.note", "--guard", "-o"];
    repo.pds(args.into_iter().chain([repo.home.path("g.csv").as_str()])).ended().done();
    let found = rows(&repo.home, "g.csv");
    assert_eq!(column(&found, "text")[2], "'=1+1");
    assert_eq!(column(&found, "rkey")[0], "'-x:~._");
    assert_eq!(column(&found, "n")[3], "-5");
}

#[test]
fn records_without_cells_are_rejected() {
    let home = Home::new();
    odd_car(&home);
    let ended = home.pds(["-R", "odd.car", "export", "--format", "csv", "-o", "out/"]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    assert_eq!(home.list("."), ["odd.car", "out", "out.rejected"]);
    assert_eq!(rows(&home, "out/com.example.note.csv").len(), 3);
    let rejected = String::from_utf8(home.read("out.rejected")).unwrap();
    assert_eq!(rejected.lines().count(), 3);
}

#[test]
fn too_many_columns_are_cut_and_named() {
    let repo = TestRepo::new();
    let fields: Vec<String> = (0..1_200).map(|n| format!("\"f{n}\":{n}")).collect();
    let value = format!("{{{}}}", fields.join(","));
    repo.pds(["put", "com.example.wide/a"]).stdin(value).ok();
    let ended = repo.pds(["export", "--format", "csv", "-o", &repo.home.path("out")]).ended();
    assert_eq!(ended.code(), 6);
    assert!(
        ended.stderr.starts_with("com.example.wide has more than 1000 columns"),
        "{}",
        ended.stderr
    );
    let found = rows(&repo.home, "out/com.example.wide.csv");
    assert_eq!((found[0].len(), found[1].len()), (1_004, 1_004));
}

/// Reads a file with the module of Python, in which a cell may have any line break.
const READ: &str = "import csv, json, sys
rows = list(csv.reader(open('out/com.example.note.csv', newline='', encoding='utf-8'), strict=True))
print(json.dumps(rows, ensure_ascii=True))";

#[test]
fn python_reads_the_same_cells() {
    let repo = varied();
    repo.pds(["export", "--format", "csv", "-o", &repo.home.path("out")]).ended().done();
    let found = repo.home.command("python3").args(["-c", READ]).output();
    let Some(found) = found.ok().filter(|found| found.status.success()) else {
        say("skipped: no python3");
        return;
    };
    let read: Vec<Vec<String>> = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(read, rows(&repo.home, "out/com.example.note.csv"));
}

#[test]
fn an_export_that_is_refused_removes_what_a_killed_one_has_left() {
    let repo = TestRepo::new();
    repo.pds(["put", "com.example.note/a"]).stdin("{\"text\":\"x\"}").ended().done();
    repo.pds(["export", "--format", "csv", "-o", "tables"]).ended().done();
    // The last step of the killed run had already moved the files.
    std::fs::create_dir(repo.home.path(".pds-export-abc")).unwrap();
    let refused = repo.pds(["export", "--format", "csv", "-o", "tables"]).ended();
    assert_eq!(refused.code(), 1, "{}", refused.stderr);
    assert_eq!(repo.home.list("."), ["alice", "tables"]);
}
