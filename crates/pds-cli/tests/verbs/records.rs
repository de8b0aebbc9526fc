//! `put`, `get`, `rm` and `ls`.

use pds::data::{Block, Codec, Value};

use crate::common::{Car, DID, FORMS, TestRepo, masked, note};

#[test]
fn put_writes_a_record_and_get_reads_it() {
    let repo = TestRepo::new();
    let said = repo.pds(["put", "com.example.note/a"]).stdin("{\"text\": \"hello\"}").ok();
    assert_eq!(masked(&said), "at://did:web:alice.example.com/com.example.note/a\t<cid 1>\n");
    let said = repo.pds(["get", "com.example.note/a"]).ok();
    assert_eq!(said, "{\n  \"text\": \"hello\",\n  \"$type\": \"com.example.note\"\n}\n");
}

#[test]
fn put_reads_a_file_and_makes_a_key_where_none_is_named() {
    let repo = TestRepo::new();
    let file = repo.home.write("note.json", "{\"text\": \"hello\"}");
    let said = repo.pds(["put", "com.example.note", &file]).ok();
    assert_eq!(masked(&said), "at://did:web:alice.example.com/com.example.note/<tid 1>\t<cid 1>\n");
    let uri = said.split('\t').next().unwrap();
    repo.pds(["get", uri]).ok();
}

#[test]
fn put_takes_dag_cbor_and_get_gives_it_back_byte_for_byte() {
    let repo = TestRepo::new();
    let bytes = note("as it is").bytes().to_vec();
    repo.pds(["put", "com.example.note/a", "--cbor"]).stdin(bytes.clone()).ok();
    assert_eq!(repo.pds(["get", "com.example.note/a", "--cbor"]).ended().stdout, bytes);
    let said = repo.pds(["put", "com.example.note/b", "--cbor"]).stdin([0xbf, 0xff]).fails(3);
    assert_eq!(
        said,
        "error: record com.example.note/b cannot be written: byte 0: an indefinite length\n"
    );
}

#[test]
fn put_answers_in_json_and_makes_no_commit_where_nothing_changes() {
    let repo = TestRepo::new();
    let put = || repo.pds(["put", "com.example.note/a", "--json"]).stdin("{}").ok();
    let (first, second) = (put(), put());
    assert_eq!(
        masked(&first),
        "{\"action\":\"create\",\"cid\":\"<cid 1>\",\
         \"commit\":{\"cid\":\"<cid 2>\",\"rev\":\"<tid 1>\"},\
         \"uri\":\"at://did:web:alice.example.com/com.example.note/a\"}\n"
    );
    assert_eq!(second, first.replace("create", "unchanged"));
}

#[test]
fn put_refuses_what_is_no_record() {
    let repo = TestRepo::new();
    let put = |json: &str| repo.pds(["put", "com.example.note/a"]).stdin(json).fails(3);
    for (json, said) in [
        ("{", "cannot read the record: not data-model JSON: EOF while parsing"),
        ("[]", "record com.example.note/a cannot be written: /: the record is not a map"),
        ("{\"n\": 1.5}", "cannot read the record: not data-model JSON: a number that is not an"),
        ("{\"$type\": \"com.example.other\"}", "record com.example.note/a cannot be written: /: "),
    ] {
        let found = put(json);
        assert!(found.starts_with(&format!("error: {said}")), "{found}");
    }
    let said = repo.pds(["put", "com.example.note/a", "--json"]).stdin("[]").fails(3);
    assert_eq!(
        said,
        "{\"error\":\"bad-record\",\"message\":\"record com.example.note/a cannot be written: \
         /: the record is not a map\"}\n"
    );
    repo.pds(["get", "com.example.note/a"]).fails(1);
}

