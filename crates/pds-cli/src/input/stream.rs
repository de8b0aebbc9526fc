//! Files and standard input, for reading.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result};
use pds::local::store_place::is_address;

use crate::failures::exit::Stated;
use crate::input::foreign_file::{
    CAR_FILE, Kind, REFERENCE_SERVER, START_BYTES, is_reference_server,
};
use crate::input::spool::{Decompressed, spool};
use crate::process::progress::Watched;
use crate::process::text::{name_of, say};

/// Opens a CAR file for random access. Compressed files and pipes are copied to a temporary file.
pub(crate) fn open_file(path: &Path) -> Result<Watched> {
    open_for(path, Use::Read)
}

/// Opens a file in which blocks are searched: a damaged CAR file, or another file that may contain blocks.
pub(crate) fn open_damaged(path: &Path) -> Result<Watched> {
    open_for(path, Use::Search)
}

/// Refuses a file that is certainly no CAR file.
pub(crate) fn check_is_car(path: &Path) -> Result<()> {
    if path == Path::new(STANDARD_STREAM) {
        return Ok(());
    }
    Started::of(Box::new(open(path)?)).plain(path)?.check(Use::Read, path)
}

/// The purpose of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The file must be a CAR file. Its damage is reported.
    Read,
    /// Blocks are searched between any bytes.
    Search,
}

fn open_for(path: &Path, purpose: Use) -> Result<Watched> {
    let mut regular = None;
    let started = if path == Path::new(STANDARD_STREAM) {
        Started::of(Box::new(io::stdin().lock()))
    } else {
        let file = open(path)?;
        let copy = file.try_clone().with_context(|| format!("cannot read {}", path.display()))?;
        regular = Some(file).filter(|file| file.metadata().is_ok_and(|file| file.is_file()));
        Started::of(Box::new(copy))
    };
    let is_compressed = started.kind == Kind::Gzip;
    let started = started.plain(path)?;
    started.check(purpose, path)?;
    match regular.filter(|_| !is_compressed) {
        Some(file) => Ok(Watched::new(file, "reading")),
        None => started.spooled(purpose, path),
    }
}

/// Input whose first bytes were read.
struct Started {
    start: Vec<u8>,
    kind: Kind,
    rest: Box<dyn Read>,
}

impl Started {
    fn of(mut from: Box<dyn Read>) -> Self {
        let mut start = Vec::new();
        let read = (&mut from).take(START_BYTES as u64).read_to_end(&mut start);
        let kind = if start.is_empty() && read.is_err() { Kind::Unknown } else { Kind::of(&start) };
        let rest = match read {
            Ok(_) => from,
            Err(error) => Box::new(Failing(Some(error))),
        };
        Self { start, kind, rest }
    }

    /// Decompresses gzip.
    fn plain(self, path: &Path) -> Result<Self> {
        if self.kind != Kind::Gzip {
            return Ok(self);
        }
        let inner = Self::of(Box::new(Decompressed::new(self.whole())));
        if inner.kind == Kind::Gzip {
            let message = format!("{} is compressed twice", name_of(path));
            return Stated::bad_input(message).hint("decompress it once with gunzip").fail();
        }
        Ok(inner)
    }

    /// Refuses a file of another kind.
    fn check(&self, purpose: Use, path: &Path) -> Result<()> {
        let is_refused = match purpose {
            Use::Read => self.kind.is_foreign(),
            Use::Search => !self.kind.may_have_blocks(),
        };
        if is_refused { self.kind.refusal(path, CAR_FILE).fail() } else { Ok(()) }
    }

    /// Returns all bytes.
    fn whole(self) -> Box<dyn Read> {
        Box::new(Cursor::new(self.start).chain(self.rest))
    }

    /// Copies the input to a temporary file, unless its start shows that the rest is of no use. It may be endless.
    fn spooled(mut self, purpose: Use, path: &Path) -> Result<Watched> {
        let is_full = self.start.len() == START_BYTES;
        if is_full && purpose == Use::Read && self.kind == Kind::Unknown {
            // Nothing after an invalid header can be read.
            self.rest = Box::new(io::empty());
        }
        let has_form = matches!(self.kind, Kind::Car | Kind::CarVersion2 | Kind::Database);
        if is_full && purpose == Use::Search && !has_form && !has_block(&self.start) {
            let message = format!("{} does not begin like a CAR file", name_of(path));
            return Stated::bad_input(message).hint(SAVE_IT).fail();
        }
        let (file, damage) = spool(&mut self.whole(), &name_of(path))?;
        match (damage, purpose) {
            (Some(damage), Use::Read) => return damage.hint(RECOVER).fail(),
            (Some(damage), Use::Search) => say(&damage.to_string()),
            (None, _) => {}
        }
        Ok(Watched::new(file, "reading"))
    }
}

/// A reader that fails once.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Tells whether bytes contain the CID of a block.
fn has_block(bytes: &[u8]) -> bool {
    bytes.windows(CID_STARTS[0].len()).any(|bytes| CID_STARTS.iter().any(|start| bytes == start))
}

/// Opens a file or standard input for one pass.
pub(crate) fn open_stream(path: Option<&Path>) -> Result<Box<dyn Read>> {
    match path {
        Some(path) if path != Path::new(STANDARD_STREAM) => Ok(Box::new(open(path)?)),
        _ => Ok(Box::new(io::stdin().lock())),
    }
}

/// Returns the length of a file. That of a pipe is unknown.
pub(crate) fn bytes_of(path: &Path) -> Option<u64> {
    let file = (path != Path::new(STANDARD_STREAM)).then(|| path.metadata().ok()).flatten();
    file.filter(|file| file.is_file()).map(|file| file.len())
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
        let is_server = is_reference_server(path);
        let hint = if is_server { REFERENCE_SERVER } else { "use -R DIR for a repository" };
        return Stated::bad_input(message).hint(hint).fail();
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

/// The first bytes of the CIDs of blocks: version, codec, hash function and length.
const CID_STARTS: [[u8; 4]; 2] = [[0x01, 0x71, 0x12, 0x20], [0x01, 0x55, 0x12, 0x20]];

pub(crate) const RECOVER: &str = "pds recover FILE recovers records from damaged files";

const SAVE_IT: &str = "to search all of it for records, save it and run pds recover FILE";
