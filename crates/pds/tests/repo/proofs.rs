//! Proofs: sufficient, minimal, and not valid after any change.

use std::collections::BTreeSet;
use std::sync::Arc;

use pds::Snapshot;
use pds::car::{CarError, CarReader, CarWriter};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::identity::{DidDocument, KeyHistory};
use pds::mst::{Builder, MstError, height};
use pds::syntax::RecordPath;
use pds::transfer::prove::{ProofError, verify_proof};

use super::path;

/// A repository built in one step, and the key that signed it.
struct Signed {
    snapshot: Snapshot,
    key: SigningKey,
    /// The keys of its tree in order, with their heights.
    heights: Vec<(String, u8)>,
}

impl Signed {
    fn with(paths: BTreeSet<RecordPath>) -> Self {
        let mut blocks = MemoryBlocks::default();
        let mut builder = Builder::default();
        for path in &paths {
            let record = record(path);
            let text = path.to_string();
            builder
                .push(text.as_bytes(), record.cid(), |node| {
                    blocks.insert(node);
                })
                .unwrap();
            blocks.insert(record);
        }
        let data = builder.finish(|node| {
            blocks.insert(node);
        });
        let key = SigningKey::from_bytes(Curve::K256, &[3; 32]).unwrap();
        let commit = sign(data, &key);
        blocks.insert(commit.block().clone());
        let snapshot = Snapshot::open(Arc::new(blocks), commit.cid()).unwrap();
        let with_height = |path: RecordPath| {
            let key = path.to_string();
            let height = height(key.as_bytes());
            (key, height)
        };
        Self { snapshot, key, heights: paths.into_iter().map(with_height).collect() }
    }

    fn keys(&self) -> KeyHistory {
        self.key.public_key().into()
    }

    fn prove(&self, path: &RecordPath) -> Vec<u8> {
        let mut car = Vec::new();
        let proof = self.snapshot.prove(path).unwrap();
        let written = proof.write_car(&mut car).unwrap();
        assert_eq!(written.bytes, car.len() as u64);
        assert_eq!(written.blocks, proof.blocks().count() as u64);
        car
    }

    /// Returns the minimal number of nodes, computed from the sorted list of keys alone.
    ///
    /// The node of a level is needed if a key of that level or lower is between the nearest higher keys. Otherwise the
    /// level above has no subtree there.
    fn fewest_nodes(&self, path: &RecordPath) -> usize {
        let text = path.to_string();
        let (before, after) =
            self.heights.split_at(self.heights.partition_point(|(key, _)| *key < text));
        let root = self.heights.iter().map(|(_, height)| *height).max().unwrap_or(0);
        let needed = (height(text.as_bytes())..root).rev().take_while(|level| {
            let is_lower = |(_, height): &&(String, u8)| height <= level;
            // If the key exists, it is the first of those after.
            let between = before.iter().rev().take_while(is_lower).count()
                + after.iter().take_while(is_lower).count();
            between > 0
        });
        1 + needed.count()
    }
}

fn record(path: &RecordPath) -> Block {
    let (kind, text) = (path.collection.as_str(), path.to_string());
    let value = Value::from([("$type", Value::from(kind)), ("text", Value::from(text))]);
    Block::new(Codec::Cbor, value.encode())
}

fn sign(data: Cid, key: &SigningKey) -> Commit {
    let rev = "3jzfcijpj2z2a".parse().unwrap();
    UnsignedCommit { did: super::did(), data, rev, prev: None }.sign(key).unwrap()
}

fn notes(count: usize) -> BTreeSet<RecordPath> {
    (0..count).map(|n| path(&format!("com.example.note/{n:06}"))).collect()
}

