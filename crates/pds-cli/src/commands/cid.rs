//! `pds cid`

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::limits::MAX_BLOCK_BYTES;
use pds::data::{Cid, Codec, Value, check_canonical};
use sha2::{Digest, Sha256};

use crate::answers::cid::CidAnswer;
use crate::exit::Exit;
use crate::json_input::read_json;
use crate::output::Output;
use crate::stream::{open_stream, read_limited};
use crate::text::{counted, say};

/// Compute the CID of a file
///
/// Hashes the bytes of the file, as for a blob. A message says what was hashed. With --record, the JSON is converted to
/// DAG-CBOR first, as `pds put` does. Exit code 3 if the file is not canonical DAG-CBOR (--cbor) or not JSON (--record).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds cid photo.jpg\n  pds cid record.cbor --cbor\n  pds cid note.json --record"
)]
pub(crate) struct Args {
    /// File to hash; - for stdin
    file: PathBuf,

    /// Hash the file as a DAG-CBOR block, which must be canonical
    #[arg(long, conflicts_with = "record")]
    cbor: bool,

    /// Hash the DAG-CBOR of a record in JSON; a missing $type is not added
    #[arg(long)]
    record: bool,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let (cid, bytes, what) = if self.cbor {
            let block = read_limited(Some(&self.file), MAX_BLOCK_BYTES)?;
            check_canonical(&block).context("not a canonical DAG-CBOR block")?;
            (Cid::of(Codec::Cbor, &block), block.len() as u64, "DAG-CBOR block")
        } else if self.record {
            let text =
                String::from_utf8(read_json(Some(&self.file))?).context("the JSON is not UTF-8")?;
            let block = Value::from_json(&text).context("cannot read the record")?.encode();
            (Cid::of(Codec::Cbor, &block), block.len() as u64, "record in DAG-CBOR")
        } else {
            let (cid, bytes) = self.of_bytes()?;
            (cid, bytes, "raw bytes, as a blob")
        };
        let codec = if cid.codec() == Codec::Cbor { "dag-cbor" } else { "raw" };
        out.answer(&CidAnswer { bytes, cid, codec })?;
        if !out.is_json() {
            say(&format!("{what}: {}", counted(bytes, "byte")));
        }
        Ok(Exit::Done)
    }

    /// Hashes a file of any size.
    fn of_bytes(&self) -> Result<(Cid, u64)> {
        let mut hash = Sha256::new();
        let mut from = open_stream(Some(&self.file))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut bytes = 0_u64;
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok((Cid::from_digest(Codec::Raw, hash.finalize().into()), bytes)),
                Ok(count) => {
                    hash.update(chunk.get(..count).unwrap_or_default());
                    bytes += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).context(format!("cannot read {}", self.file.display()));
                }
            }
        }
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
