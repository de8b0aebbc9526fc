//! The first inputs of the fuzz targets, made of the sample account.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pds::car::CarReader;
use pds::data::{Block, Value};

use crate::input_of;

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
        for target in ["verify", "proof"] {
            seeds.write(target, &whole)?;
            seeds.write(target, &bytes)?;
        }
        // The last block is the commit. The one before it is the root of the tree.
        seeds.write("tree", &input_of(&blocks[..blocks.len() - 1]))?;
    }
    seeds.write("did_document", &fs::read(data.join("did.json"))?)?;
    seeds.write("did_document", &fs::read(data.join("plc/bob.did.json"))?)?;
    seeds.write("plc_log", &fs::read(data.join("plc/bob.plc.json"))?)?;
    seeds.write("plc_log", &fs::read(data.join("plc/bob-2025-04.plc.json"))?)?;
    for name in NAMES {
        seeds.write("names", name.as_bytes())?;
    }
    Ok(())
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