#[test]
fn put_create_fails_where_the_record_exists_and_swap_where_it_changed() {
    let repo = TestRepo::new();
    let first = repo.put("a", "first");
    let said = repo.pds(["put", "com.example.note/a", "--create"]).stdin("{}").fails(1);
    assert_eq!(said, "error: record com.example.note/a already exists\n");
    let swap = ["put", "com.example.note/a", "--swap", &first];
    let second = repo.pds(swap).stdin("{\"text\":\"second\"}").ok();
    let (_, second) = second.trim_end().split_once('\t').unwrap();
    let said = repo.pds(swap).stdin("{}").fails(1);
    assert_eq!(said, format!("error: record com.example.note/a is {second}, expected {first}\n"));
    let said = repo.pds(swap.into_iter().chain(["--json"])).stdin("{}").fails(1);
    assert!(said.starts_with("{\"error\":\"conflict\",\"message\":"), "{said}");
    // The short form that a terminal shows.
    let short = ["put", "com.example.note/a", "--swap", &first["bafyrei".len()..][..8]];
    let said = repo.pds(short).stdin("{}").fails(1);
    let short = short[3];
    assert_eq!(said, format!("error: record com.example.note/a is {second}, expected {short}\n"));
    let present = ["put", "com.example.note/a", "--swap", &second["bafyrei".len()..][..8]];
    repo.pds(present).stdin("{}").ok();
}

#[test]
fn put_and_rm_write_to_another_branch() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "draft", "HEAD"]).ok();
    repo.pds(["put", "com.example.note/d", "--ref", "draft"]).stdin("{}").ok();
    repo.pds(["rm", "com.example.note/a", "--ref", "draft"]).ok();
    repo.pds(["get", "com.example.note/d"]).fails(1);
    assert_eq!(repo.pds(["ls", "--at", "draft"]).ok(), "com.example.note\t3\n");
    repo.pds(["get", "com.example.note/d", "--at", "draft"]).ok();
}

#[test]
fn put_on_a_mirror_says_that_there_is_no_key() {
    let repo = TestRepo::new();
    repo.export("backup.car");
    repo.home.pds(["clone", "backup.car", "mirror"]).ok();
    let said = repo.home.pds(["-R", "mirror", "put", "com.example.note/a"]).stdin("{}").fails(1);
    assert_eq!(
        said,
        "error: no signing key: the repository is a mirror and is read-only\n\
         hint: import the key: pds key import FILE\n"
    );
}

#[test]
fn get_answers_in_json() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["get", "com.example.note/a", "--json"]).ok();
    assert_eq!(
        masked(&said),
        "{\"cid\":\"<cid 1>\",\"uri\":\"at://did:web:alice.example.com/com.example.note/a\",\
         \"value\":{\"text\":\"a\",\"$type\":\"com.example.note\"}}\n"
    );
    let said = repo.pds(["get", "com.example.note/x", "--json"]).fails(1);
    assert_eq!(said, "{\"error\":\"not-found\",\"message\":\"no record com.example.note/x\"}\n");
    let said = repo.pds(["get", "com.example.note/x"]).fails(1);
    assert!(said.starts_with("error: no record com.example.note/x\nhint: pds ls "), "{said}");
}

#[test]
fn links_and_bytes_come_back_in_the_atproto_form() {
    let repo = TestRepo::new();
    let cid = repo.put("target", "t");
    let json = format!("{{\"bytes\":{{\"$bytes\":\"aGk\"}},\"link\":{{\"$link\":\"{cid}\"}}}}");
    repo.pds(["put", "com.example.note/a"]).stdin(json.clone()).ok();
    let value = &repo.json(["get", "com.example.note/a"])["value"];
    let sent: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["bytes"], &value["link"]), (&sent["bytes"], &sent["link"]));
}

#[test]
fn rm_deletes_records_in_one_commit() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["rm", "com.example.note/a", "com.example.note/c"]).ok();
    assert_eq!(
        said,
        "at://did:web:alice.example.com/com.example.note/a\n\
         at://did:web:alice.example.com/com.example.note/c\n"
    );
    assert_eq!(repo.json_lines(["log", "-n", "1"])[0]["deleted"], 2);
    let said = repo.pds(["rm", "com.example.note/b", "--json"]).ok();
    assert_eq!(
        masked(&said),
        "{\"action\":\"delete\",\"cid\":null,\
         \"commit\":{\"cid\":\"<cid 1>\",\"rev\":\"<tid 1>\"},\
         \"uri\":\"at://did:web:alice.example.com/com.example.note/b\"}\n"
    );
    assert_eq!(repo.pds(["ls"]).ok(), "");
}

