//! Blob checks if records or parts of the tree cannot be read.

use pds::data::{BlobRef, Block, Cid, Codec, Value};

use super::{blocks, damage};
use crate::common::{Car, Home, TestRepo, note};

const UNKNOWN: &str = "cannot be read, so its blobs are unknown\n";

fn attached() -> (Cid, Block) {
    let cid = Cid::of(Codec::Raw, b"elsewhere");
    let blob = BlobRef { cid, mime_type: "text/plain".to_owned(), size_bytes: Some(9) };
    let value =
        Value::from([("$type", Value::from("com.example.note")), ("attached", blob.to_value())]);
    (cid, Block::new(Codec::Cbor, value.encode()))
}

#[test]
fn a_record_that_cannot_be_read_leaves_open_which_blobs_are_missing() {
    let home = Home::new();
    let path = |name: &str| format!("com.example.note/{name}").into_bytes();
    let gone = note("gone");
    let odd = Block::new(Codec::Cbor, *b"\xf7");
    let (cid, attached) = attached();
    let records = [
        (path("a"), odd),
        (path("b"), gone.clone()),
        (path("bad#key"), note("x")),
        (path("c"), note("c")),
    ];
    let said = format!(
        "tree key com.example.note/bad#key is not a record path\n\
         com.example.note/a {UNKNOWN}com.example.note/b {UNKNOWN}"
    );
    let mut car = Car::of(records.clone());
    car.blocks.retain(|block| *block != gone);
    home.write("odd.car", car.file());
    let ended = home.pds(["-R", "odd.car", "blob", "missing"]).ended();
    assert_eq!((ended.code(), &*ended.text(), &ended.stderr), (6, "", &said));
    // If a missing blob is known, the answer is no.
    let mut car = Car::of(records.into_iter().chain([(path("d"), attached)]));
    car.blocks.retain(|block| *block != gone);
    home.write("odd.car", car.file());
    let ended = home.pds(["-R", "odd.car", "blob", "missing"]).ended();
    let missing = format!("{cid}\tat://{}/com.example.note/d\n", crate::common::DID);
    assert_eq!((ended.code(), ended.text(), ended.stderr), (1, missing, said));
}

#[test]
fn a_damaged_record_hides_no_missing_blob() {
    let repo = TestRepo::with_notes();
    let [_, _, record] = blocks(&repo);
    damage(&repo, &record);
    let ended = repo.pds(["blob", "missing"]).ended();
    assert_eq!(ended.code(), 6);
    assert_eq!(ended.stderr, format!("com.example.note/b {UNKNOWN}"));
    let ended = repo.pds(["verify", "--blobs"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (1, ""));
    assert!(ended.text().contains("error record-missing com.example.note/b"), "{}", ended.text());
}
