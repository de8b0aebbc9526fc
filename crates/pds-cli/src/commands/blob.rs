//! `pds blob`

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use pds::blob::{BlobInfo, BlobStore, MemoryBlobs, SNIFFED_BYTES, sniff};

use crate::answers::blob::{BlobCheck, BlobRow, MissingRow};
use crate::exit::{Exit, Stated};
use crate::open::{Place, Source};
use crate::output::Output;
use crate::partial::Gaps;
use crate::record::uri_of;
use crate::screens::blob::{BlobList, print_missing};
use crate::short_cid::CidArg;
use crate::state_arg::{Settled, StateArg};
use crate::stream::open_stream;
use crate::text::say;

/// Store, read, list and check blobs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds blob put photo.jpg\n  pds blob get bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka > photo.jpg\n  pds blob missing"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: BlobVerb,
}

#[derive(Debug, Subcommand)]
enum BlobVerb {
    /// Store a file and print its blob reference, for use in a record
    #[command(
        after_help = "Examples:\n  pds blob put photo.jpg\n  pds blob put - --mime text/plain"
    )]
    Put {
        /// File to store; - for stdin
        file: PathBuf,

        /// Media type [default: guessed from the first bytes]
        #[arg(long, value_name = "TYPE")]
        mime: Option<String>,
    },
    /// Write a blob to stdout
    #[command(
        after_help = "Example:\n  pds blob get bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka > photo.jpg"
    )]
    Get {
        /// CID of the blob, or six letters of it or more after bafkrei
        cid: CidArg,
    },
    /// List the stored blobs
    #[command(after_help = "Example:\n  pds blob ls")]
    Ls,
    /// List blobs that records refer to and that are not stored
    ///
    /// Exit code 1 if a blob is missing. Exit code 6 if no blob is known to be missing, but a record cannot be
    /// read, so that its blobs are unknown.
    #[command(after_help = "Examples:\n  pds blob missing\n  pds -R backup.car blob missing")]
    Missing {
        /// State to read (see pds help revisions)
        #[arg(long, value_name = "REV")]
        at: Option<StateArg>,
    },
    /// Check the hash of every stored blob
    #[command(after_help = "Example:\n  pds blob check")]
    Check,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            BlobVerb::Put { file, mime } => put(place, &file, mime, out),
            BlobVerb::Get { cid } => get(place, &cid, out),
            BlobVerb::Ls => ls(place, out),
            BlobVerb::Missing { at } => missing(place, at.as_ref(), out),
            BlobVerb::Check => check(place, out),
        }
    }
}

/// Returns the blobs of a repository; a CAR file has none.
fn blobs(source: &Source) -> Arc<dyn BlobStore> {
    match source {
        Source::Repo(repo) => repo.blobs().clone(),
        Source::Car(_) => Arc::new(MemoryBlobs::default()),
    }
}

fn put(place: &Place, file: &Path, mime: Option<String>, out: &mut Output) -> Result<Exit> {
    let repo = place.repo()?;
    if mime.as_deref() == Some("") {
        return Stated::usage("--mime is empty; give a media type like image/jpeg").fail();
    }
    let mut from = open_stream(Some(file))?;
    let mut start = Vec::new();
    from.by_ref().take(SNIFFED_BYTES as u64).read_to_end(&mut start).context("cannot read")?;
    let mime_type = mime.unwrap_or_else(|| sniff(&start).to_owned());
    let blob = repo.put_blob(&mime_type, &mut start.as_slice().chain(from))?;
    out.has_done();
    out.json(&blob.to_value())?;
    Ok(Exit::Done)
}

