//! `pds cid`

use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::{Cid, Codec};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::failure::Exit;
use crate::open::open_stream;
use crate::output::Output;

/// Compute the CID of a file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds cid photo.jpg\n  pds cid record.cbor --cbor")]
pub(crate) struct Args {
    /// The file; - for stdin
    file: PathBuf,

    /// The file is a block of DAG-CBOR; otherwise it is a blob
    #[arg(long)]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let mut hash = Sha256::new();
        copy(&mut open_stream(Some(&self.file))?, &mut hash)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let codec = if self.cbor { Codec::Cbor } else { Codec::Raw };
        let cid = Cid::from_digest(codec, hash.finalize().into());
        out.answer(|| cid.to_string(), || json!({ "cid": cid.to_string() }))?;
        Ok(Exit::Done)
    }
}

fn copy(from: &mut dyn Read, to: &mut Sha256) -> io::Result<()> {
    struct Hashing<'a>(&'a mut Sha256);
    impl Write for Hashing<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    io::copy(from, &mut Hashing(to)).map(drop)
}
