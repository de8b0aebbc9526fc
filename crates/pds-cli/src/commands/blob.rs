//! `pds blob`

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use pds::blob::{BlobInfo, BlobStore, MemoryBlobs, SNIFFED_BYTES, sniff};
use pds::data::Cid;
use pds::syntax::AtUri;
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::gaps::Gaps;
use crate::open::{Place, Source, open_stream};
use crate::output::{Output, say};
use crate::state::StateArg;

/// Keep the files that records refer to
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds blob put photo.jpg\n  pds blob get bafkrei… > photo.jpg\n  pds blob missing"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Store a file and print the reference to put into a record
    #[command(
        after_help = "Examples:\n  pds blob put photo.jpg\n  pds blob put - --mime text/plain"
    )]
    Put {
        /// The file; - for stdin
        file: PathBuf,

        /// Its media type; guessed by how it starts if not given
        #[arg(long, value_name = "TYPE")]
        mime: Option<String>,
    },
    /// Write a blob to stdout
    #[command(after_help = "Example:\n  pds blob get bafkrei… > photo.jpg")]
    Get {
        /// Which one
        cid: Cid,
    },
    /// List the blobs that are here
    #[command(after_help = "Example:\n  pds blob ls")]
    Ls,
    /// List the blobs that records refer to and that are not here
    ///
    /// Exit code 1 if there are any; 6 if there are none, but a record cannot be read, so that it is not
    /// known what it refers to.
    #[command(after_help = "Examples:\n  pds blob missing\n  pds -R backup.car blob missing")]
    Missing {
        /// The state to read: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
        #[arg(long, value_name = "REV")]
        at: Option<StateArg>,
    },
    /// Hash every blob that is here
    #[command(after_help = "Example:\n  pds blob check")]
    Check,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            Verb::Put { file, mime } => put(place, &file, mime, out),
            Verb::Get { cid } => get(place, &cid, out),
            Verb::Ls => ls(place, out),
            Verb::Missing { at } => missing(place, at.as_ref(), out),
            Verb::Check => check(place, out),
        }
    }
}

/// The blobs of a repository; a CAR file has none.
fn blobs(source: &Source) -> Arc<dyn BlobStore> {
    match source {
        Source::Repo(repo) => repo.blobs().clone(),
        Source::Car(_) => Arc::new(MemoryBlobs::default()),
    }
}

fn put(place: &Place, file: &Path, mime: Option<String>, out: &mut Output) -> Result<Exit> {
    let repo = place.repo()?;
    if mime.as_deref() == Some("") {
        return Err(Stated::usage("a media type is not empty").into());
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

fn get(place: &Place, cid: &Cid, out: &mut Output) -> Result<Exit> {
    let blobs = blobs(&place.source()?);
    let copy = |to: &mut dyn Write| -> Result<()> {
        let Some(mut blob) = blobs.open(cid)? else {
            return Err(Stated::no("not-found", format!("no blob {cid} here")).into());
        };
        io::copy(&mut blob.reader, to).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Stated::bad_input(error.to_string()).into(),
            _ => anyhow::Error::new(error),
        })?;
        Ok(())
    };
    // Whether it is what it is called is known at its end, and nothing that is not is written.
    copy(&mut io::sink())?;
    copy(out.bytes())?;
    out.bytes().flush()?;
    Ok(Exit::Done)
}

fn ls(place: &Place, out: &mut Output) -> Result<Exit> {
    each(blobs(&place.source()?).as_ref(), &mut |blob| {
        out.answer(
            || format!("{}\t{}", blob.cid, blob.size_bytes),
            || json!({ "cid": blob.cid.to_string(), "size": blob.size_bytes }),
        )
    })?;
    Ok(Exit::Done)
}

/// Calls with every blob, up to the first error.
fn each(blobs: &dyn BlobStore, call: &mut dyn FnMut(BlobInfo) -> Result<()>) -> Result<()> {
    let mut called = Ok(());
    blobs.list(&mut |info| {
        called = call(info);
        if called.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    called
}

fn missing(place: &Place, at: Option<&StateArg>, out: &mut Output) -> Result<Exit> {
    let is_elsewhere = matches!(at, Some(StateArg::File(_)));
    let (source, at) = place.source_at(at)?;
    let snapshot = source.snapshot(at)?;
    // What a file needs may be in the repository that this is.
    let here = match source {
        Source::Car(_) if is_elsewhere && place.is_found() => blobs(&place.source()?),
        source => blobs(&source),
    };
    let mut gaps = Gaps::default();
    let found =
        snapshot.missing_blobs_reporting(here.as_ref(), &mut |error| gaps.pass_over(error))?;
    let did = snapshot.commit().did();
    for blob in &found.missing {
        let uri = AtUri::record(did, &blob.path);
        out.answer(
            || format!("{}\t{uri}", blob.blob.cid),
            || json!({ "cid": blob.blob.cid.to_string(), "uri": uri.as_str() }),
        )?;
    }
    for path in &found.unreadable {
        say(&format!("{path} cannot be read: what blobs it refers to is not known"));
    }
    Ok(match (found.missing.is_empty(), found.unreadable.is_empty()) {
        (false, _) => Exit::No,
        (true, true) => gaps.exit(),
        (true, false) => Exit::Partly,
    })
}

fn check(place: &Place, out: &mut Output) -> Result<Exit> {
    let blobs = blobs(&place.source()?);
    let (mut whole, mut damaged, mut unread) = (0_u64, Vec::new(), Vec::new());
    each(blobs.as_ref(), &mut |info| {
        let read = match blobs.open(&info.cid) {
            Ok(Some(mut blob)) => {
                io::copy(&mut blob.reader, &mut io::sink()).map_err(anyhow::Error::new)
            }
            Ok(None) => return Ok(()),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(_) => whole += 1,
            Err(error) if is_damage(&error) => damaged.push(info.cid),
            Err(error) => unread.push((info.cid, format!("{error:#}"))),
        }
        Ok(())
    })?;
    let ok = damaged.is_empty() && unread.is_empty();
    if out.is_json() {
        let damaged: Vec<String> = damaged.iter().map(Cid::to_string).collect();
        let unread: Vec<String> = unread.iter().map(|(cid, _)| cid.to_string()).collect();
        out.json(&json!({ "ok": ok, "whole": whole, "damaged": damaged, "unreadable": unread }))?;
    } else {
        for cid in &damaged {
            out.line(&format!("{cid} is damaged"))?;
        }
        for (cid, reason) in &unread {
            out.line(&format!("{cid} cannot be read: {reason}"))?;
        }
        let (damaged, unread) = (damaged.len(), unread.len());
        let rest = if unread == 0 { String::new() } else { format!(", {unread} unreadable") };
        out.line(&format!("{whole} whole, {damaged} damaged{rest}"))?;
    }
    Ok(if ok { Exit::Done } else { Exit::No })
}

/// Tells whether the bytes of a blob were read, and are not what they are called.
fn is_damage(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}