#[test]
fn rm_deletes_nothing_where_one_of_the_records_is_not_there() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["rm", "com.example.note/a", "com.example.note/x"]).fails(1);
    assert_eq!(said, "error: record com.example.note/x does not exist\n");
    let said = repo.pds(["rm", "com.example.note/x", "--json"]).fails(1);
    assert_eq!(
        said,
        "{\"error\":\"not-found\",\"message\":\"record com.example.note/x does not exist\"}\n"
    );
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t3\n");
}

#[test]
fn ls_lists_collections_records_and_everything() {
    let repo = TestRepo::with_notes();
    repo.pds(["put", "com.example.other/x"]).stdin("{}").ok();
    let list = |args: &[&str]| masked(&repo.pds(args.iter().copied()).ok());
    assert_eq!(list(&["ls"]), "com.example.note\t3\ncom.example.other\t1\n");
    assert_eq!(list(&["ls", "com.example.note"]), "a\t<cid 1>\nb\t<cid 2>\nc\t<cid 3>\n");
    assert_eq!(
        list(&["ls", "--all", "-l"]),
        "com.example.note/a\t<cid 1>\t31\n\
         com.example.note/b\t<cid 2>\t31\n\
         com.example.note/c\t<cid 3>\t31\n\
         com.example.other/x\t<cid 4>\t25\n"
    );
    assert_eq!(
        list(&["ls", "com.example.note", "--reverse", "--limit", "2"]),
        "c\t<cid 1>\nb\t<cid 2>\n"
    );
    assert_eq!(list(&["ls", "com.example.note", "--after", "b"]), "c\t<cid 1>\n");
    assert_eq!(list(&["ls", "com.example.note", "--after", "b", "--reverse"]), "a\t<cid 1>\n");
    assert_eq!(list(&["ls", "com.example.none"]), "");
    assert_eq!(list(&["ls", "--reverse"]), "com.example.other\t1\ncom.example.note\t3\n");
    assert_eq!(
        list(&["ls", "--all", "--reverse", "--limit", "2"]),
        "com.example.other/x\t<cid 1>\ncom.example.note/c\t<cid 2>\n"
    );
}

#[test]
fn ls_answers_in_json() {
    let repo = TestRepo::new();
    repo.put("a", "a");
    let list = |args: &[&str]| masked(&repo.pds(args.iter().copied()).ok());
    assert_eq!(list(&["ls", "--json"]), "{\"collection\":\"com.example.note\",\"count\":1}\n");
    let record = "{\"cid\":\"<cid 1>\",\"path\":\"com.example.note/a\",\"rkey\":\"a\",\
                  \"uri\":\"at://did:web:alice.example.com/com.example.note/a\"}\n";
    assert_eq!(list(&["ls", "--all", "--json"]), record);
    assert_eq!(list(&["ls", "com.example.note", "--json"]), record);
    let sized = record.replace("\"uri\"", "\"size\":31,\"uri\"");
    assert_eq!(list(&["ls", "com.example.note", "-l", "--json"]), sized);
}

#[test]
fn ls_at_a_state_that_does_not_exist_is_no() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["ls", "--at", "HEAD~9"]).fails(1);
    assert_eq!(said, format!("error: unknown revision \"HEAD~9\": HEAD~3 has no parent\n{FORMS}"));
    let said = repo.pds(["ls", "--at", "HEAD~9", "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"not-found\",\"message\":"), "{said}");
}

#[test]
fn another_account_is_refused_by_every_verb_that_takes_a_record() {
    let repo = TestRepo::with_notes();
    let uri = "at://did:web:bob.example.com/com.example.note/a";
    for verb in ["get", "put", "rm"] {
        let said = repo.pds([verb, uri]).stdin("{}").fails(1);
        let expected =
            format!("error: this is the repository of {DID}, not of did:web:bob.example.com\n");
        assert_eq!(said, expected, "{verb}");
    }
    let own = format!("at://{DID}/com.example.note/a");
    repo.pds(["get", &own]).ok();
    repo.pds(["put", &own]).stdin("{}").ok();
    repo.pds(["rm", &own]).ok();
    repo.pds(["get", "at://alice.example.com/com.example.note/a"]).fails(2);
}

