//! New directories with many files, which are durable before they have their names.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use pds::unfinished::UnfinishedDir;

use crate::process::destination::directory_of;

/// Syncs a directory of unfinished work with all its files, and moves it to its place.
pub(crate) fn publish_directory(staging: &UnfinishedDir, from: &Path, to: &Path) -> Result<()> {
    let cannot_create = || format!("cannot create {}", to.display());
    sync_below(from).with_context(cannot_create)?;
    let parent = directory_of(to);
    let known = existing(parent).to_owned();
    staging
        .publish_parts(|| fs::create_dir_all(parent).and_then(|()| fs::rename(from, to)))
        .with_context(cannot_create)?;
    // The directories above may be new as well.
    let mut above = parent;
    loop {
        let dir = if above == Path::new("") { Path::new(".") } else { above };
        File::open(dir).and_then(|dir| dir.sync_all()).with_context(cannot_create)?;
        match above.parent().filter(|_| above != known) {
            Some(next) => above = next,
            None => return Ok(()),
        }
    }
}

/// Returns a directory, or the nearest one above it that exists.
pub(crate) fn existing(dir: &Path) -> &Path {
    let above = dir.ancestors().find(|above| above.exists());
    above.unwrap_or(Path::new("."))
}

/// Syncs all files below a directory in one call: a call for each of a hundred thousand files takes minutes.
#[cfg(target_os = "linux")]
fn sync_below(dir: &Path) -> io::Result<()> {
    let dir = File::open(dir)?;
    // The system hands signals to this thread, so it must not be the one that waits in the call.
    let synced = std::thread::spawn(move || rustix::fs::syncfs(dir)).join();
    Ok(synced.map_err(|_| io::Error::other("the thread that syncs has ended"))??)
}

/// Syncs a directory and all files below it.
#[cfg(not(target_os = "linux"))]
fn sync_below(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path())?;
        } else {
            fs::OpenOptions::new().write(true).open(entry.path())?.sync_all()?;
        }
    }
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
