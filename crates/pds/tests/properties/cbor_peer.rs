//! CBOR compared with another library: which bytes each of the two accepts.
//!
//! The other library also requires canonical encoding. But it reads all of DAG-CBOR, and the atproto data model is only
//! a part of it.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use ipld_core::ipld::Ipld;
use pds::data::limits::{MAX_CONTAINER_ENTRIES, MAX_MAP_KEY_BYTES, MAX_NESTING, MAX_RECORD_BYTES};
use pds::data::{DataError, Value};

use super::cbor::mutate;
use super::{Random, link};

#[test]
fn accepted_bytes_mean_the_same_to_another_library() {
    let mut random = Random(1);
    let (mut taken, mut stricter) = (0, BTreeSet::new());
    for n in 0..200_000 {
        let mut sloppy = Sloppy { random: &mut random, out: Vec::new() };
        sloppy.item(4);
        let mut bytes = sloppy.out;
        if n % 3 == 0 {
            mutate(&mut random, &mut bytes);
        }
        let hex = || HEXLOWER.encode(&bytes);
        match (Value::decode(&bytes), peer(&bytes)) {
            (Ok(value), Some((theirs, again))) => {
                assert_eq!(ipld(&value), theirs, "{}", hex());
                assert_eq!(again, bytes, "{}", hex());
                taken += 1;
            }
            (Ok(_), None) => panic!("taken here alone: {}", hex()),
            (Err(DataError::Cbor { reason, .. }), Some((_, again))) => {
                assert!(REASONS.contains(&reason), "{}: {reason}", hex());
                // The other library drops bytes after a CID inside a link, and nothing else.
                assert!(again == bytes || again.len() < bytes.len(), "{}", hex());
                stricter.insert(reason);
            }
            (Err(DataError::Cbor { .. }), None) => {}
            (Err(error), _) => panic!("{}: {error}", hex()),
        }
    }
    assert!(taken > 50_000, "{taken}");
    assert_eq!(stricter.into_iter().collect::<Vec<_>>(), REASONS);
}

#[test]
fn bytes_that_only_another_library_accepts_are_refused_for_a_known_reason() {
    let zeros = "00".repeat(32);
    let [kind, integer, float] = REASONS;
    for (reason, hex) in [
        // 1.5
        (float, "fb3ff8000000000000".to_owned()),
        // 2^63 and -2^63 - 1, the first integers that do not fit into 64 bits with a sign.
        (integer, "1b8000000000000000".to_owned()),
        (integer, "3b8000000000000000".to_owned()),
        // Links with codec dag-pb (0x70), with BLAKE3 (0x1e), and with a CID of two bytes as its own digest.
        (kind, format!("d82a58250001701220{zeros}")),
        (kind, format!("d82a58250001711e20{zeros}")),
        (kind, "d82a4700015500020102".to_owned()),
        // A link of version 0, which is SHA-256 of dag-pb.
        (kind, format!("d82a5823001220{zeros}")),
        // A byte after the CID inside a link is lost when the value is written again.
        (kind, format!("d82a58260001711220{zeros}00")),
    ] {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        let Err(DataError::Cbor { reason: found, .. }) = Value::decode(&bytes) else {
            panic!("{hex}");
        };
        assert_eq!(found, reason, "{hex}");
        assert!(peer(&bytes).is_some(), "{hex}");
    }
}

#[test]
fn another_library_goes_on_where_a_limit_is_met_here() {
    let list = |len| Value::List(vec![Value::Null; len]).encode();
    let map = |len| Value::from([("x".repeat(len), Value::Null)]).encode();
    let text = |len| Value::from("x".repeat(len)).encode();
    for bytes in [
        // 8181...8100: 65 nested arrays
        [vec![0x81; MAX_NESTING + 1], vec![0]].concat(),
        // 9a00020001f6f6...: 131,073 nulls
        list(MAX_CONTAINER_ENTRIES + 1),
        // a1792001787878...f6: a key of 8,193 bytes
        map(MAX_MAP_KEY_BYTES + 1),
        // 7a000ffffc787878...: 1,048,577 bytes in all
        text(MAX_RECORD_BYTES - 4),
    ] {
        assert!(Value::decode(&bytes).is_err());
        assert_eq!(peer(&bytes).unwrap().1, bytes);
    }
}

/// The reasons for refusing bytes that the other library accepts, apart from limits.
const REASONS: [&str; 3] = [
    "a link with an unsupported CID",
    "an integer outside the signed 64-bit range",
    "floats are not in the data model",
];

/// Returns the value that the other library reads, and the bytes that it writes for this value.
fn peer(bytes: &[u8]) -> Option<(Ipld, Vec<u8>)> {
    let value: Ipld = serde_ipld_dagcbor::from_slice(bytes).ok()?;
    let again = serde_ipld_dagcbor::to_vec(&value).unwrap();
    Some((value, again))
}

