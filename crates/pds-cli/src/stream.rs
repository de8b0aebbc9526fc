//! Files and standard input, for reading.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use pds::local::store_place::is_address;

use crate::exit::Stated;
use crate::progress::Watched;

/// Opens a file for random access; a pipe is copied to a temporary file.
pub(crate) fn open_file(path: &Path) -> Result<Watched> {
    let mut pipe: Box<dyn Read> = if path == Path::new(STANDARD_STREAM) {
        Box::new(io::stdin().lock())
    } else {
        let file = open(path)?;
        if file.metadata().is_ok_and(|file| file.is_file()) {
            return Ok(Watched::new(file, "reading"));
        }
        Box::new(file)
    };
    let mut spooled = tempfile::tempfile().context("cannot create a temporary file")?;
    let copied = io::copy(&mut pipe, &mut spooled);
    copied.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Watched::new(spooled, "reading"))
}

/// Opens a file or standard input for one pass.
pub(crate) fn open_stream(path: Option<&Path>) -> Result<Box<dyn Read>> {
    match path {
        Some(path) if path != Path::new(STANDARD_STREAM) => Ok(Box::new(open(path)?)),
        _ => Ok(Box::new(io::stdin().lock())),
    }
}

/// Reads a file or standard input, up to a limit.
pub(crate) fn read_limited(path: Option<&Path>, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_stream(path)?.take(limit as u64 + 1).read_to_end(&mut bytes).context("cannot read")?;
    if bytes.len() > limit {
        return Stated::bad_input(format!("the input is longer than {limit} bytes")).fail();
    }
    Ok(bytes)
}

/// Tells whether a path is a file, or a pipe that can be read like one.
pub(crate) fn is_a_file(path: &Path) -> bool {
    path == Path::new(STANDARD_STREAM) || (path.exists() && !path.is_dir())
}

fn open(path: &Path) -> Result<File> {
    if path.is_dir() {
        let message = format!("{} is a directory, not a file", path.display());
        return Stated::bad_input(message).hint("use -R DIR for a repository").fail();
    }
    if path.to_str().is_some_and(is_address) {
        // The address may contain a password, so the message does not name it.
        let stated = Stated::bad_input("the address of a database is not a file");
        return stated.hint("use -R ADDRESS for a repository").fail();
    }
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Stated::bad_input(format!("no file {}", path.display())).into(),
        _ => anyhow::Error::new(error).context(format!("cannot read {}", path.display())),
    })
}

/// The name of standard input and output where a file is expected.
pub(crate) const STANDARD_STREAM: &str = "-";
