//! Forged files: every hash and signature is valid, because the content was changed before it was signed. Only the
//! rules of the tree and of records keep these files out of a store.

use std::sync::Arc;

use pds::Snapshot;
use pds::car::{CarReader, CarWriter};
use pds::commit::Commit;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, Value};
use pds::mst::Builder;
use pds::{Severity, Stage};

use super::damaged::Random;
use super::repo_cases::{Case, one};
use super::support::{empty_mirror, json, open, records, state, text};

/// The blocks of a repository without the commit, children before the nodes that link to them.
pub(crate) struct Clay {
    commit: Commit,
    pub(crate) blocks: Vec<Block>,
    signer: SigningKey,
}

impl Clay {
    pub(crate) fn of(case: &Case) -> Self {
        let recipe = &json("scale/expected.json").unwrap()["recipe"];
        let secret = text(recipe, "signing_key_secret_hex");
        let reader = CarReader::new(&case.bytes[..]).unwrap();
        // In a streamable file, every block comes after the block that links to it.
        let mut blocks: Vec<Block> = reader.collect::<Result<_, _>>().unwrap();
        let commit = Commit::decode(&blocks.remove(0)).unwrap();
        blocks.reverse();
        Self { commit, blocks, signer: SigningKey::from_hex(Curve::K256, secret).unwrap() }
    }

    /// Changes one block and every block that links to it, and signs the commit again. Returns a file in streamable
    /// order, and one with the blocks in reverse order.
    pub(crate) fn bent(&self, index: usize, bytes: Vec<u8>) -> [Vec<u8>; 2] {
        let mut blocks = self.blocks.clone();
        let mut renamed = vec![(blocks[index].cid(), Cid::of(Codec::Cbor, &bytes))];
        blocks[index] = Block::new(Codec::Cbor, bytes);
        for block in &mut blocks[index + 1..] {
            let mut bytes = block.bytes().to_vec();
            for (old, new) in &renamed {
                replace(&mut bytes, old, new);
            }
            if bytes != block.bytes() {
                renamed.push((block.cid(), Cid::of(Codec::Cbor, &bytes)));
                *block = Block::new(Codec::Cbor, bytes);
            }
        }
        let unsigned = UnsignedCommit {
            did: self.commit.did().clone(),
            data: blocks.last().unwrap().cid(),
            rev: self.commit.rev().unwrap(),
            prev: None,
        };
        let commit = unsigned.sign(&self.signer).unwrap();
        blocks.push(commit.block().clone());
        let backwards = file(&blocks, commit.cid());
        blocks.reverse();
        [file(&blocks, commit.cid()), backwards]
    }
}

fn file(blocks: &[Block], root: Cid) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
    for block in blocks {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

fn replace(bytes: &mut [u8], old: &Cid, new: &Cid) {
    for at in 0..bytes.len().saturating_sub(Cid::LEN - 1) {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + Cid::LEN].copy_from_slice(new.as_bytes());
        }
    }
}

#[test]
fn a_bent_tree_that_passes_is_the_one_tree_of_its_records() {
    let (mut passed, mut refused) = (0, 0);
    for name in ["ok-preorder.car", "ok-tall-empty-nodes.car"] {
        let Some(case) = one(name) else { return };
        let clay = Clay::of(&case);
        let mut random = Random::new();
        for round in 0..1_000 {
            let index = random.below(clay.blocks.len());
            let mut bytes = clay.blocks[index].bytes().to_vec();
            let at = random.below(bytes.len());
            bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
            let name = format!("{name}, round {round}: block {index}, byte {at}");
            let [bent, backwards] =
                clay.bent(index, bytes).map(|bytes| case.with_bytes(name.clone(), bytes));

            let (report, findings) = bent.verify();
            assert_eq!(backwards.verify().1, findings, "{}: in whatever order", bent.name);
            let repo = empty_mirror();
            let before = state(&repo);
            let imported = bent.import(&repo);
            let fatal = findings
                .iter()
                .any(|found| found.severity() == Severity::Error && found.stage() != Stage::Record);
            assert_eq!(imported.is_err(), fatal, "{}: {findings:#?}", bent.name);
            if fatal {
                assert_eq!(state(&repo), before, "{}", bent.name);
                refused += 1;
                continue;
            }
            is_canonical(&repo.snapshot().unwrap(), report.is_ok());
            let file = open(&bent.bytes).unwrap();
            let root = file.roots()[0];
            is_canonical(&Snapshot::open(Arc::new(file), root).unwrap(), report.is_ok());
            passed += 1;
        }
    }
    assert!(passed > 100 && refused > 100, "{passed} {refused}");
}

/// Checks that the listing of the tree builds the same tree, and that the records encode to their own bytes.
fn is_canonical(snapshot: &Snapshot, records_too: bool) {
    let mut tree = Builder::default();
    for entry in records(snapshot) {
        tree.push(entry.path.to_string().as_bytes(), entry.cid, |_| {}).unwrap();
        let record = snapshot.find(&entry.path).unwrap().unwrap();
        if records_too {
            assert_eq!(record.value().unwrap().encode(), record.block.bytes());
        }
    }
    assert_eq!(tree.finish(|_| {}), snapshot.commit().data());
}

#[test]
fn a_signed_commit_with_a_changed_byte_passes_only_as_what_it_says() {
    let Some(case) = one("ok-empty.car") else {
        return;
    };
    let clay = Clay::of(&case);
    let original = clay.commit.block().bytes();
    for at in 0..original.len() {
        for bit in 0..8 {
            let mut bytes = original.to_vec();
            bytes[at] ^= 1 << bit;
            let commit = Block::new(Codec::Cbor, bytes);
            let mut blocks = clay.blocks.clone();
            blocks.insert(0, commit.clone());
            let name = format!("bit {bit} of byte {at}");
            let bent = case.with_bytes(name, file(&blocks, commit.cid()));
            let (report, findings) = bent.verify();
            assert!(!report.is_ok(), "{}: the signature covers it", bent.name);
            assert!(bent.import(&empty_mirror()).is_err(), "{}", bent.name);
            // If it is still a commit, its bytes are the signed ones.
            if let Some(commit) = report.commit {
                let value = Value::decode(commit.block().bytes()).unwrap();
                assert_eq!(value.encode(), commit.block().bytes(), "{findings:?}");
            }
        }
    }
}
