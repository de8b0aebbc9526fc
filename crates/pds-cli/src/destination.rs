//! Files that are written as a whole or not at all.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::failure::Stated;

/// Writes a file; one that is there already is replaced only if that is asked for.
pub(crate) fn write_file<T>(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    check_is_free(path, force)?;
    let written =
        if is_device(path) { into_device(path, write) } else { into_file(path, force, write) };
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Refuses to overwrite a file.
pub(crate) fn check_is_free(path: &Path, force: bool) -> Result<()> {
    if force || is_device(path) || path.metadata().is_err() {
        return Ok(());
    }
    let message = format!("{} exists", path.display());
    Err(Stated::no("exists", message).hint("--force overwrites it").into())
}

fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// Writes into a device or a pipe, which is to stay what it is.
fn into_device<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
    let written = write(&mut buffered)?;
    buffered.flush()?;
    Ok(written)
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

const BUFFER_BYTES: usize = 256 * 1024;
