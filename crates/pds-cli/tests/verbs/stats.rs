//! `stats`.

use crate::common::{Car, Home, TestRepo, creations, masked, note};

/// A repository with records of known times.
fn dated() -> TestRepo {
    let repo = TestRepo::new();
    let line = |path: &str, time: &str, text: &str| {
        format!(
            "{{\"path\":\"{path}\",\"value\":{{\"createdAt\":\"{time}\",\"text\":\"{text}\"}}}}\n"
        )
    };
    let lines = [
        line("com.example.note/a", "2024-02-03T04:05:06+01:00", "a"),
        line("com.example.note/b", "2023-12-31T23:59:59Z", "longer"),
        line("com.example.note/3jzfcijpj2z2a", "no time", "by its key"),
        line("com.example.page/self", "2023-12-01T00:00:00Z", "a page of text"),
        line("com.example.page/other", "never", "undated"),
    ];
    repo.pds(["apply"]).stdin(lines.concat()).ok();
    repo
}

#[test]
fn stats_count_collections_months_and_the_largest_records() {
    let repo = dated();
    let lines = "\
        collection\tcom.example.note\t3\t193\t64\t<time 1>\t<time 2>\n\
        collection\tcom.example.page\t2\t128\t64\t<time 3>\t<time 3>\n\
        total\t5\t321\t64\t<time 1>\t<time 2>\n\
        month\t2023-06\t1\n\
        month\t2023-12\t2\n\
        month\t2024-02\t1\n\
        largest\tcom.example.page/self\t<cid 1>\t75\n\
        largest\tcom.example.note/a\t<cid 2>\t68\n\
        largest\tcom.example.note/b\t<cid 3>\t67\n\
        largest\tcom.example.note/<tid 1>\t<cid 4>\t58\n\
        largest\tcom.example.page/other\t<cid 5>\t53\n";
    let times = "\t2023-06-30T15:03:01Z\t2024-02-03T03:05:06Z\n";
    assert!(repo.pds(["stats"]).ok().lines().next().unwrap().ends_with(times.trim_end()));
    assert_eq!(masked(&repo.pds(["stats"]).ok()), format!("{lines}blobs\t0\t0\n"));
    repo.export("backup.car");
    assert_eq!(masked(&repo.home.pds(["-R", "backup.car", "stats"]).ok()), lines);
    let none = repo.pds(["stats", "--at", "HEAD~1"]).ok();
    assert_eq!(none, "total\t0\t0\t0\t-\t-\nblobs\t0\t0\n");
}

#[test]
fn stats_in_json_are_one_value() {
    let repo = dated();
    let blob = repo.home.write("blob", "hello");
    repo.pds(["blob", "put", &blob]).ok();
    let found = repo.json(["stats"]);
    let text = repo.pds(["stats", "--json"]).ok();
    let fields =
        ["blobs", "bytes", "collections", "commit", "largest", "months", "records", "unreadable"];
    let places = fields.map(|field| text.find(&format!("\"{field}\":")).unwrap());
    assert!(places.is_sorted_by_key(|at| *at) || found.as_object().unwrap().len() == fields.len());
    assert_eq!((&found["records"], &found["bytes"]), (&5.into(), &321.into()));
    assert_eq!(found["unreadable"], 0);
    assert_eq!(
        found["collections"][1],
        serde_json::json!({
            "bytes": 128, "collection": "com.example.page", "first": "2023-12-01T00:00:00Z",
            "last": "2023-12-01T00:00:00Z", "mean": 64, "records": 2, "unreadable": 0
        })
    );
    assert_eq!(found["months"][1], serde_json::json!({"month": "2023-12", "records": 2}));
    assert_eq!(found["largest"][0]["uri"], "at://did:web:alice.example.com/com.example.page/self");
    assert_eq!(found["largest"][0]["size"], 75);
    assert_eq!((&found["blobs"]["count"], &found["blobs"]["bytes"]), (&1.into(), &5.into()));
    assert_eq!(found["blobs"]["largest"]["size"], 5);
    assert_eq!(found["commit"]["rev"], repo.head().1);
    repo.export("backup.car");
    let car = repo.home.pds(["-R", "backup.car", "stats", "--json"]).ok();
    assert!(car.starts_with("{\"blobs\":null,\"bytes\":321,"), "{car}");
}

#[test]
fn the_ten_largest_records_are_listed() {
    let repo = TestRepo::new();
    repo.pds(["apply"]).stdin(creations(0..300)).ok();
    repo.put("z", "the largest one");
    let found = repo.pds(["stats"]).ok();
    let largest: Vec<&str> = found.lines().filter(|line| line.starts_with("largest\t")).collect();
    assert_eq!(largest.len(), 10);
    assert!(largest[0].contains("note/z"), "{found}");
    // Of records of the same size, the first are kept.
    assert!(largest[9].contains("note/n000108"), "{found}");
}

#[test]
fn unreadable_records_are_named_and_counted() {
    let home = Home::new();
    let key = |rkey: &str| format!("com.example.note/{rkey}").into_bytes();
    let missing = note("missing");
    let mut car = Car::of([(key("a"), note("a")), (key("b"), missing.clone())]);
    car.blocks.retain(|block| block.cid() != missing.cid());
    home.write("part.car", car.file());
    let ended = home.pds(["-R", "part.car", "stats"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (6, "com.example.note/b is missing\n"));
    assert!(
        ended.text().starts_with("collection\tcom.example.note\t2\t31\t31\t-\t-\n"),
        "{}",
        ended.text()
    );
    let json = home.pds(["-R", "part.car", "stats", "--json"]).ended();
    assert!(json.text().ends_with("\"records\":2,\"unreadable\":1}\n"), "{}", json.text());
}

#[test]
fn a_time_that_no_calendar_has_hides_no_other() {
    let repo = TestRepo::new();
    for (key, time) in [("a", "2026-02-03T00:00:00Z"), ("b", "9999-12-31T23:59:59Z")] {
        let record = format!("{{\"createdAt\":\"{time}\"}}");
        repo.pds(["put", &format!("com.example.note/{key}")]).stdin(record).ok();
    }
    let stats = repo.json(["stats"]);
    assert_eq!(stats["collections"][0]["last"], "2026-02-03T00:00:00Z", "{stats}");
}
