//! Repositories as people have them, made up, and the same each time.
//!
//! Three of ten records are posts, half are likes, a fifth are follows. Record keys are TIDs of one
//! account that was used for two years.

use std::collections::BTreeMap;

use anyhow::Result;
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::Builder;
use pds::syntax::{Did, Tid};

/// Random numbers that are the same on every machine (splitmix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is less than a usize")
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

/// A repository in memory: every block, the commit, and the records in key order.
pub(crate) struct Generated {
    pub(crate) commit: Commit,
    pub(crate) blocks: MemoryBlocks,
}

/// Makes the repository with this many records; the other one has 100 keys that differ.
pub(crate) fn repository(records: usize, other: bool) -> Result<Generated> {
    let mut content: BTreeMap<String, Vec<u8>> = account_records().take(records).collect();
    if other {
        change(&mut content);
    }
    let mut blocks = MemoryBlocks::default();
    let mut builder = Builder::default();
    for (key, bytes) in content {
        let record = Block::new(Codec::Cbor, bytes);
        builder.push(key.as_bytes(), record.cid(), |node| {
            blocks.insert(node);
        })?;
        blocks.insert(record);
    }
    let data = builder.finish(|node| {
        blocks.insert(node);
    });
    // The other one is the later state.
    let micros = FIRST_MICROS + 2 * YEAR_MICROS + u64::from(other);
    let rev = Tid::new(micros, CLOCK_ID).expect("it is after 1970");
    let commit = UnsignedCommit { did: did(), data, rev, prev: None }.sign(&key()?)?;
    blocks.insert(commit.block().clone());
    Ok(Generated { commit, blocks })
}

/// Records that are in no repository of [`repository`], keys ascending as a server makes them.
pub(crate) fn new_records() -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut numbers = Numbers::seeded(SEED + 1);
    let mut micros = FIRST_MICROS + 3 * YEAR_MICROS;
    std::iter::repeat_with(move || {
        micros += 1 + numbers.next() % 1_000_000;
        record(&mut numbers, micros)
    })
}

/// Returns records that are new in a repository of this many records, scattered over the time of its records.
pub(crate) fn scattered_records(records: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut numbers = Numbers::seeded(SEED + 3);
    // On average, 61 seconds lie between two records of the account.
    let span = records as u64 * 61_000_000;
    std::iter::repeat_with(move || {
        let micros = FIRST_MICROS + numbers.next() % span;
        record(&mut numbers, micros)
    })
}

/// The key that signs the repositories.
pub(crate) fn key() -> Result<SigningKey> {
    Ok(SigningKey::from_bytes(Curve::K256, &[7; 32])?)
}

pub(crate) fn did() -> Did {
    "did:plc:benchbenchbenchbenchben2".parse().expect("a DID as the directory makes them")
}

/// The records of the account in the order of their time: seconds to minutes lie between them.
pub(crate) fn account_records() -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut numbers = Numbers::seeded(SEED);
    let mut micros = FIRST_MICROS;
    std::iter::repeat_with(move || {
        micros += 1_000_000 + numbers.next() % 120_000_000;
        record(&mut numbers, micros)
    })
}

/// 40 records more, 30 with other content, 30 less.
fn change(content: &mut BTreeMap<String, Vec<u8>>) {
    let mut numbers = Numbers::seeded(SEED + 2);
    let mut keys: Vec<String> = content.keys().cloned().collect();
    numbers.shuffle(&mut keys);
    for key in keys.drain(..30) {
        content.remove(&key);
    }
    for key in keys.drain(..30) {
        let value =
            Value::from([("$type", Value::from("app.bsky.feed.post")), ("text", "edited".into())]);
        content.insert(key, value.encode());
    }
    content.extend(new_records().take(40));
}

fn record(numbers: &mut Numbers, micros: u64) -> (String, Vec<u8>) {
    let tid = Tid::new(micros, CLOCK_ID).expect("it is after 1970");
    let (collection, value) = match numbers.below(10) {
        0..3 => ("app.bsky.feed.post", post(numbers, micros)),
        3..8 => ("app.bsky.feed.like", like(numbers, micros)),
        _ => ("app.bsky.graph.follow", follow(numbers, micros)),
    };
    (format!("{collection}/{tid}"), value.encode())
}

