//! What the machine needs for the least that a reader could do.

use std::fs::{self, File};
use std::io;

use anyhow::{Result, bail};
use pds::crypto::Signer;
use sha2::{Digest, Sha256};

use crate::data::Data;
use crate::generate;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome};
use crate::work::Work;

/// SHA-256 of every block, which lie in memory.
pub(crate) fn hash(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    let path = match work {
        Work::ReadStreamable => data.streamable(records),
        Work::ReadAnyOrder => data.any_order(records),
        _ => bail!("nothing is hashed for this work"),
    };
    let loaded = Loaded::read(&path)?;
    let meter = Meter::start()?;
    for block in &loaded.blocks {
        std::hint::black_box(Sha256::digest(block.bytes()));
    }
    meter.stop(records)
}

/// The file read and written again, a buffer at a time, without a sync.
pub(crate) fn copy(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let path = dir.path().join("copy.car");
    let meter = Meter::start()?;
    // Through a buffer: the system could otherwise copy without reading.
    let mut from = io::BufReader::with_capacity(BUFFER, File::open(data.streamable(records))?);
    let mut to = File::create(&path)?;
    loop {
        let bytes = io::BufRead::fill_buf(&mut from)?;
        if bytes.is_empty() {
            break;
        }
        io::Write::write_all(&mut to, bytes)?;
        let read = bytes.len();
        io::BufRead::consume(&mut from, read);
    }
    Ok(meter.stop(records)?.written(fs::metadata(path)?.len()))
}

/// Signatures alone, as many as [`Work::Put`] makes.
pub(crate) fn sign() -> Result<Outcome> {
    let key = generate::key()?;
    let times = crate::work::PUTS;
    let meter = Meter::start()?;
    for number in 0..times {
        std::hint::black_box(key.sign(&number.to_le_bytes())?);
    }
    meter.stop(times)
}

const BUFFER: usize = 256 * 1024;
