//! Trees of up to 100,000 records, built by recipe.

use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::{Builder, Key, Tree, walk};
use serde_json::Value as Json;

use super::{cid, count, each, read_json, text};
use crate::fixtures;

const COLLECTION: &str = "com.example.synth.entry";

/// Returns the record path and the record of a number.
fn entry(i: u32) -> (String, Vec<u8>) {
    let micros = 1_700_000_000_000_000 + u64::from(i) * 1_000_003;
    let rkey = sortable((micros << 10) | (u64::from(i) % 1024));
    let record = Value::from([
        ("$type", Value::from(COLLECTION)),
        ("n", Value::from(i)),
        ("text", Value::from(format!("entry {i}"))),
    ]);
    (format!("{COLLECTION}/{rkey}"), record.encode())
}

/// Returns thirteen characters of five bits, the most significant first.
fn sortable(tid: u64) -> String {
    let digits = b"234567abcdefghijklmnopqrstuvwxyz";
    let digit = |place: u32| usize::try_from((tid >> (5 * place)) & 31).unwrap();
    let places = (0..13).rev();
    places.map(|place| char::from(digits[digit(place)])).collect()
}

fn repositories() -> Vec<Json> {
    let Some(dir) = fixtures() else {
        return Vec::new();
    };
    let file = read_json(&dir.join("scale/expected.json"));
    let (path, record) = entry(0);
    assert_eq!(path, text(&file["example_key_0"]));
    let record = data_encoding::HEXLOWER.encode(&record);
    assert_eq!(record, text(&file["example_record_0_hex"]));
    each(&file["repositories"]).cloned().collect()
}

fn entries(expected: &Json) -> impl Iterator<Item = (String, Cid)> {
    let n = u32::try_from(count(&expected["n"])).unwrap();
    (0..n).map(|i| {
        let (path, record) = entry(i);
        (path, Cid::of(Codec::Cbor, &record))
    })
}

#[test]
fn built_trees_of_any_size_have_the_expected_root_and_nodes() {
    for expected in repositories() {
        let (mut nodes, mut bytes) = (0, 0);
        let mut out = |node: Block| {
            nodes += 1;
            bytes += node.bytes().len();
        };
        let mut builder = Builder::default();
        for (path, value) in entries(&expected) {
            builder.push(path.as_bytes(), value, &mut out).unwrap();
        }
        let root = builder.finish(&mut out);
        let n = &expected["n"];
        assert_eq!(root, cid(&expected["mst_root"]), "{n}");
        assert_eq!(nodes, count(&expected["mst_nodes"]), "{n}");
        assert_eq!(bytes, count(&expected["mst_bytes"]), "{n}");
    }
}

#[test]
fn inserting_one_by_one_gives_the_same_trees() {
    for expected in repositories() {
        if count(&expected["n"]) > 1000 {
            continue;
        }
        let none = MemoryBlocks::default();
        let mut tree = Tree::empty(&none);
        for (path, value) in entries(&expected) {
            tree.insert(Key::new(path.into_bytes()).unwrap(), value).unwrap();
        }
        let written = tree.write().unwrap();
        assert_eq!(written.root, cid(&expected["mst_root"]));
        assert_eq!(written.nodes.len(), count(&expected["mst_nodes"]));
        let blocks: MemoryBlocks = written.nodes.into_iter().collect();
        let levels = walk(&blocks, written.root).filter_map(|step| match step.unwrap() {
            pds::mst::Step::Node { node, .. } => Some((node.level(), node.len())),
            pds::mst::Step::Entry { .. } => None,
        });
        let (levels, lens): (Vec<u8>, Vec<usize>) = levels.unzip();
        let deepest = levels.into_iter().max().map(usize::from);
        assert_eq!(deepest, Some(count(&expected["max_depth"])));
        assert_eq!(lens.into_iter().max(), Some(count(&expected["max_entries_in_a_node"])));
    }
}
