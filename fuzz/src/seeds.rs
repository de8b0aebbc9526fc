//! The first inputs of the fuzz targets, made of the sample account.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pds::car::CarReader;
use pds::commit::Commit;
use pds::data::{Block, Value};
use pds::sync::{
    AccountEvent, Event, Frame, IdentityEvent, InfoEvent, State, build_commit, build_sync,
};
use pds::syntax::Datetime;

use crate::{input_of, linked_blocks, stored};

/// Writes the inputs as `DIR/TARGET/…`, if the variable `FUZZ_SEEDS` names a directory, and ends the process.
///
/// All code here is compiled for a fuzzer, and only targets link to one. So a target has to call this.
pub fn write_if_asked() {
    if let Some(to) = std::env::var_os("FUZZ_SEEDS") {
        if let Err(error) = write_to(PathBuf::from(to)) {
            eprintln!("the seeds cannot be written: {error}");
            std::process::exit(1);
        }
        std::process::exit(0);
    }
}

fn write_to(to: PathBuf) -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let seeds = Seeds { to };
    for name in ["sample.car", "sample-earlier.car", "plc/bob.car", "plc/bob-2025-04.car"] {
        let bytes = fs::read(data.join(name))?;
        let blocks = blocks_of(&bytes)?;
        seeds.write("car", &bytes)?;
        for block in &blocks {
            seeds.write("cbor", block.bytes())?;
            seeds.write("commit", block.bytes())?;
            seeds.write("node", block.bytes())?;
            if let Ok(value) = Value::decode(block.bytes()) {
                seeds.write("json", value.to_json().as_bytes())?;
            }
        }
        let whole = input_of(&blocks);
        if linked_blocks(&whole) != blocks {
            return Err("the input is not the blocks that it was made of".into());
        }
        seeds.write("event", &whole)?;
        for frame in frames_of(&blocks)? {
            seeds.write("frame", &frame)?;
        }
        for target in ["verify", "proof"] {
            seeds.write(target, &whole)?;
            seeds.write(target, &bytes)?;
        }
        // The last block is the commit. The one before it is the root of the tree.
        seeds.write("tree", &input_of(&blocks[..blocks.len() - 1]))?;
    }
    seeds.write("did_document", &fs::read(data.join("did.json"))?)?;
    seeds.write("did_document", &fs::read(data.join("plc/bob.did.json"))?)?;
    for name in ["plc/bob.plc.json", "plc/bob-2025-04.plc.json"] {
        let log = fs::read_to_string(data.join(name))?;
        seeds.write("plc_log", log.as_bytes())?;
        let log = Value::parse_json(&log)?;
        for operation in log.as_list().unwrap_or_default().iter().filter_map(|e| e.get("operation"))
        {
            seeds.write("plc_operation", operation.to_json().as_bytes())?;
        }
    }
    for name in NAMES {
        seeds.write("names", name.as_bytes())?;
    }
    Ok(())
}

/// Returns frames with the events of a commit, which is the last block, and of its account.
fn frames_of(blocks: &[Block]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let commit = Commit::decode(blocks.last().ok_or("no commit")?)?;
    let stored = stored(blocks);
    let time: Datetime = "2026-11-21T23:38:15.863Z".parse()?;
    let (seq, did) = (7, commit.did().clone());
    let state = State { commit: &commit, blocks: &stored };
    let account = AccountEvent {
        seq,
        did: did.clone(),
        active: false,
        status: Some("deactivated".to_owned()),
        time: time.to_string(),
    };
    let handle = Some("alice.example.com".parse()?);
    let identity = IdentityEvent { seq, did, handle, time: time.to_string() };
    let info = InfoEvent { name: "OutdatedCursor".to_owned(), message: None };
    let events = [
        Event::Commit(build_commit(None, state, seq, &time)?),
        Event::Sync(build_sync(&commit, seq, &time)?),
        Event::Identity(identity),
        Event::Account(account),
        Event::Info(info),
    ];
    Ok(events.into_iter().map(|event| Frame::from(event).encode()).collect())
}

/// Where the inputs are written.
struct Seeds {
    to: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, input: &[u8]) -> Result<(), Box<dyn Error>> {
        let dir = self.to.join(target);
        fs::create_dir_all(&dir)?;
        let number = fs::read_dir(&dir)?.count();
        Ok(fs::write(dir.join(format!("seed-{number:04}")), input)?)
    }
}

/// Returns the blocks of a file, each after the blocks that it links to. Exports have them in the opposite order.
fn blocks_of(bytes: &[u8]) -> Result<Vec<Block>, Box<dyn Error>> {
    let mut reader = CarReader::new(bytes)?;
    let mut blocks = Vec::new();
    while let Some(section) = reader.next_section()? {
        blocks.push(section.block.to_block());
    }
    blocks.reverse();
    Ok(blocks)
}

const NAMES: [&str; 16] = [
    "did:plc:63pkxhemu6bbfv2acr7222ci",
    "did:web:alice.example.com",
    "alice.example.com",
    "app.bsky.feed.post",
    "app.bsky.feed.post/3lqm6zz2pkf27",
    "3lqm6zz2pkf27",
    "at://did:web:alice.example.com/app.bsky.feed.post/3lqm6zz2pkf27",
    "at://alice.example.com/app.bsky.feed.post",
    "2025-06-29T08:01:04.123Z",
    "pt-BR",
    "https://example.com/a?b=c#d",
    "bafyreihwwfaslz5hbdkdg5rx2xqpaqvw4fo5ezzreigjawwoqzzi27r7hi",
    "did:key:zQ3shS59FKeup69m3Y9tSXB9G42eRZZYdVRn2dDHAuMaVjwN4",
    "HEAD~3",
    "@{yesterday}^2",
    "origin@{2}",
];
