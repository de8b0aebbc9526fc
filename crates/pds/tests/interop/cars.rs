//! Repositories exported by other software, and the findings of `verify` for each.

use std::sync::Arc;

use pds::Snapshot;
use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::{Blocks, Cid};
use pds::mst::{Step, walk};
use pds::syntax::Did;
use pds::{Code, Expected, Severity, SignatureState, Stage};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::support::{bytes, cases, cid, codes, number, open, records, text, verify};

/// Returns the files with a whole repository: name, facts, bytes.
pub(crate) fn whole_repositories() -> Option<Vec<(String, Json, Vec<u8>)>> {
    let cases = cases("cars", ".car")?.into_iter();
    Some(cases.filter(|(_, facts, _)| !is_part(facts)).collect())
}

/// Returns the files with a part of a repository: slices and proofs.
pub(crate) fn parts() -> Option<Vec<(String, Json, Vec<u8>)>> {
    let cases = cases("cars", ".car")?.into_iter();
    Some(cases.filter(|(_, facts, _)| is_part(facts)).collect())
}

fn is_part(facts: &Json) -> bool {
    number(facts, "missing_nodes") + number(facts, "missing_records") > 0
}

/// Returns the key of the account, for the few files whose key is known.
pub(crate) fn key_of(facts: &Json) -> Option<PublicKey> {
    let known = &facts["signing_key"];
    (!known.is_null()).then(|| text(known, "did_key").parse().unwrap())
}

/// Computes the SHA-256 over one line for each record.
pub(crate) fn listing_sha256(lines: impl IntoIterator<Item = (String, Cid)>) -> String {
    let mut hash = Sha256::new();
    for (path, cid) in lines {
        hash.update(format!("{path} {cid}\n"));
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

pub(crate) fn listing_of(snapshot: &Snapshot) -> String {
    let records = records(snapshot).into_iter();
    listing_sha256(records.map(|record| (record.path.to_string(), record.cid)))
}

#[test]
fn whole_repositories_verify_and_every_known_fact_agrees() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, facts, bytes) in &cases {
        let did: Did = text(facts, "did").parse().unwrap();
        let expected = Expected::default().did(Some(&did));
        let (report, findings) = verify(bytes, &expected);
        assert!(report.is_ok() && report.is_complete(), "{name}: {findings:#?}");
        assert_eq!(report.signature, SignatureState::Unchecked, "{name}");
        assert_eq!(report.records, number(facts, "records"), "{name}");
        assert_eq!(report.nodes, number(facts, "mst_nodes"), "{name}");
        assert_eq!(report.blocks, number(facts, "blocks"), "{name}");
        agrees(name, &report.commit.unwrap(), facts);

        // These are notes for readers of a valid file. There must be no other finding.
        let mut notes = Vec::new();
        if number(facts, "duplicate_blocks") > 0 {
            notes.push("car-duplicates");
        }
        if number(facts, "unreachable_blocks") > 0 {
            notes.push("car-unreachable");
        }
        if number(facts, "version") == 2 {
            notes.push("commit-version-2");
        }
        let mut others = codes(&findings);
        others.retain(|code| !["car-chain", "car-states"].contains(code));
        assert_eq!(others, notes, "{name}: {findings:#?}");
        let counted = |code: Code| {
            let finding = findings.iter().find(|found| found.code() == code);
            let count = finding.map(|found| found.message.split(' ').next().unwrap());
            count.map_or(0, |count| count.parse::<u64>().unwrap())
        };
        assert_eq!(counted(Code::CarDuplicates), number(facts, "duplicate_blocks"), "{name}");
        let (chain, unreachable) = (counted(Code::CarChain), counted(Code::CarUnreachable));
        // Early servers kept every commit with its tree.
        assert_eq!(counted(Code::CarStates), chain, "{name}");
        assert_eq!(chain + unreachable, number(facts, "unreachable_blocks"), "{name}");
        assert_eq!(chain > 0, facts["prev"].is_string() && unreachable > 0, "{name}");
    }
    assert!(cases.len() >= 16);
}