fn ipld(value: &Value) -> Ipld {
    match value {
        Value::Null => Ipld::Null,
        Value::Bool(bool) => Ipld::Bool(*bool),
        Value::Int(n) => Ipld::Integer((*n).into()),
        Value::Bytes(bytes) => Ipld::Bytes(bytes.clone()),
        Value::Text(text) => Ipld::String(text.clone()),
        Value::List(list) => Ipld::List(list.iter().map(ipld).collect()),
        Value::Map(map) => {
            let pairs = map.iter();
            Ipld::Map(pairs.map(|(k, v)| (k.to_owned(), ipld(v))).collect())
        }
        Value::Link(cid) => link(*cid),
    }
}

/// A writer of mostly canonical CBOR, with every deviation that an encoder could make.
struct Sloppy<'r> {
    random: &'r mut Random,
    out: Vec<u8>,
}

impl Sloppy<'_> {
    fn one_in(&mut self, n: usize) -> bool {
        self.random.below(n) == 0
    }

    fn head(&mut self, major: u8, n: u64) {
        let shortest = match n {
            0..=23 => 0,
            24..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        let wasted = if self.one_in(60) { 8 } else { shortest };
        let bytes = n.to_be_bytes();
        let info = match shortest.max(wasted) {
            0 => bytes[7],
            1 => 24,
            2 => 25,
            4 => 26,
            _ => 27,
        };
        self.out.push(major << 5 | info);
        let len = shortest.max(wasted);
        self.out.extend_from_slice(&bytes[8 - len..]);
    }

    fn number(&mut self) -> u64 {
        let borders = [23, 24, 255, 256, 65_535, 65_536, u64::MAX >> 1, u64::MAX];
        match self.random.below(3) {
            0 => self.random.next() >> self.random.below(64),
            1 => borders[self.random.below(borders.len())],
            _ => self.random.next() % 30,
        }
    }

    fn string(&mut self, major: u8, bytes: &[u8]) {
        self.head(major, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn link(&mut self) {
        let mut cid = vec![0, 1, 0x71, 0x12, 0x20];
        cid.extend((0..32).map(|_| self.random.byte()));
        match self.random.below(16) {
            0 => cid[1] = self.random.byte(),
            1 => cid[2] = self.random.byte() & 0x7f,
            2 => cid[3] = self.random.byte() & 0x7f,
            3 => cid[0] = 1,
            4 => cid.push(0),
            5 => cid.truncate(20),
            // The length of the digest is another one.
            6 => cid[4] = 0x1f,
            // This is a CID of version 0.
            7 => drop(cid.splice(1..3, [])),
            // This is the identity CID of two bytes.
            8 => cid = vec![0, 1, 0x55, 0, 2, 1, 2],
            9 => cid[2] = 0x55,
            _ => {}
        }
        let tag = if self.one_in(40) { 43 } else { 42 };
        self.head(6, tag);
        self.string(2, &cid);
    }

    fn item(&mut self, depth: usize) {
        let kinds = if depth == 0 { 10 } else { 14 };
        match self.random.below(kinds) {
            0 | 1 => {
                let n = self.number();
                self.head(0, n);
            }
            2 => {
                let n = self.number();
                self.head(1, n);
            }
            3 => {
                let len = self.random.below(3);
                self.string(2, &[0xff, 0][..len]);
            }
            4 | 5 => {
                let text: &[&[u8]] = &[b"", b"a", "\u{20ac}\u{1f600}".as_bytes(), b"\xed\xa0\x80"];
                let text = self.random.pick(text);
                self.string(3, text);
            }
            6 | 7 => self.link(),
            8 => {
                let simple: [&[u8]; 9] = [
                    &[0xf4],
                    &[0xf5],
                    &[0xf6],
                    &[0xf6],
                    &[0xf7],
                    &[0xf8, 0x20],
                    &[0xf9, 0x3e, 0],
                    &[0xfa, 0x3f, 0xc0, 0, 0],
                    &[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
                ];
                let simple = self.random.pick(&simple);
                self.out.extend_from_slice(simple);
            }
            9 => self.out.push(0xf6),
            10 | 11 => {
                let len = self.random.below(4);
                self.head(4, len as u64);
                for _ in 0..len {
                    self.item(depth - 1);
                }
            }
            _ => {
                let mut keys: Vec<&[u8]> = vec![b"", b"a", b"b", b"aa", b"ab", b"ba"];
                keys.retain(|_| self.random.below(2) == 0);
                if self.one_in(8) {
                    let at = self.random.below(keys.len() + 1);
                    keys.insert(at, b"b");
                }
                self.head(5, keys.len() as u64);
                for key in keys {
                    let major = if self.one_in(60) { 2 } else { 3 };
                    self.string(major, key);
                    self.item(depth - 1);
                }
            }
        }
    }
}
