//! A reproducible repository in memory.

use std::error::Error;
use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::CarWriter;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::Builder;
use pds::store::MemoryStore;
use pds::syntax::{RecordPath, Tid};
use pds::transfer::export::export_car;
use pds::{Repo, Snapshot};

/// The repository, and its CAR file in two orders.
pub(crate) struct Account {
    /// The records in the order of their keys.
    pub(crate) records: Vec<(RecordPath, Block)>,
    pub(crate) snapshot: Snapshot,
    pub(crate) streamable: Vec<u8>,
    pub(crate) sorted: Vec<u8>,
}

impl Account {
    /// Makes a repository. Half of its records are likes, the others are posts and follows.
    pub(crate) fn make(count: u32) -> Result<Self, Box<dyn Error>> {
        let mut records: Vec<(RecordPath, Block)> =
            (0..count).map(record).collect::<Result<_, Box<dyn Error>>>()?;
        records.sort_by_key(|(path, _)| path.to_string());

        let mut blocks = MemoryBlocks::default();
        let mut builder = Builder::default();
        for (path, block) in &records {
            builder.push(path.to_string().as_bytes(), block.cid(), |node| {
                blocks.insert(node);
            })?;
            blocks.insert(block.clone());
        }
        let data = builder.finish(|node| {
            blocks.insert(node);
        });
        let (did, rev) = ("did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?, tid(count));
        let key = SigningKey::from_bytes(Curve::K256, &[7; 32])?;
        let commit = UnsignedCommit { did, data, rev, prev: None }.sign(&key)?;
        blocks.insert(commit.block().clone());

        let sorted = sorted_car(&blocks, commit.cid())?;
        let snapshot = Snapshot::open(Arc::new(blocks), commit.cid())?;
        let mut streamable = Vec::new();
        export_car(&snapshot, &mut streamable, &mut |_| {})?;
        Ok(Self { records, snapshot, streamable, sorted })
    }

    /// Imports the repository into a store in memory.
    pub(crate) fn repo(&self) -> Result<Repo, Box<dyn Error>> {
        let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        repo.transfer().import_file(Cursor::new(&self.streamable), None)?;
        Ok(repo)
    }
}

fn sorted_car(blocks: &MemoryBlocks, root: Cid) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut blocks: Vec<&Block> = blocks.iter().collect();
    blocks.sort_unstable_by_key(|block| (block.cid() != root, block.cid()));
    let mut car = CarWriter::new(Vec::new(), &[root])?;
    for block in blocks {
        car.block(block.borrowed())?;
    }
    Ok(car.finish()?)
}

fn record(number: u32) -> Result<(RecordPath, Block), Box<dyn Error>> {
    let subject = Cid::of(Codec::Cbor, &number.to_be_bytes()).to_string();
    let uri = format!("at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/{}", tid(number));
    let (collection, field, value) = match number % 10 {
        0..5 => {
            let of = Value::from([("cid", subject.into()), ("uri", Value::from(uri))]);
            ("app.bsky.feed.like", "subject", of)
        }
        5..8 => ("app.bsky.feed.post", "text", format!("{uri} is what {subject} says").into()),
        _ => ("app.bsky.graph.follow", "subject", "did:plc:z72i7hdynmk6r22z27h6tvur".into()),
    };
    let record = Value::from([
        ("$type", Value::from(collection)),
        ("createdAt", format!("2024-02-29T12:34:56.{number:03}Z").into()),
        ("langs", Value::List(vec!["en".into(), "de".into()])),
        (field, value),
    ]);
    let path = RecordPath::new(collection.parse()?, tid(number).into());
    Ok((path, Block::new(Codec::Cbor, record.encode())))
}

fn tid(number: u32) -> Tid {
    Tid::from_u64((1_700_000_000_000_000 + u64::from(number) * 61_803_398) << 10)
}