fn agrees(name: &str, commit: &Commit, facts: &Json) {
    assert_eq!(commit.cid(), cid(facts, "commit"), "{name}");
    assert_eq!(commit.did().as_str(), text(facts, "did"), "{name}");
    assert_eq!(u64::from(commit.version()), number(facts, "version"), "{name}");
    assert_eq!(commit.data(), cid(facts, "data"), "{name}");
    let rev = commit.rev().map(|rev| rev.to_string());
    assert_eq!(rev.as_deref(), facts["rev"].as_str(), "{name}");
    let prev = commit.prev().map(|prev| prev.to_string());
    assert_eq!(prev.as_deref(), facts["prev"].as_str(), "{name}");
}

#[test]
fn listings_and_collections_agree() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, facts, bytes) in &cases {
        let file = open(bytes).unwrap();
        let roots: Vec<String> = file.roots().iter().map(Cid::to_string).collect();
        assert_eq!(Json::from(roots), facts["roots"], "{name}");
        assert_eq!(file.len() as u64, number(facts, "unique_blocks"), "{name}");
        let root = file.roots()[0];
        let snapshot = Snapshot::open(Arc::new(file), root).unwrap();
        assert_eq!(listing_of(&snapshot), text(facts, "records_sha256"), "{name}");
        let collections: serde_json::Map<String, Json> = snapshot
            .collections()
            .unwrap()
            .into_iter()
            .map(|(collection, count)| (collection.to_string(), Json::from(count)))
            .collect();
        assert_eq!(Json::from(collections), facts["collections"], "{name}");
    }
}

#[test]
fn parts_of_a_tree_are_reported_with_everything_that_is_missing() {
    let Some(cases) = parts() else { return };
    for (name, facts, bytes) in &cases {
        let nodes = number(facts, "missing_nodes");
        let records = number(facts, "missing_records");
        for partial in [false, true] {
            let expected = Expected::default().partial(partial);
            let (report, findings) = verify(bytes, &expected);
            let found = |code: Code| {
                let of_it = findings.iter().filter(|found| found.code() == code);
                of_it.count() as u64
            };
            assert_eq!(found(Code::NodeMissing), nodes, "{name}");
            assert_eq!(found(Code::RecordMissing), records, "{name}");
            assert_eq!(report.missing, nodes + records, "{name}");
            assert_eq!(report.records, number(facts, "records"), "{name}");
            assert_eq!(report.nodes, number(facts, "mst_nodes"), "{name}");
            assert_eq!(report.blocks, number(facts, "blocks"), "{name}");
            assert!(!report.is_complete(), "{name}");

            // Missing blocks are the only problem, and are no problem if a part is expected.
            assert_eq!(report.is_ok(), partial, "{name}: {findings:#?}");
            let severity = if partial { Severity::Note } else { Severity::Error };
            for finding in &findings {
                let missing = finding.stage() == Stage::Completeness;
                assert!(missing || finding.code() == Code::CommitVersion2, "{finding}");
                assert!(!missing || finding.severity() == severity, "{finding}");
            }
            agrees(name, &report.commit.unwrap(), facts);
        }
        assert_eq!(visible_sha256(bytes), text(facts, "records_sha256"), "{name}");
    }
    assert!(cases.len() >= 3);
}

/// Returns the listing of the entries in the nodes of a part.
fn visible_sha256(bytes: &[u8]) -> String {
    let file = open(bytes).unwrap();
    let commit = Commit::decode(&file.get(&file.roots()[0]).unwrap().unwrap()).unwrap();
    let entries = walk(&file, commit.data()).filter_map(|step| match step {
        Ok(Step::Entry { key, value }) => Some((key.to_string(), value)),
        _ => None,
    });
    listing_sha256(entries)
}

#[test]
fn a_listing_by_another_implementation_agrees() {
    let Some(listing) = bytes("cars/jetstream-corpus-repo.records.tsv") else {
        return;
    };
    let file = open(&bytes("cars/jetstream-corpus-repo.car").unwrap()).unwrap();
    let root = file.roots()[0];
    let snapshot = Snapshot::open(Arc::new(file), root).unwrap();
    let ours: String = records(&snapshot)
        .iter()
        .map(|record| format!("{}\t{}\n", record.path, record.cid))
        .collect();
    assert_eq!(ours, String::from_utf8(listing).unwrap());
}
