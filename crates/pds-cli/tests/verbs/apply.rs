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
fn a_write_of_the_same_content_is_named_so() {
    let repo = TestRepo::with_notes();
    let lines = creation("a", "a").replace("create", "put")
        + &creation("b", "new").replace("create", "put");
    let rows = repo.pds(["apply", "-", "--json"]).stdin(&*lines).ok();
    let actions = |rows: &str| -> Vec<String> {
        let rows = rows.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap());
        rows.map(|row| row["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&rows), ["unchanged", "update"]);
    let same = repo.pds(["put", "com.example.note/a", "--json"]).stdin("{\"text\":\"a\"}").ok();
    assert_eq!(actions(&same), ["unchanged"]);
}

#[test]
fn apply_names_the_form_that_it_reads_in_place_of_a_table() {
    let repo = TestRepo::with_notes();
    repo.home.write("notes.CSV", "uri,cid\n");
    let said = repo.pds(["apply", "notes.CSV"]).fails(3);
    assert!(said.starts_with("error: notes.CSV is a table, and apply reads JSON\n"), "{said}");
    repo.pds(["export", "--format", "csv", "-o", "tables"]).ended().done();
    for n in 0..30 {
        repo.home.write(&format!("tables/{n}.csv"), "");
    }
    let said = repo.pds(["apply", "tables"]).fails(3);
    assert_eq!(said.matches("is not read: it is no collection").count(), 10, "{said}");
    assert!(said.contains("\n21 more are not read\n"), "{said}");
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
        ("nonsense", 3, "line 2, column 2: expected ident"),
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
    let said = repo.pds(["apply"]).stdin("{\n  \"action\": x\n}\n").fails(3);
    assert!(said.starts_with("error: line 2, column 13: expected value"), "{said}");
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

#[test]
fn apply_reads_the_body_of_a_request() {
    let repo = TestRepo::new();
    let head = repo.head().0;
    let body = |more: &str| {
        format!(
            "{{\n  \"repo\": \"did:web:alice.example.com\",{more}\n  \"writes\": [\n    \
             {{\"$type\": \"com.atproto.repo.applyWrites#create\", \"collection\": \"com.example.note\", \
             \"rkey\": \"a\", \"value\": {{\"n\": 1}}}},\n    \
             {{\"$type\": \"com.atproto.repo.applyWrites#create\", \"collection\": \"com.example.note\", \
             \"value\": {{\"n\": 2}}}}\n  ]\n}}\n"
        )
    };
    let swap = format!("\"swapCommit\": \"{head}\", \"validate\": false,");
    assert_eq!(repo.pds(["apply"]).stdin(body(&swap)).ok().lines().count(), 2);
    assert_eq!(repo.pds(["log"]).ok().lines().count(), 2);
    // The commit is no longer the head.
    repo.pds(["apply"]).stdin(body(&swap)).fails(1);
    let delete = "{\"$type\":\"com.atproto.repo.applyWrites#delete\",\
        \"collection\":\"com.example.note\",\"rkey\":\"a\"}\n";
    let lines = format!("{delete}{}\n", body("").replace('\n', " "));
    assert_eq!(repo.pds(["apply"]).stdin(lines).ok().lines().count(), 2);
    for (line, code, said) in [
        ("{\"writes\":[],\"repo\":\"did:web:bob.example.com\"}", 1, "not of did:web:bob"),
        ("{\"writes\":[],\"repo\":\"alice.example.com\"}", 3, "write the DID as repo"),
        ("{\"writes\":[],\"validate\":true}", 3, "not checked against lexicons"),
        ("{\"writes\":[],\"rkey\":\"a\"}", 3, "unknown field \"rkey\""),
        ("{\"writes\":{}}", 3, "writes must be a list"),
        ("{\"writes\":[{\"action\":\"burn\",\"collection\":\"a.b.c\"}]}", 3, "writes/0"),
        ("{\"$type\":\"com.example.write\",\"collection\":\"a.b.c\"}", 3, "unknown $type"),
        (
            "{\"action\":\"put\",\"$type\":\"com.atproto.repo.applyWrites#create\"}",
            3,
            "action and $type differ",
        ),
    ] {
        let found = repo.pds(["apply"]).stdin(line).fails(code);
        assert!(found.contains(said), "{line}: {found}");
    }
    let later = format!("{delete}{{\"writes\":[],\"swapCommit\":\"{head}\"}}\n");
    assert!(repo.pds(["apply"]).stdin(later).fails(3).contains("only in the first request"));
}

#[test]
fn apply_makes_the_writes_of_one_record_in_their_order() {
    let repo = TestRepo::new();
    let before = repo.head();
    let delete = "{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"a\"}\n";
    let nothing = creation("a", "1") + delete;
    assert_eq!(repo.pds(["apply"]).stdin(nothing).ok(), "");
    assert_eq!(repo.head(), before);
    repo.pds(["apply"]).stdin(creation("a", "1") + &creation("a", "1")).fails(1);
    assert_eq!(repo.pds(["ls", "--all"]).ok(), "");
    let again = creation("a", "1") + delete + &creation("a", "2");
    assert_eq!(repo.pds(["apply"]).stdin(again).ok().lines().count(), 1);
    assert!(repo.pds(["get", "com.example.note/a"]).ok().contains("\"2\""));
    let blocks = repo.json(["info"])["blocks"].as_u64().unwrap();
    // The first commit and its empty tree, the second one, its tree and the last record.
    assert_eq!(blocks, 5);
    let separate = ["apply", "--batch", "1"];
    let lines = delete.to_owned() + &creation("a", "3") + delete;
    assert_eq!(repo.pds(separate).stdin(lines).ok().lines().count(), 3);
}