#[test]
fn an_answer_or_a_request_with_a_record_in_it_is_not_put() {
    let repo = TestRepo::with_notes();
    let answer = repo.pds(["get", "com.example.note/a", "--json"]).ok();
    let request = "{\"repo\":\"did:web:alice.example.com\",\"collection\":\"com.example.note\",\
        \"rkey\":\"x\",\"record\":{\"text\":\"x\"}}";
    for (input, words) in [(answer.as_str(), "{uri, cid, value}"), (request, "of putRecord")] {
        let said = repo.pds(["put", "com.example.note/b"]).stdin(input).fails(3);
        assert!(said.contains(words) && said.contains("hint: write its "), "{said}");
        let line = format!(
            "{{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"b\",\"value\":{}}}\n",
            input.trim_end()
        );
        assert!(repo.pds(["apply"]).stdin(line).fails(3).contains(words));
    }
    // A record type may have the same fields.
    let typed = answer.replacen('{', "{\"$type\":\"com.example.note\",", 1);
    repo.pds(["put", "com.example.note/b"]).stdin(typed).ok();
    for other in
        ["{\"uri\":\"https://example.com\",\"value\":{}}", "{\"uri\":\"at://x\",\"value\":1}"]
    {
        repo.pds(["put", "com.example.note/c"]).stdin(other).ok();
    }
}

#[test]
fn a_record_that_is_nested_deep_is_kept_and_its_blobs_count() {
    let repo = TestRepo::new();
    let blob = repo.pds(["blob", "put", "-"]).stdin("a picture").ok();
    let blob: Value = Value::from_json(&blob).unwrap();
    let mut bytes = b"\xa2\x65$type\x70com.example.note\x66nested".to_vec();
    bytes.extend(vec![0x81; 4_394]);
    bytes.extend(blob.encode());
    let said = repo.pds(["put", "com.example.note/deep", "--cbor"]).stdin(bytes.clone()).fails(3);
    assert!(said.contains("nested deeper than the limit for new records"), "{said}");
    // Servers have accepted such records.
    let deep = Block::new(Codec::Cbor, bytes.clone());
    let car = Car::of([
        (b"com.example.note/deep".to_vec(), deep),
        (b"com.example.note/x".to_vec(), note("x")),
    ]);
    repo.home.write("deep.car", car.file());
    let verified = repo.home.pds(["verify", "deep.car"]).ok();
    let expected = "warning record-deep com.example.note/deep ";
    assert!(
        verified.starts_with(expected) && verified.contains("nested 4396 levels deep"),
        "{verified}"
    );
    repo.home.pds(["clone", "deep.car", "copy"]).ended().done();
    let copy =
        |args: &[&str]| repo.home.pds(["-R", "copy"].into_iter().chain(args.iter().copied()));
    assert_eq!(copy(&["get", "com.example.note/deep", "--cbor"]).ended().stdout, bytes);
    let said = copy(&["get", "com.example.note/deep"]).fails(3);
    assert!(said.contains("use --cbor") && said.contains("limit of 64 levels"), "{said}");
    let missing = copy(&["blob", "missing"]).ended();
    assert_eq!((missing.code(), missing.text().lines().count()), (1, 1), "{}", missing.stderr);
    assert_eq!(copy(&["gc"]).ended().code(), 0);
    assert_eq!(copy(&["unpack", "out"]).ended().code(), 6);
    copy(&["export", "-o", "again.car"]).ended().done();
    repo.home.pds(["verify", "again.car"]).ok();
}

#[test]
fn a_record_in_place_of_its_file_is_explained() {
    let repo = TestRepo::new();
    let said = repo.pds(["put", "com.example.note/a", "{\"text\":\"a\"}"]).fails(3);
    let hint = "the record is read from a file or stdin: echo '{…}' | pds put PATH";
    assert_eq!(said, format!("error: no file {{\"text\":\"a\"}}\nhint: {hint}\n"));
}