fn get(place: &Place, cid: &CidArg, out: &mut Output) -> Result<Exit> {
    let blobs = blobs(&place.source()?);
    let found = cid.find(|fitting| Ok(blobs.list(&mut |blob| fitting.test(&blob.cid))?))?;
    let not_stored = || Stated::no("not-found", format!("blob {cid} is not stored"));
    let found = found.ok_or_else(not_stored)?;
    let copy = |to: &mut dyn Write| -> Result<()> {
        let mut blob = blobs.open(&found)?.ok_or_else(not_stored)?;
        io::copy(&mut blob.reader, to).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Stated::bad_input(error.to_string()).into(),
            _ => anyhow::Error::new(error),
        })?;
        Ok(())
    };
    // Damage shows only at the end of a blob: check all of it before the first byte is written.
    copy(&mut io::sink())?;
    copy(out.bytes())?;
    out.bytes().flush()?;
    Ok(Exit::Done)
}

fn ls(place: &Place, out: &mut Output) -> Result<Exit> {
    if let Some(terminal) = out.terminal().cloned() {
        let mut list = BlobList::new(&terminal);
        each(blobs(&place.source()?).as_ref(), &mut |blob| {
            list.add(&blob.cid, blob.size_bytes, blob.stored_at_micros, out)
        })?;
        list.finish(out)?;
        return Ok(Exit::Done);
    }
    let mut answered = Ok(());
    blobs(&place.source()?).list(&mut |blob| {
        answered = out.answer(&BlobRow { cid: blob.cid, size: blob.size_bytes });
        if answered.is_ok() && !out.is_closed() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    answered.map(|()| Exit::Done)
}

/// Calls `call` with every blob, until the first error.
fn each(blobs: &dyn BlobStore, call: &mut dyn FnMut(BlobInfo) -> Result<()>) -> Result<()> {
    let mut called = Ok(());
    blobs.list(&mut |info| {
        called = call(info);
        if called.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    called
}

fn missing(place: &Place, at: Option<&StateArg>, out: &mut Output) -> Result<Exit> {
    let is_elsewhere = at.is_some_and(|at| matches!(place.state(at), Settled::File(_)));
    let (source, at) = place.source_at(at)?;
    let snapshot = source.snapshot(at)?;
    // The current repository may have the blobs that the CAR file refers to.
    let here = match source {
        Source::Car(_) if is_elsewhere && place.is_found() => blobs(&place.source()?),
        source => blobs(&source),
    };
    let mut gaps = Gaps::default();
    let found =
        snapshot.missing_blobs_reporting(here.as_ref(), &mut |error| gaps.pass_over(error))?;
    let is_screen = out.terminal().is_some();
    if is_screen {
        print_missing(&found, out)?;
    }
    for blob in found.missing.iter().filter(|_| !is_screen) {
        let uri = uri_of(snapshot.commit(), &blob.path);
        out.answer(&MissingRow { cid: blob.blob.cid, uri })?;
    }
    for path in &found.unreadable {
        say(&format!("{path} cannot be read, so its blobs are unknown"));
    }
    Ok(match (found.missing.is_empty(), found.unreadable.is_empty()) {
        (false, _) => Exit::No,
        (true, true) => gaps.exit(),
        (true, false) => Exit::Partly,
    })
}

fn check(place: &Place, out: &mut Output) -> Result<Exit> {
    let blobs = blobs(&place.source()?);
    let mut check = BlobCheck::default();
    each(blobs.as_ref(), &mut |info| {
        let read = match blobs.open(&info.cid) {
            Ok(Some(mut blob)) => {
                io::copy(&mut blob.reader, &mut io::sink()).map_err(anyhow::Error::new)
            }
            Ok(None) => return Ok(()),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(_) => check.whole += 1,
            Err(error) if is_damage(&error) => check.damaged.push(info.cid),
            Err(error) => check.unreadable.push((info.cid, format!("{error:#}"))),
        }
        Ok(())
    })?;
    check.ok = check.damaged.is_empty() && check.unreadable.is_empty();
    out.answer(&check)?;
    Ok(if check.ok { Exit::Done } else { Exit::No })
}

/// Tells whether a blob was read, but its bytes do not match its CID.
fn is_damage(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}
