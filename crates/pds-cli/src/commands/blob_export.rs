//! `pds blob export`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::Repo;
use pds::blob::{BlobInfo, SNIFFED_BYTES, sniff};
use pds::unfinished::UnfinishedFile;

use crate::answers::blob::BlobExport;
use crate::arguments::record::uri_of;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::input::blob_files::{directory_of_blobs, each, extension_of, is_whole};
use crate::process::destination::check_is_outside;
use crate::process::leftovers::{UNFINISHED, clear_from};
use crate::process::output::Output;
use crate::process::progress::{Counted, Progress};
use crate::process::text::{did_text, say};
use crate::records::record_files::make;
use crate::repository::blob_notes::find_missing;
use crate::repository::open::{Place, Source};
use crate::screens::files;

/// Writes every stored blob as a file.
pub(crate) fn export(
    place: &Place,
    dir: &Path,
    with_extension: bool,
    out: &mut Output,
) -> Result<Exit> {
    let Source::Repo(repo) = place.source()? else {
        return Stated::usage("a CAR file has no blobs; name the directory of a repository").fail();
    };
    let snapshot = repo.snapshot()?;
    let Some(did) = snapshot.commit().known_did() else {
        return Stated::no("not-found", "the commit names no account").fail();
    };
    let dir = dir.join(directory_of_blobs(did));
    check_is_outside(&dir)?;
    make(&dir)?;
    clear_from(&dir, &[UNFINISHED]);
    let mut exported = write_all(&repo, &dir, with_extension)?;
    let mut gaps = Gaps::default();
    let blobs = repo.blobs().as_ref();
    let found = find_missing(&snapshot, blobs, &mut gaps)?;
    for missing in &found.missing {
        let uri = uri_of(snapshot.commit(), &missing.path).unwrap_or_else(|| did_text(None));
        say(&format!("blob {} is not stored: {uri}", missing.blob.cid));
    }
    for path in &found.unreadable {
        say(&format!("{path} cannot be read, so its blobs are unknown"));
    }
    exported.missing = found.missing.len() as u64;
    let is_complete = exported.missing == 0 && exported.damaged == 0 && found.unreadable.is_empty();
    out.has_done();
    out.show(&exported, |terminal| files::blobs(&exported, terminal))?;
    Ok(if is_complete { gaps.exit() } else { Exit::Partly })
}

fn write_all(repo: &Repo, dir: &Path, with_extension: bool) -> Result<BlobExport> {
    let (mut count, mut bytes) = (0_u64, 0_u64);
    each(repo.blobs().as_ref(), &mut |blob| {
        (count, bytes) = (count + 1, bytes.saturating_add(blob.size_bytes));
        Ok(())
    })?;
    let mut progress = Progress::files("blobs", Some(count), Some(bytes));
    let mut exported = BlobExport::of(dir);
    each(repo.blobs().as_ref(), &mut |blob| {
        match write_one(repo, &blob, (dir, with_extension), &mut progress)? {
            Done::Written => {
                exported.blobs += 1;
                exported.bytes = exported.bytes.saturating_add(blob.size_bytes);
            }
            Done::Kept => exported.kept += 1,
            Done::Damaged => exported.damaged += 1,
            // Another process has deleted it since.
            Done::Gone => {}
        }
        progress.add(1);
        Ok(())
    })?;
    let synced = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.with_context(|| format!("cannot write {}", dir.display()))?;
    Ok(exported)
}

enum Done {
    Written,
    /// The file exists and has the right bytes.
    Kept,
    Damaged,
    Gone,
}

fn write_one(
    repo: &Repo,
    blob: &BlobInfo,
    (dir, with_extension): (&Path, bool),
    progress: &mut Progress,
) -> Result<Done> {
    let Some(mut opened) = repo.blobs().open(&blob.cid)? else { return Ok(Done::Gone) };
    let mut start = Vec::new();
    if with_extension {
        let limit = SNIFFED_BYTES as u64;
        // Damage in a short blob shows here already.
        if let Err(error) = opened.reader.by_ref().take(limit).read_to_end(&mut start) {
            return damaged(error, blob);
        }
    }
    let ending = if with_extension { extension_of(sniff(&start)) } else { "" };
    let path: PathBuf = dir.join(format!("{}{ending}", blob.cid));
    match is_whole(&path, &blob.cid) {
        Ok(true) => {
            progress.add_bytes(blob.size_bytes);
            return Ok(Done::Kept);
        }
        Ok(false) => say(&format!("{} had other bytes: replaced", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    }
    let cannot_write = || format!("cannot write {}", path.display());
    let mut file = UnfinishedFile::create_in(dir, UNFINISHED).with_context(cannot_write)?;
    let rest = start.as_slice().chain(&mut opened.reader);
    let copied = io::copy(&mut Counted::new(rest, progress), file.as_file());
    match copied {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return damaged(error, blob),
        Err(error) => return Err(error).with_context(cannot_write),
    }
    file.as_file().sync_all().with_context(cannot_write)?;
    file.publish(&path).with_context(cannot_write)?;
    Ok(Done::Written)
}

fn damaged(error: io::Error, blob: &BlobInfo) -> Result<Done> {
    if error.kind() != io::ErrorKind::InvalidData {
        return Err(error).with_context(|| format!("cannot read blob {}", blob.cid));
    }
    say(&format!("blob {} is damaged: not written", blob.cid));
    Ok(Done::Damaged)
}
