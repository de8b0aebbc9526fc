//! Commits with one changed field, signed with the change.

use std::io::Cursor;

use pds::commit::Commit;
use pds::data::{Block, Cid, Codec, Map, Value};
use pds::{Code, Error};

use super::deviant::deviants;
use super::forge::{Forged, Shape, block, fields, key, record, sign};
use super::judge::{empty, judge, verify};
use super::torture::{amount, row};
use crate::properties::Random;

/// A repository with one record.
pub(super) fn small() -> Forged {
    let record = record("com.example.note/a");
    let entries = [(b"com.example.note/a".to_vec(), record.cid())].into();
    Forged::of(&Shape::of(&entries), &[record].into_iter().collect())
}

/// What a field may be, of every type.
fn values() -> Vec<(&'static str, Option<Value>)> {
    let link = |codec| Some(Value::Link(Cid::of(codec, b"somewhere")));
    vec![
        ("absent", None),
        ("null", Some(Value::Null)),
        ("false", Some(Value::from(false))),
        ("zero", Some(Value::Int(0))),
        ("minus three", Some(Value::Int(-3))),
        ("text", Some(Value::from("text"))),
        ("empty text", Some(Value::from(""))),
        ("bytes", Some(Value::from(vec![1, 2, 3]))),
        ("a list", Some(Value::List(vec![Value::Int(3)]))),
        ("a map", Some(Value::Map(Map::new()))),
        ("a link", link(Codec::Cbor)),
        ("a link to raw bytes", link(Codec::Raw)),
    ]
}

/// Returns the expected codes of a field with a value of a type.
fn expected(field: &str, value: &str) -> &'static [&'static str] {
    match (field, value) {
        ("prev", "null" | "a link") => &[],
        ("prev", "absent") => &["commit-prev-missing"],
        ("data", "a link") => &["node-missing"],
        _ => &["commit-field"],
    }
}

fn with(data: Cid, field: &str, value: Option<Value>) -> Block {
    let mut fields = fields(data);
    let change = |fields: &mut Map| match value {
        Some(value) => drop(fields.insert(field, value)),
        None => drop(fields.remove(field)),
    };
    if field == "sig" {
        fields = sign(fields, &key());
        change(&mut fields);
        return block(fields);
    }
    change(&mut fields);
    block(sign(fields, &key()))
}

/// Judges a commit over the small tree. The second value tells whether it is also a commit to the lenient reader.
fn judged(commit: Block, name: &str, random: &mut Random) -> Vec<&'static str> {
    let strict = Commit::decode(&commit);
    let lenient = Commit::decode_with_faults(&commit);
    assert_eq!(strict.is_ok(), lenient.is_ok_and(|it| it.faults().is_empty()), "{name}");
    let mut forged = small();
    if let Ok(commit) = &strict {
        forged.data = commit.data();
        assert_eq!(commit.block().bytes(), Value::decode(commit.block().bytes()).unwrap().encode());
    }
    let judged = judge(&forged.with_commit(commit), name, random);
    judged.codes().into_iter().collect()
}

#[test]
fn every_field_of_every_type_has_its_verdict() {
    let (data, mut random, mut tried) = (small().data, Random(10), 0);
    for field in ["did", "rev", "data", "prev", "version", "sig"] {
        for (kind, value) in values() {
            let commit = with(data, field, value);
            let name = format!("{field} is {kind}");
            assert_eq!(judged(commit, &name, &mut random), expected(field, kind), "{name}");
            tried += 1;
        }
    }
    // Neither a tree nor a signature: the block is not a commit.
    let mut neither = sign(fields(data), &key());
    neither.remove("sig");
    neither.remove("data");
    assert_eq!(judged(block(neither), "neither", &mut random), ["not-a-commit"]);
    row("mutations: fields of commits", tried + 1, "each judged as expected");
}

