//! The small parts that everything else is made of: `cargo bench` in this directory.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pds::data::{Block, Cid, Codec, Value, check_canonical, check_record};
use pds::mst::{Builder, Node, Position, height};
use pds::syntax::Tid;

fn main() {
    divan::main();
}

/// Records as they are: what most of a repository is.
const RECORDS: [&str; 2] = ["like", "post"];

fn value(record: &str) -> Value {
    let text = match record {
        "like" => LIKE,
        _ => POST,
    };
    Value::from_json(text).expect("a record of the data model")
}

#[divan::bench(args = RECORDS)]
fn cbor_encode(bencher: Bencher<'_, '_>, record: &str) {
    let value = value(record);
    let length = BytesCount::new(value.encode().len());
    bencher.counter(length).bench(|| black_box(&value).encode());
}

#[divan::bench(args = RECORDS)]
fn cbor_decode(bencher: Bencher<'_, '_>, record: &str) {
    let bytes = value(record).encode();
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| Value::decode(black_box(&bytes)));
}

#[divan::bench(args = RECORDS)]
fn cbor_check_canonical(bencher: Bencher<'_, '_>, record: &str) {
    let bytes = value(record).encode();
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| check_canonical(black_box(&bytes)));
}

#[divan::bench(args = RECORDS)]
fn cbor_check_record(bencher: Bencher<'_, '_>, record: &str) {
    let bytes = value(record).encode();
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| check_record(black_box(&bytes)).is_ok());
}

/// A node of an average tree has four entries.
#[divan::bench(args = [4, 64])]
fn node_read(bencher: Bencher<'_, '_>, entries: usize) {
    let node = node(entries);
    let length = BytesCount::of_slice(node.bytes());
    bencher
        .counter(length)
        .bench(|| Node::read(node.cid(), black_box(node.bytes()), Position::Root));
}

#[divan::bench]
fn key_height(bencher: Bencher<'_, '_>) {
    bencher.bench(|| height(black_box(b"app.bsky.feed.post/3jzfcijpj2z2a")));
}

#[divan::bench(args = RECORDS)]
fn cid_of(bencher: Bencher<'_, '_>, record: &str) {
    let bytes = value(record).encode();
    let length = BytesCount::of_slice(&bytes);
    bencher.counter(length).bench(|| Cid::of(Codec::Cbor, black_box(&bytes)));
}

#[divan::bench]
fn cid_parse(bencher: Bencher<'_, '_>) {
    let text = Cid::of(Codec::Cbor, b"x").to_string();
    bencher.bench(|| black_box(text.as_str()).parse::<Cid>());
}

#[divan::bench]
fn cid_print(bencher: Bencher<'_, '_>) {
    let cid = Cid::of(Codec::Cbor, b"x");
    bencher.bench(|| black_box(cid).to_string());
}

#[divan::bench]
fn tid_parse(bencher: Bencher<'_, '_>) {
    bencher.bench(|| black_box("3jzfcijpj2z2a").parse::<Tid>());
}

#[divan::bench]
fn tid_print(bencher: Bencher<'_, '_>) {
    let tid: Tid = "3jzfcijpj2z2a".parse().expect("a TID");
    bencher.bench(|| black_box(tid).to_string());
}

#[divan::bench]
fn tid_next(bencher: Bencher<'_, '_>) {
    let tid: Tid = "3jzfcijpj2z2a".parse().expect("a TID");
    bencher.bench(|| Tid::next(black_box(1_700_000_000_000_000), 23, Some(black_box(tid))));
}

/// A tree of keys that are all of height 0 is one node.
fn node(entries: usize) -> Block {
    let keys = (0..).map(|number| format!("app.bsky.feed.like/3kabcdefgh{number:03}"));
    let mut nodes = Vec::new();
    let mut builder = Builder::default();
    for key in keys.filter(|key| height(key.as_bytes()) == 0).take(entries) {
        let value = Cid::of(Codec::Cbor, key.as_bytes());
        builder.push(key.as_bytes(), value, |node| nodes.push(node)).expect("keys ascend");
    }
    builder.finish(|node| nodes.push(node));
    nodes.pop().expect("there is a root")
}

const LIKE: &str = r#"{
  "$type": "app.bsky.feed.like",
  "createdAt": "2024-02-29T12:34:56.789Z",
  "subject": {
    "cid": "bafyreicbt7avos2bizuf22gzbjto6betinij4rzgwezakiddxa5t7ao4bi",
    "uri": "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3jzfcijpj2z2a"
  }
}"#;

const POST: &str = r#"{
  "$type": "app.bsky.feed.post",
  "createdAt": "2024-02-29T12:34:56.789Z",
  "langs": ["en", "de"],
  "text": "the quiet river through old cities: we walked until evening light fell on stone, while birds sang ✨",
  "facets": [{
    "index": { "byteStart": 4, "byteEnd": 15 },
    "features": [{ "$type": "app.bsky.richtext.facet#tag", "tag": "river" }]
  }]
}"#;