fn car_of(root: Cid, blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
    for block in blocks {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

fn blocks_of(car: &[u8]) -> Vec<Block> {
    CarReader::new(car).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Changes each byte of a proof, by one bit or by all of them, and removes each block. None of the results may be a
/// valid proof of this path.
pub(crate) fn assert_all_of_it_counts(
    car: &[u8],
    path: &RecordPath,
    keys: &KeyHistory,
    bits: impl Fn(usize) -> std::ops::Range<usize>,
) {
    let is_refused = |car: &[u8]| verify_proof(car, path, keys).is_err();
    assert!(!is_refused(car), "{path}");
    let mut changed = car.to_vec();
    for at in 0..car.len() {
        for bit in bits(at) {
            changed[at] ^= 1 << bit;
            assert!(is_refused(&changed), "{path}: bit {bit} of byte {at}");
            changed[at] = car[at];
        }
    }
    let blocks = blocks_of(car);
    for gone in 0..blocks.len() {
        let mut fewer = blocks.clone();
        let removed = fewer.remove(gone);
        let error = verify_proof(&car_of(blocks[0].cid(), &fewer)[..], path, keys).unwrap_err();
        assert!(
            matches!(error, ProofError::Missing { cid, .. } if cid == removed.cid()),
            "{path}: {error}"
        );
    }
}

/// Returns one bit for each byte, in rotation.
pub(crate) fn in_turns(at: usize) -> std::ops::Range<usize> {
    at % 8..at % 8 + 1
}

#[test]
fn a_thousand_records_of_ten_thousand_and_a_thousand_absent_ones_are_proven_with_the_fewest_nodes()
{
    let repo = Signed::with(notes(10_000));
    let keys = repo.keys();
    let present = (0..10_000).step_by(10).map(|n| (format!("com.example.note/{n:06}"), true));
    let absent = (0..1_000).map(|n| {
        let collection = ["com.example.note", "com.example.a", "org.example.z"][n % 3];
        (format!("{collection}/{:06}x", n * 10), false)
    });
    let (mut proven, mut nodes_in_all) = ([0, 0], 0);
    for (text, is_present) in present.chain(absent) {
        let path = path(&text);
        let car = repo.prove(&path);
        let found = verify_proof(&car[..], &path, &keys).unwrap();
        assert_eq!(found.record.is_some(), is_present, "{path}");
        if let Some(found) = &found.record {
            assert_eq!(found.block, record(&path));
        }
        let blocks = blocks_of(&car);
        let nodes = blocks.len() - 1 - usize::from(is_present);
        assert_eq!(nodes, repo.fewest_nodes(&path), "{path}");
        // No block of a proof can be left out. In some of the proofs, no byte can be changed either.
        let is_some = proven[usize::from(is_present)] % 50 == 0;
        let none = |_| 0..0;
        match is_some {
            true => assert_all_of_it_counts(&car, &path, &keys, in_turns),
            false => assert_all_of_it_counts(&car, &path, &keys, none),
        }
        proven[usize::from(is_present)] += 1;
        nodes_in_all += nodes;
    }
    assert_eq!(proven, [1_000, 1_000]);
    assert!(nodes_in_all > 2_000 * 3, "a tree of 10,000 is not flat: {nodes_in_all}");
}

#[test]
fn every_single_byte_of_a_proof_counts() {
    let repo = Signed::with(notes(40));
    let keys = repo.keys();
    for name in ["com.example.note/000000", "com.example.note/000017", "com.example.note/absent"] {
        let path = path(name);
        let mut car = repo.prove(&path);
        verify_proof(&car[..], &path, &keys).unwrap();
        // If a proof is cheap to verify, every other value of each byte is tried. Otherwise every bit is flipped.
        let is_cheap = name.ends_with("absent");
        for at in (0..car.len()).filter(|_| is_cheap) {
            let whole = car[at];
            for change in 1..=255 {
                car[at] = whole ^ change;
                assert!(verify_proof(&car[..], &path, &keys).is_err(), "{name} {at} {change}");
            }
            car[at] = whole;
        }
        assert_all_of_it_counts(&car, &path, &keys, |_| 0..8);
        for end in 0..car.len() {
            assert!(verify_proof(&car[..end], &path, &keys).is_err(), "{name} cut at {end}");
        }
        for more in [&[0][..], &[1, 0], &car.clone()] {
            let longer = [&car, more].concat();
            assert!(verify_proof(&longer[..], &path, &keys).is_err(), "{name} and {}", more.len());
        }
    }
}

#[test]
fn a_proof_holds_what_is_needed_once_and_nothing_else_in_any_order() {
    let repo = Signed::with(notes(40));
    let (here, keys) = (path("com.example.note/000017"), repo.keys());
    let blocks = blocks_of(&repo.prove(&here));
    let root = blocks[0].cid();
    let check = |blocks: &[Block]| verify_proof(&car_of(root, blocks)[..], &here, &keys);

    let mut turned = blocks.clone();
    turned.reverse();
    check(&turned).unwrap();

    let mut twice = blocks.clone();
    twice.push(blocks[1].clone());
    assert!(
        matches!(check(&twice), Err(ProofError::Repeated { cid, .. }) if cid == blocks[1].cid())
    );
    let stranger = Block::new(Codec::Cbor, *b"\xa0");
    let mut more = blocks.clone();
    more.push(stranger.clone());
    assert!(matches!(check(&more), Err(ProofError::Unneeded { cid }) if cid == stranger.cid()));
    let many: Vec<Block> =
        (0..200).map(|n| Block::new(Codec::Cbor, Value::Int(n).encode())).collect();
    assert!(matches!(check(&many), Err(ProofError::TooLarge { .. })));
    let large: Vec<Block> =
        (0..5).map(|n| Block::new(Codec::Raw, vec![n; 5 * 1024 * 1024])).collect();
    assert!(matches!(check(&large), Err(ProofError::TooLarge { .. })));

    // A proof of another record or of another state is not valid.
    let other = path("com.example.note/000018");
    assert!(verify_proof(&car_of(root, &blocks)[..], &other, &keys).is_err());
    for mut wrong in [blocks.clone(), blocks.clone()] {
        let last = wrong.len() - 1;
        wrong[last] = record(&other);
        assert!(matches!(check(&wrong), Err(ProofError::Missing { what: "the record", .. })));
    }
    // A header with no root, with two, or with another root is not valid.
    for roots in [vec![], vec![root, root], vec![blocks[1].cid()]] {
        let mut car = CarWriter::new(Vec::new(), &roots).unwrap();
        blocks.iter().for_each(|block| car.block(block.borrowed()).unwrap());
        let error = verify_proof(&car.finish().unwrap()[..], &here, &keys).unwrap_err();
        assert!(matches!(error, ProofError::Header | ProofError::Commit(_)), "{error}");
    }
    let header = Value::from([
        ("roots", Value::List(vec![Value::Link(root)])),
        ("version", Value::Int(1)),
        ("note", Value::from("from me")),
    ])
    .encode();
    let whole = car_of(root, &blocks);
    let mut car = vec![u8::try_from(header.len()).unwrap()];
    car.extend(header);
    car.extend(&whole[59..]);
    assert!(matches!(verify_proof(&car[..], &here, &keys), Err(ProofError::Header)));
    assert!(matches!(
        verify_proof(&b"no CAR"[..], &here, &keys),
        Err(ProofError::Car(CarError::Header { .. } | CarError::Truncated { .. }))
    ));
}

#[test]
fn a_proof_is_worth_what_its_signature_is() {
    let repo = Signed::with(notes(3));
    let here = path("com.example.note/000001");
    let car = repo.prove(&here);
    let stranger = SigningKey::from_bytes(Curve::P256, &[4; 32]).unwrap();
    let error = verify_proof(&car[..], &here, &stranger.public_key().into()).unwrap_err();
    assert!(matches!(error, ProofError::Signature { .. }), "{error}");

    // The same tree under a commit of another account.
    let mut blocks = blocks_of(&car);
    let forged = sign(repo.snapshot.commit().data(), &stranger);
    blocks[0] = forged.block().clone();
    let forged = car_of(forged.cid(), &blocks);
    assert!(verify_proof(&forged[..], &here, &repo.keys()).is_err());
    verify_proof(&forged[..], &here, &stranger.public_key().into()).unwrap();

    // The key is right, but the account is another one.
    let document = |did: &str| {
        let key = repo.key.public_key().multikey();
        let json = format!(
            "{{\"id\":\"{did}\",\"verificationMethod\":[{{\"id\":\"#atproto\",\"type\":\"Multikey\",\
             \"controller\":\"{did}\",\"publicKeyMultibase\":\"{key}\"}}]}}"
        );
        DidDocument::parse(&json).unwrap().key_history()
    };
    let did = super::did();
    verify_proof(&car[..], &here, &document(did.as_str())).unwrap();
    let error = verify_proof(&car[..], &here, &document("did:web:bob.example.com")).unwrap_err();
    assert!(matches!(error, ProofError::WrongDid { .. }), "{error}");
}

#[test]
fn an_empty_repository_proves_that_there_is_nothing() {
    let repo = Signed::with(BTreeSet::new());
    let here = path("com.example.note/a");
    let car = repo.prove(&here);
    assert_eq!(blocks_of(&car).len(), 2, "the commit and the empty node");
    assert!(verify_proof(&car[..], &here, &repo.keys()).unwrap().record.is_none());
}

#[test]
fn nodes_that_a_tree_cannot_have_prove_nothing() {
    // By its place, the subtree must be before the key of the root. But it has a later key.
    let of_height = |wanted: u8, prefix: &str| {
        (0..)
            .map(|n| format!("com.example.note/{prefix}{n:06}"))
            .find(|key| height(key.as_bytes()) == wanted)
            .unwrap()
    };
    let (root_key, later) = (of_height(1, "m"), of_height(0, "z"));
    let value = Cid::of(Codec::Cbor, b"\xa0");
    let node = |key: &str, left: Option<Cid>| {
        let entry = Value::from([
            ("k", Value::from(key.as_bytes())),
            ("p", Value::Int(0)),
            ("t", Value::Null),
            ("v", Value::Link(value)),
        ]);
        let left = left.map_or(Value::Null, Value::Link);
        Block::new(
            Codec::Cbor,
            Value::from([("e", Value::List(vec![entry])), ("l", left)]).encode(),
        )
    };
    let child = node(&later, None);
    let root = node(&root_key, Some(child.cid()));
    let key = SigningKey::from_bytes(Curve::K256, &[3; 32]).unwrap();
    let commit = sign(root.cid(), &key);
    let blocks = [commit.block().clone(), root, child];
    let here = path(&of_height(0, "a"));
    let refused = verify_proof(&car_of(commit.cid(), &blocks)[..], &here, &key.public_key().into());
    assert!(matches!(refused, Err(ProofError::Mst(MstError::Invalid { .. }))), "{refused:?}");
    let snapshot =
        Snapshot::open(Arc::new(blocks.into_iter().collect::<MemoryBlocks>()), commit.cid());
    assert!(snapshot.unwrap().prove(&here).is_err());
}
