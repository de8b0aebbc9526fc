//! `pds export`

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::repo::{Exported, Snapshot, export_car, export_since};
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::open::{Place, STANDARD_STREAM};
use crate::output::{Output, commit_json, say};
use crate::progress::Progress;

/// Write a CAR file
///
/// In the streamable order of the specification; equal repositories give equal files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds export -o backup.car\n  pds export --since 3lpopnggxbk2c -o newer.car\n  pds export | gzip > backup.car.gz"
)]
pub(crate) struct Args {
    /// The file; stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The state to write: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<String>,

    /// Only what is new since this state, named as for --at
    #[arg(long, value_name = "REV")]
    since: Option<String>,

    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let source = place.source()?;
        let snapshot = source.snapshot(self.at.as_deref())?;
        let since = self.since.as_deref().map(|since| source.snapshot(Some(since))).transpose()?;
        let to = self.output.as_deref().filter(|path| *path != Path::new(STANDARD_STREAM));
        let Some(path) = to else {
            if self.output.is_none() && io::stdout().is_terminal() {
                return Err(Stated::usage("a CAR file is not for a terminal: use -o FILE").into());
            }
            write(&snapshot, since.as_ref(), out.bytes())?;
            return Ok(Exit::Done);
        };
        let there = path.metadata().ok();
        let exported = if there.as_ref().is_some_and(|it| !it.is_file() && !it.is_dir()) {
            into_device(path, &snapshot, since.as_ref())
        } else if there.is_some() && !self.force {
            let message = format!("{} exists", path.display());
            return Err(Stated::no("exists", message).hint("--force overwrites it").into());
        } else {
            into_file(path, self.force, |out| write(&snapshot, since.as_ref(), out))
        };
        let exported = exported.with_context(|| format!("cannot write {}", path.display()))?;
        let Exported { blocks, bytes, .. } = exported;
        if out.is_json() {
            let commit = snapshot.commit();
            let commit = commit_json(commit.cid(), commit.rev());
            out.json(&json!({ "blocks": blocks, "bytes": bytes, "commit": commit }))?;
        } else {
            say(&format!("{blocks} blocks, {bytes} bytes"));
        }
        Ok(Exit::Done)
    }
}

/// Writes into a device or a pipe, which is to stay what it is.
fn into_device(path: &Path, snapshot: &Snapshot, since: Option<&Snapshot>) -> Result<Exported> {
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
    let exported = write(snapshot, since, &mut buffered)?;
    buffered.flush()?;
    Ok(exported)
}

/// Writes beside the file first, so that it is whole or not there.
pub(crate) fn into_file<T>(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pds-export-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir)?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file.as_file_mut());
    let written = write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    // Without force a file that has come to be there in the meantime stays.
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    named.map_err(|error| error.error)?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(written)
}

fn write(snapshot: &Snapshot, since: Option<&Snapshot>, out: &mut dyn Write) -> Result<Exported> {
    let mut progress = Progress::bytes("writing", None);
    let mut count = |bytes| progress.add(bytes);
    Ok(match since {
        Some(since) => export_since(snapshot, since, out, &mut count)?,
        None => export_car(snapshot, out, &mut count)?,
    })
}

const BUFFER_BYTES: usize = 256 * 1024;
