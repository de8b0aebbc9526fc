//! Files that are written in full or not at all.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::local::layout::{
    ADDRESS_FILE, BLOB_DIRECTORY, IDENTITY_DIRECTORY, KEY_FILE, QUARANTINE_DIRECTORY,
    REPAIR_PREFIX, STAGING_PREFIX, STORE_FILE,
};
use pds::local::open::is_repository;
use pds::unfinished::UnfinishedFile;

use crate::failures::exit::Stated;
use crate::input::foreign_file::Kind;
use crate::input::stream::STANDARD_STREAM;
use crate::process::leftovers::{UNFINISHED, clear_from};

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

/// Refuses to overwrite a file, or to write into a directory that does not exist. A file of a repository is never
/// overwritten.
pub(crate) fn check_is_free(path: &Path, force: bool) -> Result<()> {
    check_is_no_part(path)?;
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

/// Refuses a new directory among the parts of a repository.
pub(crate) fn check_is_outside(dir: &Path) -> Result<()> {
    match repository_with(dir)? {
        Some(repository) => {
            let (dir, repository) = (dir.display(), repository.display());
            let message = format!("{dir} would be among the parts of the repository {repository}");
            Stated::no("protected", message).hint("name another directory").fail()
        }
        None => Ok(()),
    }
}

/// Refuses the place of a file that belongs to a repository, and a database of a repository at any place.
fn check_is_no_part(path: &Path) -> Result<()> {
    // A link is replaced and not followed, but its target shows what the user had in mind.
    let target = path.canonicalize().ok();
    for place in [Some(path), target.as_deref()].into_iter().flatten() {
        if let Some(repository) = repository_with(place)? {
            let message =
                format!("{} belongs to the repository {}", path.display(), repository.display());
            return Stated::no("protected", message).hint(OUTSIDE).fail();
        }
    }
    let mut start = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
        && file.take(KIND_BYTES).read_to_end(&mut start).is_ok()
        && Kind::of(&start) == Kind::Store
    {
        let message = format!("{} is the database of a repository", path.display());
        return Stated::no("protected", message).hint(OUTSIDE).fail();
    }
    Ok(())
}

/// Finds the repository that has a part at this place, or would have one there.
fn repository_with(place: &Path) -> Result<Option<PathBuf>> {
    // A part may be missing, and so may directories in it.
    let found = place.ancestors().skip(1).find_map(|above| {
        let rest = place.strip_prefix(above).ok()?;
        let above = if above == Path::new("") { Path::new(".") } else { above };
        Some((above.canonicalize().ok()?, rest))
    });
    let Some((above, rest)) = found else { return Ok(None) };
    let place = above.join(rest);
    for repository in above.ancestors() {
        let first = place.strip_prefix(repository).ok().and_then(|rest| rest.components().next());
        if let Some(first) = first
            && is_part(&first.as_os_str().to_string_lossy())
            && is_repository(repository)?
        {
            return Ok(Some(repository.to_owned()));
        }
    }
    Ok(None)
}

/// Tells whether a name in the directory of a repository is that of a part. Some file systems ignore the case.
fn is_part(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let of_store = name.strip_prefix(STORE_FILE).is_some_and(|rest| STORE_ENDINGS.contains(&rest));
    let of_key =
        name.strip_prefix(KEY_FILE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let others = [ADDRESS_FILE, BLOB_DIRECTORY, IDENTITY_DIRECTORY, QUARANTINE_DIRECTORY];
    let prefixes = [STAGING_PREFIX, REPAIR_PREFIX];
    of_store
        || of_key
        || others.contains(&&*name)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Tells whether a path is neither a file nor a directory, such as a pipe.
pub(crate) fn is_device(path: &Path) -> bool {
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
    clear_from(dir, &[UNFINISHED]);
    let mut file = UnfinishedFile::create_in(dir, UNFINISHED)?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file.as_file());
    let written = write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    // Without `force`, a file that has appeared in the meantime stays.
    if force { file.publish(path) } else { file.publish_new(path) }?;
    File::open(dir)?.sync_all()?;
    Ok(written)
}

/// Returns the directory that a path is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."))
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The endings of the files of the database.
const STORE_ENDINGS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// The number of bytes that show the database of a repository.
const KIND_BYTES: u64 = 100;

const OUTSIDE: &str = "name another file; --force does not overwrite parts of a repository either";