#[test]
fn values_of_the_right_type_have_their_verdicts() {
    let (data, mut random, mut tried) = (small().data, Random(11), 0);
    let long = format!("did:web:{}", "a".repeat(2_041));
    let field = &["commit-field"][..];
    for (name, value, codes) in [
        ("version", Value::Int(1), field),
        ("version", Value::Int(2), &[]),
        ("version", Value::Int(4), field),
        ("version", Value::Int(259), field),
        ("version", Value::Int(i64::MAX), field),
        ("version", Value::from("3"), field),
        ("rev", Value::from("3jzfcijpj2z2"), field),
        ("rev", Value::from("3jzfcijpj2z2aa"), field),
        ("rev", Value::from("3JZFCIJPJ2Z2A"), field),
        ("rev", Value::from("kjzfcijpj2z2a"), field),
        ("rev", Value::from("3jzf-cij-pj2z-2a"), field),
        ("rev", Value::from("3jzfcijpj2z20"), field),
        ("rev", Value::from("jzzzzzzzzzzzz"), &["rev-in-future"]),
        ("rev", Value::from("2222222222222"), &[]),
        ("did", Value::from("did:web:"), field),
        ("did", Value::from("did:WEB:a.example"), field),
        ("did", Value::from("did:web:a.example#atproto"), field),
        ("did", Value::from(" did:web:alice.example.com"), field),
        ("did", Value::from("did:web:alice.example.com\0"), field),
        ("did", Value::from(long.as_str()), field),
        ("did", Value::from("alice.example.com"), field),
        ("extra", Value::Null, &["commit-unknown-field"]),
        ("", Value::from("empty key"), &["commit-unknown-field"]),
    ] {
        let shown = format!("{name} = {value:?}");
        let commit = with(data, name, Some(value));
        assert_eq!(judged(commit, &shown, &mut random), codes, "{shown}");
        tried += 1;
    }
    // Version 2 needs no rev.
    let mut old = fields(data);
    old.insert("version", 2);
    old.remove("rev");
    assert!(judged(block(sign(old, &key())), "version 2", &mut random).is_empty());
    // Other accounts are refused by a reader that knows the account.
    let other = with(data, "did", Some(Value::from("did:web:bob.example.com")));
    let (report, findings) = verify(&small().with_commit(other).file());
    assert_eq!((report.errors, findings[0].code()), (1, Code::DidMismatch));
    row("mutations: values of commits", tried + 2, "each judged as expected");
}

#[test]
fn a_commit_in_another_encoding_is_refused() {
    let forged = small();
    let commit = Value::decode(forged.commit.bytes()).unwrap();
    let (mut random, mut tried) = (Random(12), 0);
    for (deviation, _, bytes) in deviants(&commit, amount(7, 1)) {
        let name = format!("{deviation:?} of a commit");
        let commit = Block::new(Codec::Cbor, bytes);
        assert_eq!(judged(commit, &name, &mut random), ["commit-undecodable"], "{name}");
        tried += 1;
    }
    // The right bytes under the CID of raw bytes.
    let raw = Block::new(Codec::Raw, forged.commit.bytes());
    assert_eq!(judged(raw, "raw", &mut random), ["not-a-commit"]);
    row("mutations: encodings of commits", tried + 1, "each refused");
}

#[test]
fn a_commit_follows_another_only_with_a_later_rev() {
    let forged = small();
    let data = forged.data;
    let mut tried = 0;
    for (rev, is_later) in [
        ("3jzfcijpj2z2b", true),
        ("3jzfcijpj2z2a", false),
        ("3jzfcijpj2z27", false),
        ("2222222222222", false),
    ] {
        let previous = Value::Link(forged.commit.cid());
        let stranger = Value::Link(Cid::of(Codec::Cbor, b"never stored"));
        for (kind, prev) in [
            ("null", Some(Value::Null)),
            ("absent", None),
            ("the commit before", Some(previous)),
            ("never stored", Some(stranger)),
        ] {
            let name = format!("rev {rev}, prev {kind}");
            let repo = empty();
            let public = key().public_key();
            let import =
                |file: Vec<u8>| repo.transfer().import_file(Cursor::new(file), Some(&public));
            import(forged.file()).unwrap();
            let mut next = fields(data);
            next.insert("rev", rev);
            match prev {
                Some(prev) => drop(next.insert("prev", prev)),
                None => drop(next.remove("prev")),
            }
            let next = block(sign(next, &key()));
            let is_same = next.cid() == forged.commit.cid();
            let answer = import(forged.with_commit(next.clone()).file());
            let head = repo.head().unwrap().unwrap();
            if is_later || is_same {
                answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(head, next.cid(), "{name}");
            } else {
                let error = answer.expect_err(&name);
                assert!(
                    matches!(error, Error::Older { .. } | Error::SameRev { .. }),
                    "{name}: {error}"
                );
                assert_eq!(head, forged.commit.cid(), "{name}");
            }
            tried += 1;
        }
    }
    row("mutations: order of commits", tried, "only later revs follow");
}
