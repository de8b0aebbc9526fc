//! `pds cid`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::limits::MAX_BLOCK_BYTES;
use pds::data::{Cid, Codec, check_canonical};

use crate::answers::cid::CidAnswer;
use crate::failures::exit::Exit;
use crate::input::blob_files::cid_of;
use crate::input::json_input::{read_json, value_of};
use crate::input::stream::{bytes_of, open_stream, read_limited};
use crate::process::output::Output;
use crate::process::progress::{Counted, Progress};
use crate::process::text::{counted_plain, say};

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
            let block = value_of(read_json(Some(&self.file))?)?.encode();
            (Cid::of(Codec::Cbor, &block), block.len() as u64, "record in DAG-CBOR")
        } else {
            let from = open_stream(Some(&self.file))?;
            let mut progress = Progress::bytes("reading", bytes_of(&self.file));
            let cid = cid_of(&mut Counted::new(from, &mut progress));
            let (cid, bytes) =
                cid.with_context(|| format!("cannot read {}", self.file.display()))?;
            (cid, bytes, "raw bytes, as a blob")
        };
        let codec = if cid.codec() == Codec::Cbor { "dag-cbor" } else { "raw" };
        out.answer(&CidAnswer { bytes, cid, codec })?;
        if !out.is_json() {
            say(&format!("{what}: {}", counted_plain(bytes, "byte")));
        }
        Ok(Exit::Done)
    }
}
