//! `apply`.

use crate::common::{TestRepo, creation, creations, masked};

#[test]
fn apply_makes_all_writes_in_one_commit() {
    let repo = TestRepo::with_notes();
    let writes = "\
        {\"action\":\"create\",\"collection\":\"com.example.note\",\"rkey\":\"d\",\"value\":{}}\n\
        {\"action\":\"update\",\"collection\":\"com.example.note\",\"rkey\":\"a\",\"value\":{}}\n\
        \n\
        {\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"b\",\"value\":{\"n\":1}}\n\
        {\"action\":\"put\",\"collection\":\"com.example.note\",\"value\":{\"n\":2}}\n\
        {\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"c\"}";
    let file = repo.home.write("writes.ndjson", writes);
    let before = repo.head();
    let said = repo.pds(["apply", &file]).ok();
    assert_eq!(
        masked(&said),
        "at://did:web:alice.example.com/com.example.note/d\t<cid 1>\n\
         at://did:web:alice.example.com/com.example.note/a\t<cid 1>\n\
         at://did:web:alice.example.com/com.example.note/b\t<cid 2>\n\
         at://did:web:alice.example.com/com.example.note/<tid 1>\t<cid 3>\n\
         at://did:web:alice.example.com/com.example.note/c\n"
    );
    assert!(repo.head().1 > before.1);
    let log = &repo.json_lines(["log"])[0];
    let counts = ["created", "updated", "deleted"].map(|field| log[field].as_u64().unwrap());
    assert_eq!((counts, &log["event"]), ([2, 2, 1], &"write".into()));
}

#[test]
fn apply_answers_in_json_a_line_a_write() {
    let repo = TestRepo::new();
    let input = creation("a", "1") + &creation("b", "2");
    let said = repo.pds(["apply", "-", "--json"]).stdin(input).ok();
    assert_eq!(
        masked(&said),
        "{\"action\":\"create\",\"cid\":\"<cid 1>\",\
         \"commit\":{\"cid\":\"<cid 2>\",\"rev\":\"<tid 1>\"},\
         \"uri\":\"at://did:web:alice.example.com/com.example.note/a\"}\n\
         {\"action\":\"create\",\"cid\":\"<cid 3>\",\
         \"commit\":{\"cid\":\"<cid 2>\",\"rev\":\"<tid 1>\"},\
         \"uri\":\"at://did:web:alice.example.com/com.example.note/b\"}\n"
    );
}

#[test]
fn apply_makes_a_commit_for_each_batch() {
    let repo = TestRepo::new();
    repo.pds(["apply", "--batch", "3"]).stdin(creations(0..8)).ok();
    let created: Vec<u64> =
        repo.json_lines(["log"]).iter().map(|line| line["created"].as_u64().unwrap()).collect();
    assert_eq!(created, [2, 3, 3, 0]);
}

#[test]
fn apply_changes_nothing_where_one_write_cannot_be_made() {
    let repo = TestRepo::with_notes();
    for (line, code, said) in [
        ("{\"action\":\"create\"}", 3, "line 2: collection is missing"),
        ("nonsense", 3, "line 2: expected ident at line 1 column 2"),
        ("{\"action\":\"burn\",\"collection\":\"a.b.c\"}", 3, "line 2: unknown action \"burn\""),
        ("{\"action\":\"delete\",\"collection\":\"a.b.c\"}", 3, "line 2: rkey is missing"),
        ("{\"action\":\"put\",\"collection\":\"a.b.c\"}", 3, "line 2: value is missing"),
        (
            "{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"x\"}",
            1,
            "record com.example.note/x does not exist",
        ),
        (
            "{\"action\":\"create\",\"collection\":\"com.example.note\",\"rkey\":\"a\",\"value\":{}}",
            1,
            "record com.example.note/a already exists",
        ),
    ] {
        let input = creation("new", "new") + line;
        assert_eq!(repo.pds(["apply"]).stdin(input).fails(code), format!("error: {said}\n"));
    }
    let said = repo.pds(["apply", "--json"]).stdin("{\"action\":1}\n").fails(3);
    assert_eq!(said, "{\"error\":\"bad-input\",\"message\":\"line 1: action must be a string\"}\n");
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t3\n");
}

#[test]
fn apply_of_nothing_makes_no_commit() {
    let repo = TestRepo::with_notes();
    let before = repo.head();
    assert_eq!(repo.pds(["apply"]).stdin("\n\n").ok(), "");
    assert_eq!(repo.head(), before);
}
