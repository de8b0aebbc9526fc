//! Proofs: sufficient, minimal, and not valid after any change.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use pds::Snapshot;
use pds::car::{CarError, CarReader, CarWriter};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::identity::{DidDocument, KeyHistory};
use pds::mst::{Builder, MstError, height};
use pds::syntax::RecordPath;
use pds::transfer::prove::{ProofError, Proven, verify_proof};

use super::path;

/// A repository built in one step, and the key that signed it.
pub(super) struct Signed {
    snapshot: Snapshot,
    key: SigningKey,
    /// The start of the random numbers that made it.
    origin: u64,
    /// The keys of its tree in order, with their heights.
    heights: Vec<(String, u8)>,
}

impl Signed {
    fn with(paths: BTreeSet<RecordPath>) -> Self {
        Self::by(SigningKey::from_bytes(Curve::K256, &[3; 32]).unwrap(), paths, 0)
    }

    pub(super) fn by(key: SigningKey, paths: BTreeSet<RecordPath>, origin: u64) -> Self {
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
        let commit = sign(data, &key);
        blocks.insert(commit.block().clone());
        let snapshot = Snapshot::open(Arc::new(blocks), commit.cid()).unwrap();
        let with_height = |path: RecordPath| {
            let key = path.to_string();
            let height = height(key.as_bytes());
            (key, height)
        };
        Self { snapshot, key, origin, heights: paths.into_iter().map(with_height).collect() }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) fn origin(&self) -> u64 {
        self.origin
    }

    pub(super) fn keys(&self) -> KeyHistory {
        self.key.public_key().into()
    }

    pub(super) fn prove(&self, path: &RecordPath) -> Vec<u8> {
        let mut car = Vec::new();
        let proof = self.snapshot.prove(path).unwrap();
        let written = proof.write_car(&mut car).unwrap();
        assert_eq!(written.bytes, car.len() as u64);
        assert_eq!(written.blocks, proof.blocks().count() as u64);
        car
    }

    /// Returns the number of nodes down to a level, computed from the sorted list of keys alone.
    ///
    /// A level has a node if a key of that level or lower is between the nearest higher keys. Otherwise the level above
    /// has no subtree there.
    fn nodes_down_to(&self, lowest: u8, text: &str) -> usize {
        let (before, after) =
            self.heights.split_at(self.heights.partition_point(|(key, _)| **key < *text));
        let root = self.heights.iter().map(|(_, height)| *height).max().unwrap_or(0);
        let needed = (lowest..root).rev().take_while(|level| {
            let is_lower = |(_, height): &&(String, u8)| height <= level;
            // If the key exists, it is the first of those after.
            let between = before.iter().rev().take_while(is_lower).count()
                + after.iter().take_while(is_lower).count();
            between > 0
        });
        1 + needed.count()
    }
}

