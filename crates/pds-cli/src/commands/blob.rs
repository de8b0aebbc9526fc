//! `pds blob`

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use pds::Repo;
use pds::blob::{BlobStore, MemoryBlobs, SNIFFED_BYTES, sniff};
use pds::data::BlobRef;

use super::blob_export::export;
use crate::answers::blob::{BlobCheck, BlobRow, MissingRow};
use crate::arguments::record::uri_of;
use crate::arguments::short_cid::CidArg;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::input::blob_files::{cid_of, claimed_cid, each, files_of};
use crate::input::stream::{STANDARD_STREAM, open_stream};
use crate::process::output::Output;
use crate::process::progress::{Counted, Progress};
use crate::process::text::{counted_plain, say};
use crate::repository::blob_notes::find_missing;
use crate::repository::open::{Place, Source};
use crate::screens::blob::{BlobList, StoredList, checked, print_missing};

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
    /// Store files and print their blob references, for use in records
    ///
    /// Of a directory, every file is stored, and so are the files of the directories <did>_blobs in it. Hidden files,
    /// links and other directories are left out. A file whose name is the CID of a blob, as goat and pds blob export
    /// write them, must have the bytes of this CID. Exit code 6 if something was left out, which is listed.
    #[command(
        after_help = "Examples:\n  pds blob put photo.jpg\n  pds blob put - --mime text/plain\n  pds blob put photos/"
    )]
    Put {
        /// Files to store, or directories of files; - for stdin
        #[arg(required = true)]
        files: Vec<PathBuf>,

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
    /// Write every stored blob as a file
    ///
    /// Writes DIR/<did>_blobs/<cid>. A file that has the right bytes is kept, and any other bytes are replaced. Exit code 6
    /// if blobs that records refer to are not stored, or blobs are damaged: they are listed.
    #[command(
        after_help = "Examples:\n  pds blob export backup/\n  pds blob export pictures/ --ext"
    )]
    Export {
        /// Directory to write to
        dir: PathBuf,

        /// Add an extension for the media type, which is guessed from the first bytes
        #[arg(long)]
        ext: bool,
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
    /// Tells whether the verb only reads, and may print more than a screen.
    pub(crate) fn is_a_listing(&self) -> bool {
        matches!(self.verb, BlobVerb::Ls | BlobVerb::Missing { .. })
    }

    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            BlobVerb::Put { files, mime } => put(place, &files, mime.as_deref(), out),
            BlobVerb::Get { cid } => get(place, &cid, out),
            BlobVerb::Export { dir, ext } => export(place, &dir, ext, out),
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

fn put(place: &Place, files: &[PathBuf], mime: Option<&str>, out: &mut Output) -> Result<Exit> {
    let repo = place.repo()?;
    if mime.is_some_and(|mime| !is_media_type(mime)) {
        return Stated::usage("--mime is no media type like image/jpeg").fail();
    }
    if files.iter().filter(|file| *file == Path::new(STANDARD_STREAM)).count() > 1 {
        return Stated::only_one_standard_input().fail();
    }
    check_all_exist(files)?;
    let lists = files.iter().map(|file| files_of(file));
    let is_one = matches!(files, [file] if !file.is_dir());
    let files: Vec<PathBuf> = lists.collect::<Result<Vec<_>>>()?.concat();
    if files.is_empty() {
        return Stated::bad_input("the directory has no file to store").fail();
    }
    let size = |file: &PathBuf| file.metadata().map_or(0, |file| file.len());
    let has_stream = files.iter().any(|file| !file.is_file());
    let bytes = (!has_stream).then(|| files.iter().map(size).sum());
    let mut progress = Progress::files("blobs", Some(files.len() as u64), bytes);
    let (mut stored, mut refused) = (0_u64, Vec::new());
    // The reference to one file is pasted into a record.
    let mut list = out.terminal().filter(|_| !is_one).map(|_| StoredList::new());
    let done = files.iter().try_for_each(|file| -> Result<()> {
        match refusal(file).map_err(|error| partly(stored, error))? {
            Some(reason) => {
                progress.add_bytes(size(file));
                refused.push(reason);
            }
            None => {
                let blob = put_one(&repo, file, mime, &mut progress);
                let blob = blob.map_err(|error| partly(stored, error))?;
                out.has_done();
                match &mut list {
                    Some(list) => list.add(file, &blob, out)?,
                    None => out.json(&blob.to_value())?,
                }
                stored += 1;
            }
        }
        progress.add(1);
        Ok(())
    });
    drop(progress);
    list.map_or(Ok(()), |list| list.finish(out))?;
    done?;
    match (stored, &refused[..]) {
        (_, []) => return Ok(Exit::Done),
        (0, [only]) => return Stated::bad_input(only.clone()).fail(),
        _ => {}
    }
    refused.iter().for_each(|reason| say(reason));
    Ok(if stored > 0 { Exit::Partly } else { Exit::BadInput })
}

/// Tells whether a text is a type and a subtype, perhaps with parameters.
fn is_media_type(text: &str) -> bool {
    let is_printable = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    text.split_once('/').is_some_and(|(kind, rest)| is_printable(kind) && is_printable(rest))
}

/// Refuses to begin if a file does not exist.
fn check_all_exist(files: &[PathBuf]) -> Result<()> {
    let is_stream = |file: &PathBuf| file == Path::new(STANDARD_STREAM);
    match files.iter().find(|file| !is_stream(file) && !file.exists()) {
        Some(file) => {
            let stated = Stated::bad_input(format!("no file {}", file.display()));
            if files.len() > 1 { stated.hint("nothing was stored") } else { stated }.fail()
        }
        None => Ok(()),
    }
}

/// Returns the error about a file after others were stored, which the answers name.
fn partly(stored: u64, error: anyhow::Error) -> anyhow::Error {
    match stored {
        0 => error,
        _ => Stated::partly(format!("{} stored, then: {error:#}", counted_plain(stored, "file")))
            .hint("the printed blobs are stored, the files after them are not")
            .into(),
    }
}

/// Returns the reason not to store a file: its name is a CID that its bytes do not have.
fn refusal(file: &Path) -> Result<Option<String>> {
    let Some(claimed) = claimed_cid(file).filter(|_| file.is_file()) else { return Ok(None) };
    let (cid, _) = cid_of(&mut open_stream(Some(file))?)
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok((cid != claimed).then(|| {
        format!("{} is not stored: its bytes hash to {cid}, not to its name", file.display())
    }))
}

fn put_one(
    repo: &Repo,
    file: &Path,
    mime: Option<&str>,
    progress: &mut Progress,
) -> Result<BlobRef> {
    let mut from = Counted::new(open_stream(Some(file))?, progress);
    let mut start = Vec::new();
    from.by_ref().take(SNIFFED_BYTES as u64).read_to_end(&mut start).context("cannot read")?;
    let mime_type = mime.unwrap_or_else(|| sniff(&start));
    Ok(repo.put_blob(mime_type, &mut start.as_slice().chain(from))?)
}

fn get(place: &Place, cid: &CidArg, out: &mut Output) -> Result<Exit> {
    let blobs = blobs(&place.source()?);
    let found = cid.find(|fitting| Ok(blobs.list(&mut |blob| fitting.test(&blob.cid))?))?;
    let not_stored = || Stated::no("not-found", format!("blob {cid} is not stored"));
    let found = found.ok_or_else(not_stored)?;
    let copy = |what: &'static str, to: &mut dyn Write| -> Result<()> {
        let blob = blobs.open(&found)?.ok_or_else(not_stored)?;
        let mut progress = Progress::bytes(what, Some(blob.info.size_bytes));
        io::copy(&mut Counted::new(blob.reader, &mut progress), to).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::InvalidData => Stated::bad_input(error.to_string()).into(),
            _ => anyhow::Error::new(error),
        })?;
        Ok(())
    };
    // Damage shows only at the end of a blob: check all of it before the first byte is written.
    copy("checking", &mut io::sink())?;
    copy("writing", out.bytes())?;
    out.bytes().flush()?;
    Ok(Exit::Done)
}

