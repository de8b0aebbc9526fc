//! Files that are written in full or not at all.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::exit::Stated;
use crate::stream::STANDARD_STREAM;

/// Returns the file to write; `None` for standard output.
pub(crate) fn named(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| *path != Path::new(STANDARD_STREAM))
}

/// Refuses to write the bytes of a CAR file to a terminal.
pub(crate) fn check_is_no_terminal(output: Option<&Path>) -> Result<()> {
    if output.is_none() && io::stdout().is_terminal() {
        return Stated::usage("a CAR file cannot be written to a terminal; use -o FILE").fail();
    }
    Ok(())
}

/// Writes a file; an existing file is replaced only with `force`.
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

/// Refuses to overwrite a file, or to write into a directory that does not exist.
pub(crate) fn check_is_free(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        let message = format!("{} is a directory", path.display());
        return Stated::no("exists", message).hint("name a file in it").fail();
    }
    let dir = directory_of(path);
    if dir.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let message = format!("no directory {}", dir.display());
        return Stated::no("not-found", message).hint("create it first").fail();
    }
    if force || is_device(path) || path.symlink_metadata().is_err() {
        return Ok(());
    }
    let (message, hint) = match path.exists() {
        true => (format!("{} exists", path.display()), "use --force to overwrite it"),
        false => (
            format!("{} is a link to a missing file", path.display()),
            "use --force to replace the link",
        ),
    };
    Stated::no("exists", message).hint(hint).fail()
}

fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// Writes into a device or a pipe, which must not be replaced by a file.
fn into_device<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
    let written = write(&mut buffered)?;
    buffered.flush()?;
    Ok(written)
}

/// Writes a temporary file next to the destination, then renames it.
fn into_file<T>(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let dir = directory_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pds-export-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // The temporary name would not help the user.
    let mut file = builder.tempfile_in(dir).map_err(|error| io::Error::from(error.kind()))?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file.as_file_mut());
    let written = write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    // Without `force`, a file that has appeared in the meantime stays.
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    named.map_err(|error| error.error)?;
    std::fs::File::open(dir)?.sync_all()?;
    Ok(written)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."))
}

const BUFFER_BYTES: usize = 256 * 1024;
