//! `pds cid`

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::{Cid, Codec};
use sha2::{Digest, Sha256};

use crate::answers::cid::CidAnswer;
use crate::exit::Exit;
use crate::output::Output;
use crate::stream::open_stream;

/// Compute the CID of a file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds cid photo.jpg\n  pds cid record.cbor --cbor")]
pub(crate) struct Args {
    /// File to hash; - for stdin
    file: PathBuf,

    /// Hash the file as a DAG-CBOR block instead of a blob
    #[arg(long)]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let mut hash = Sha256::new();
        let mut from = open_stream(Some(&self.file))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => hash.update(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).context(format!("cannot read {}", self.file.display()));
                }
            }
        }
        let codec = if self.cbor { Codec::Cbor } else { Codec::Raw };
        let cid = Cid::from_digest(codec, hash.finalize().into());
        out.answer(&CidAnswer { cid })?;
        Ok(Exit::Done)
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
