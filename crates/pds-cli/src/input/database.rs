//! SQLite files of any program, in which `recover` searches for blocks.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use pds::car::{FromStart, ReadAt};
use pds::unfinished::UnfinishedDir;
use pds_rescue::extract_blocks;

use crate::input::spool::Roomy;
use crate::process::leftovers::report;
use crate::process::progress::{Counted, Progress, Watched};
use crate::process::text::{counted_plain, say};

/// Tells whether a file is a SQLite file.
pub(crate) fn is_database(file: &Watched) -> bool {
    let mut start = [0; SQLITE.len()];
    file.read_exact_at(&mut start, 0).is_ok() && start == SQLITE
}

/// Copies the blocks of a database to a temporary CAR file. Returns it with the number of damaged tables.
pub(crate) fn blocks_of_database(path: &Path, file: &Watched) -> Result<(Watched, u64)> {
    // A compressed file or a pipe was copied to a file without a name.
    let is_plain = File::open(path).is_ok_and(|file| is_database(&Watched::new(file, "reading")));
    let (dir, left) = UnfinishedDir::for_copy().context(NO_TEMPORARY_FILE)?;
    report(&left);
    let copy = match is_plain {
        true => None,
        false => {
            let copy = dir.path().join("copy.db");
            let mut to = File::create_new(&copy).context(NO_TEMPORARY_FILE)?;
            io::copy(&mut FromStart::new(file), &mut Roomy(&mut to)).context(NO_TEMPORARY_FILE)?;
            Some(copy)
        }
    };
    let mut car = tempfile::tempfile().context(NO_TEMPORARY_FILE)?;
    let mut progress = Progress::bytes("searching", None);
    let mut out = BufWriter::new(Counted::new(Roomy(&mut car), &mut progress));
    let found = extract_blocks(copy.as_deref().unwrap_or(path), &mut out)
        .with_context(|| format!("cannot read the tables of {}", path.display()))?;
    out.flush().context(NO_TEMPORARY_FILE)?;
    drop(out);
    drop(progress);
    for (table, blocks) in &found.tables {
        say(&format!("table {table}: {}", counted_plain(*blocks, "block")));
    }
    for table in &found.damaged {
        say(&format!("table {table}: some rows are damaged and were left out"));
    }
    Ok((Watched::new(car, "reading"), found.damaged.len() as u64))
}

/// The first bytes of a SQLite file.
const SQLITE: [u8; 16] = *b"SQLite format 3\0";

const NO_TEMPORARY_FILE: &str = "cannot write a temporary file";