pub(super) fn record(path: &RecordPath) -> Block {
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

pub(super) fn car_of(root: Cid, blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
    for block in blocks {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

pub(super) fn blocks_of(car: &[u8]) -> Vec<Block> {
    CarReader::new(car).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Verifies a proof in memory.
pub(crate) fn proven(
    car: &[u8],
    path: &RecordPath,
    keys: &KeyHistory,
) -> Result<Proven, ProofError> {
    verify_proof(Cursor::new(car), path, keys)
}

/// Changes each byte of a proof, by one bit or by all of them, and removes each block. None of the results may be a
/// proof of this path as `prove` writes it. Only nodes below the level of an absent key may be missing.
pub(crate) fn assert_all_of_it_counts(
    car: &[u8],
    path: &RecordPath,
    keys: &KeyHistory,
    bits: impl Fn(usize) -> std::ops::Range<usize>,
) {
    let is_refused = |car: &[u8]| proven(car, path, keys).is_err();
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
        match proven(&car_of(blocks[0].cid(), &fewer)[..], path, keys) {
            Err(error) => assert!(
                matches!(error, ProofError::Missing { cid, .. } if cid == removed.cid()),
                "{path}: {error}"
            ),
            Ok(short) => {
                assert!(short.record.is_none(), "{path}");
                assert_eq!(short.ends_above, Some(removed.cid()), "{path}");
                assert!(matches!(short.require_exact(), Err(ProofError::Short { .. })), "{path}");
            }
        }
    }
}

/// Returns one bit for each byte, in rotation.
pub(crate) fn in_turns(at: usize) -> std::ops::Range<usize> {
    at % 8..at % 8 + 1
}

#[test]
fn a_thousand_records_of_ten_thousand_and_a_thousand_absent_ones_are_proven() {
    let repo = Signed::with(notes(10_000));
    let keys = repo.keys();
    let present = (0..10_000).step_by(10).map(|n| (format!("com.example.note/{n:06}"), true));
    let absent = (0..1_000).map(|n| {
        let collection = ["com.example.note", "com.example.a", "org.example.z"][n % 3];
        (format!("{collection}/{:06}x", n * 10), false)
    });
    let (mut counts, mut nodes_in_all, mut shorter) = ([0, 0], 0, 0);
    for (text, is_present) in present.chain(absent) {
        let path = path(&text);
        let car = repo.prove(&path);
        let found = proven(&car, &path, &keys).unwrap();
        assert_eq!(found.record.is_some(), is_present, "{path}");
        if let Some(found) = &found.record {
            assert_eq!(found.block, record(&path));
        }
        let blocks = blocks_of(&car);
        let nodes = blocks.len() - 1 - usize::from(is_present);
        let height = height(text.as_bytes());
        let shortest = repo.nodes_down_to(height, &text);
        let whole = if is_present { shortest } else { repo.nodes_down_to(0, &text) };
        assert_eq!(nodes, whole, "{path}");
        found.require_exact().unwrap();
        if shortest < whole {
            let short = car_of(blocks[0].cid(), &blocks[..=shortest]);
            assert_eq!(
                proven(&short, &path, &keys).unwrap().ends_above,
                Some(blocks[shortest + 1].cid())
            );
            proven(&car_of(blocks[0].cid(), &blocks[..shortest]), &path, &keys).unwrap_err();
            shorter += 1;
        }
        // No block of a proof can be left out. In some of the proofs, no byte can be changed either.
        let is_some = counts[usize::from(is_present)] % 50 == 0;
        let none = |_| 0..0;
        match is_some {
            true => assert_all_of_it_counts(&car, &path, &keys, in_turns),
            false => assert_all_of_it_counts(&car, &path, &keys, none),
        }
        counts[usize::from(is_present)] += 1;
        nodes_in_all += nodes;
    }
    assert_eq!(counts, [1_000, 1_000]);
    assert!(shorter > 100, "{shorter} proofs of absence have a shorter form");
    assert!(nodes_in_all > 2_000 * 3, "a tree of 10,000 is not flat: {nodes_in_all}");
}

#[test]
fn every_single_byte_of_a_proof_counts() {
    let repo = Signed::with(notes(40));
    let keys = repo.keys();
    for name in ["com.example.note/000000", "com.example.note/000017", "com.example.note/absent"] {
        let path = path(name);
        let mut car = repo.prove(&path);
        proven(&car, &path, &keys).unwrap();
        // If a proof is cheap to verify, every other value of each byte is tried. Otherwise every bit is flipped.
        let is_cheap = name.ends_with("absent");
        for at in (0..car.len()).filter(|_| is_cheap) {
            let whole = car[at];
            for change in 1..=255 {
                car[at] = whole ^ change;
                assert!(proven(&car, &path, &keys).is_err(), "{name} {at} {change}");
            }
            car[at] = whole;
        }
        assert_all_of_it_counts(&car, &path, &keys, |_| 0..8);
        for end in 0..car.len() {
            assert!(proven(&car[..end], &path, &keys).is_err(), "{name} cut at {end}");
        }
        for more in [&[0][..], &[1, 0], &car.clone()] {
            let longer = [&car, more].concat();
            assert!(proven(&longer, &path, &keys).is_err(), "{name} and {}", more.len());
        }
    }
}

#[test]
fn other_blocks_and_any_order_leave_a_proof_valid_but_not_exact() {
    let repo = Signed::with(notes(40));
    let (here, keys) = (path("com.example.note/000017"), repo.keys());
    let blocks = blocks_of(&repo.prove(&here));
    let root = blocks[0].cid();
    let check = |blocks: &[Block]| proven(&car_of(root, blocks), &here, &keys);

    let mut turned = blocks.clone();
    turned.reverse();
    check(&turned).unwrap().require_exact().unwrap();

    let twice = check(&[&blocks[..], &blocks[1..2]].concat()).unwrap();
    assert_eq!((twice.unneeded, twice.repeated), (0, 1));
    assert!(matches!(twice.require_exact(), Err(ProofError::Repeated { count: 1 })));
    let stranger = Block::new(Codec::Cbor, *b"\xa0");
    let more = check(&[&blocks[..], std::slice::from_ref(&stranger)].concat()).unwrap();
    assert_eq!((more.unneeded, more.one_unneeded), (1, Some(stranger.cid())));
    assert!(
        matches!(more.require_exact(), Err(ProofError::Unneeded { count: 1, cid }) if cid == stranger.cid())
    );
    // Each block is hashed, even if the proof does not need it.
    let mut damaged = car_of(root, &[&blocks[..], &[stranger]].concat());
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(proven(&damaged, &here, &keys), Err(ProofError::Car(_))));

    // A proof of another record or of another state is not valid.
    let other = path("com.example.note/000018");
    assert!(proven(&car_of(root, &blocks)[..], &other, &keys).is_err());
    for mut wrong in [blocks.clone(), blocks.clone()] {
        let last = wrong.len() - 1;
        wrong[last] = record(&other);
        assert!(matches!(check(&wrong), Err(ProofError::Missing { what: "the record", .. })));
    }
    // A header with no root, with two, or with another root is not valid.
    for roots in [vec![], vec![root, root], vec![blocks[1].cid()]] {
        let mut car = CarWriter::new(Vec::new(), &roots).unwrap();
        blocks.iter().for_each(|block| car.block(block.borrowed()).unwrap());
        let error = proven(&car.finish().unwrap()[..], &here, &keys).unwrap_err();
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
    assert!(matches!(proven(&car, &here, &keys), Err(ProofError::Header)));
    assert!(matches!(
        proven(&b"no CAR"[..], &here, &keys),
        Err(ProofError::Car(CarError::Header { .. } | CarError::Truncated { .. }))
    ));
}

#[test]
fn a_whole_export_proves_every_path() {
    let repo = Signed::with(notes(300));
    let keys = repo.keys();
    let mut export = Vec::new();
    pds::transfer::export::export_car(&repo.snapshot, &mut export, &mut |_| {}).unwrap();
    for n in (0..300).step_by(7) {
        for (text, is_present) in [(format!("{n:06}"), true), (format!("{n:06}x"), false)] {
            let path = path(&format!("com.example.note/{text}"));
            let found = proven(&export, &path, &keys).unwrap();
            assert_eq!(found.record.is_some(), is_present, "{path}");
            assert_eq!((found.ends_above, found.repeated), (None, 0), "{path}");
            let exact = blocks_of(&repo.prove(&path)).len();
            assert_eq!(found.unneeded, (blocks_of(&export).len() - exact) as u64, "{path}");
            found.require_exact().unwrap_err();
        }
    }
}

#[test]
fn a_proof_is_worth_what_its_signature_is() {
    let repo = Signed::with(notes(3));
    let here = path("com.example.note/000001");
    let car = repo.prove(&here);
    let stranger = SigningKey::from_bytes(Curve::P256, &[4; 32]).unwrap();
    let error = proven(&car, &here, &stranger.public_key().into()).unwrap_err();
    assert!(matches!(error, ProofError::Signature { .. }), "{error}");

    // The same tree under a commit of another account.
    let mut blocks = blocks_of(&car);
    let forged = sign(repo.snapshot.commit().data(), &stranger);
    blocks[0] = forged.block().clone();
    let forged = car_of(forged.cid(), &blocks);
    assert!(proven(&forged, &here, &repo.keys()).is_err());
    proven(&forged, &here, &stranger.public_key().into()).unwrap();

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
    proven(&car, &here, &document(did.as_str())).unwrap();
    let error = proven(&car, &here, &document("did:web:bob.example.com")).unwrap_err();
    assert!(matches!(error, ProofError::WrongDid { .. }), "{error}");
}

#[test]
fn an_empty_repository_proves_that_there_is_nothing() {
    let repo = Signed::with(BTreeSet::new());
    let here = path("com.example.note/a");
    let car = repo.prove(&here);
    assert_eq!(blocks_of(&car).len(), 2, "the commit and the empty node");
    assert!(proven(&car, &here, &repo.keys()).unwrap().record.is_none());
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
    let refused = proven(&car_of(commit.cid(), &blocks)[..], &here, &key.public_key().into());
    assert!(matches!(refused, Err(ProofError::Mst(MstError::Invalid { .. }))), "{refused:?}");
    let snapshot =
        Snapshot::open(Arc::new(blocks.into_iter().collect::<MemoryBlocks>()), commit.cid());
    assert!(snapshot.unwrap().prove(&here).is_err());
}
