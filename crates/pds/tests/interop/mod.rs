//! Test vectors of other projects. Every file is read, and every case is checked.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use pds::data::{Block, Cid, MemoryBlocks, Value, get_all};
use serde_json::Value as Json;

mod account;
mod car_files;
mod cars;
mod clones;
mod crypto;
mod dag_cbor;
mod damaged;
mod data_model;
mod event;
mod firehose;
mod forged;
mod frames;
mod history;
mod identity;
mod imports;
mod mst;
mod mst_diff;
mod mst_ops;
mod proofs;
mod relay;
mod repo_cases;
mod scale;
mod scale_repo;
mod signatures;
mod slices;
mod streamed;
mod support;
mod syntax;

/// Reads a file. If its name ends in `.gz`, it is unpacked.
fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn read_json(path: &Path) -> Json {
    serde_json::from_slice(&read(path)).unwrap()
}

fn read_json_lines(path: &Path) -> Vec<Json> {
    read(path)
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Iterates over an array. A file without this array fails the test, so that a renamed field does not look like an
/// empty list.
fn each(json: &Json) -> std::slice::Iter<'_, Json> {
    json.as_array().unwrap().iter()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn count(json: &Json) -> usize {
    usize::try_from(json.as_u64().unwrap()).unwrap()
}

fn cid(json: &Json) -> Cid {
    text(json).parse().unwrap()
}

fn cid_or_null(json: &Json) -> Option<Cid> {
    (!json.is_null()).then(|| cid(json))
}

/// Returns a sorted list of CIDs.
fn cids(json: &Json) -> Vec<Cid> {
    sorted(each(json).map(cid))
}

fn sorted(cids: impl IntoIterator<Item = Cid>) -> Vec<Cid> {
    let mut cids: Vec<Cid> = cids.into_iter().collect();
    cids.sort();
    cids
}

/// Returns the blocks of a larger set that have these CIDs.
fn only(blocks: &MemoryBlocks, cids: &[Cid]) -> MemoryBlocks {
    get_all(blocks, cids).map(|found| found.unwrap().unwrap()).collect()
}

/// Returns the root and the blocks of a valid CAR file.
fn read_car(path: &Path) -> (Cid, MemoryBlocks) {
    let bytes = read(path);
    let (header, mut rest) = section(&bytes);
    let root = Value::decode(header).unwrap().links().next().unwrap();
    let mut blocks = MemoryBlocks::default();
    while !rest.is_empty() {
        let (body, after) = section(rest);
        let (cid, data) = body.split_at(Cid::LEN);
        let cid = Cid::from_bytes(cid).unwrap();
        blocks.insert(Block::verified(cid, data).unwrap());
        rest = after;
    }
    (root, blocks)
}

/// Splits off the first section of a CAR file, without its length prefix.
fn section(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut len = 0;
    for (at, byte) in bytes.iter().enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes[at + 1..].split_at(len);
        }
    }
    panic!("the length of a section does not end");
}

/// Returns every CAR file of a directory by its name.
fn read_cars(dir: &Path) -> HashMap<String, (Cid, MemoryBlocks)> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, read_car(&path))
        })
        .collect()
}
