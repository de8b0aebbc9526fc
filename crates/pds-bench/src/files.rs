//! Files of the cases: reading them once, copying them, and writing them completely.

use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What is in a directory, if there is one.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    match dir.is_dir() {
        true => fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect(),
        false => Ok(Vec::new()),
    }
}

/// Reads the files among these once.
pub(crate) fn read_once(paths: &[PathBuf]) -> Result<()> {
    let mut buffer = vec![0; WARMED_AT_ONCE];
    for path in paths.iter().filter(|path| path.is_file()) {
        let mut file = File::open(path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(())
}

/// Copies the files of a directory to the disk.
pub(crate) fn copy_dir(from: &Path, to: PathBuf) -> Result<PathBuf> {
    fs::create_dir(&to)?;
    for entry in fs::read_dir(from).with_context(|| not_prepared(from))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy_synced(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(to)
}

/// Copies a file to the disk: otherwise the first sync of the work that is measured would write the copy.
pub(crate) fn copy_synced(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    Ok(File::open(to)?.sync_all()?)
}

/// Writes a file under another name first: what has its name is complete.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = BufWriter::new(File::create(&unfinished)?);
    write(&mut file)?;
    file.into_inner()?.sync_all()?;
    Ok(fs::rename(unfinished, path)?)
}

pub(crate) fn not_prepared(path: &Path) -> String {
    format!("{} is not there: `pds-bench generate` makes it", path.display())
}

const WARMED_AT_ONCE: usize = 1024 * 1024;