fn ls(place: &Place, out: &mut Output) -> Result<Exit> {
    let mut list = out.terminal().map(BlobList::new);
    let mut answered = Ok(());
    blobs(&place.source()?).list(&mut |blob| {
        answered = match &mut list {
            Some(list) => list.add(&blob.cid, blob.size_bytes, blob.stored_at_micros, out),
            None => out.answer(&BlobRow { cid: blob.cid, size: blob.size_bytes }),
        };
        if answered.is_ok() && !out.is_closed() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    answered?;
    list.map_or(Ok(()), |list| list.finish(out)).map(|()| Exit::Done)
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
    let found = find_missing(&snapshot, here.as_ref(), &mut gaps)?;
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
    let (mut count, mut bytes) = (0_u64, 0_u64);
    each(blobs.as_ref(), &mut |info| {
        (count, bytes) = (count + 1, bytes.saturating_add(info.size_bytes));
        Ok(())
    })?;
    let mut progress = Progress::files("blobs", Some(count), Some(bytes));
    each(blobs.as_ref(), &mut |info| {
        progress.add(1);
        let read = match blobs.open(&info.cid) {
            Ok(Some(blob)) => {
                let mut bytes = Counted::new(blob.reader, &mut progress);
                io::copy(&mut bytes, &mut io::sink()).map_err(anyhow::Error::new)
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
    drop(progress);
    check.ok = check.damaged.is_empty() && check.unreadable.is_empty();
    out.show(&check, |terminal| checked(&check, terminal))?;
    Ok(if check.ok { Exit::Done } else { Exit::No })
}

/// Tells whether a blob was read, but its bytes do not match its CID.
fn is_damage(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}