fn post(numbers: &mut Numbers, micros: u64) -> Value {
    let mut text = String::new();
    let length = 40 + numbers.below(200);
    while text.len() < length {
        text.push_str(WORDS[numbers.below(WORDS.len())]);
        text.push(' ');
    }
    let mut fields = vec![
        ("$type", Value::from("app.bsky.feed.post")),
        ("createdAt", created(micros)),
        ("langs", Value::List(vec!["en".into()])),
        ("text", text.trim_end().into()),
    ];
    if numbers.below(4) == 0 {
        let (root, parent) = (strong_ref(numbers, micros), strong_ref(numbers, micros));
        fields.push(("reply", Value::from([("root", root), ("parent", parent)])));
    }
    Value::Map(fields.into_iter().collect())
}

fn like(numbers: &mut Numbers, micros: u64) -> Value {
    Value::from([
        ("$type", "app.bsky.feed.like".into()),
        ("createdAt", created(micros)),
        ("subject", strong_ref(numbers, micros)),
    ])
}

fn follow(numbers: &mut Numbers, micros: u64) -> Value {
    Value::from([
        ("$type", "app.bsky.graph.follow".into()),
        ("createdAt", created(micros)),
        ("subject", account(numbers).into()),
    ])
}

/// A post of another account: at-uri and CID.
fn strong_ref(numbers: &mut Numbers, micros: u64) -> Value {
    let earlier = micros - numbers.next() % (24 * 3600 * 1_000_000);
    let tid = Tid::new(earlier, CLOCK_ID).expect("it is after 1970");
    let uri = format!("at://{}/app.bsky.feed.post/{tid}", account(numbers));
    let cid = Cid::of(Codec::Cbor, &numbers.next().to_le_bytes());
    Value::from([("cid", cid.to_string().into()), ("uri", Value::from(uri))])
}

fn account(numbers: &mut Numbers) -> String {
    const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let name: String = (0..24).map(|_| char::from(BASE32[numbers.below(32)])).collect();
    format!("did:plc:{name}")
}

fn created(micros: u64) -> Value {
    let millis = i64::try_from(micros / 1_000).expect("a time of this century");
    let time = jiff::Timestamp::from_millisecond(millis).expect("a time of this century");
    format!("{time:.3}").into()
}

const SEED: u64 = 20_231_117;
const CLOCK_ID: u16 = 23;
const FIRST_MICROS: u64 = 1_700_000_000_000_000;
const YEAR_MICROS: u64 = 365 * 24 * 3600 * 1_000_000;

const WORDS: [&str; 32] = [
    "the",
    "and",
    "morning",
    "garden",
    "is",
    "a",
    "quiet",
    "river",
    "through",
    "old",
    "cities",
    "we",
    "walked",
    "until",
    "evening",
    "light",
    "fell",
    "on",
    "stone",
    "while",
    "birds",
    "sang",
    "about",
    "summer",
    "café",
    "people",
    "remembers",
    "how",
    "it",
    "began",
    "✨",
    "again",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pds::mst::diff;

    use super::*;

    #[test]
    fn the_shares_and_sizes_are_those_of_an_account() {
        let mut sizes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (key, bytes) in account_records().take(10_000) {
            let collection = key.split_once('/').unwrap().0.to_owned();
            sizes.entry(collection).or_default().push(bytes.len());
        }
        let share = |collection: &str| sizes[collection].len() / 100;
        assert!(
            (29..=31).contains(&share("app.bsky.feed.post")),
            "{}",
            share("app.bsky.feed.post")
        );
        assert!(
            (49..=51).contains(&share("app.bsky.feed.like")),
            "{}",
            share("app.bsky.feed.like")
        );
        let posts = &sizes["app.bsky.feed.post"];
        let mean = posts.iter().sum::<usize>() / posts.len();
        assert!((270..=330).contains(&mean), "a post has {mean} bytes");
    }

    #[test]
    fn it_is_the_same_each_time_and_signed() {
        let (one, two) = (repository(300, false).unwrap(), repository(300, false).unwrap());
        assert_eq!(one.commit.cid(), two.commit.cid());
        one.commit.verify(&pds::crypto::Signer::public_key(&key().unwrap())).unwrap();
    }

    #[test]
    fn the_other_one_is_a_hundred_keys_apart() {
        let (mut one, two) = (repository(300, false).unwrap(), repository(300, true).unwrap());
        for block in two.blocks.iter() {
            one.blocks.insert(block.clone());
        }
        let (before, after) = (Some(one.commit.data()), Some(two.commit.data()));
        assert_eq!(diff(&one.blocks, before, after).count(), 100);
    }
}
