//! `pds recover`

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use pds::car::{CarError, CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::Blocks;
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use pds::{Error, Snapshot};
use pds_rescue::{Recovered, Recovery, recover};
use serde::Serialize;

use crate::answers::recover::{RecoverAnswer, RecoveredRow};
use crate::commands::repair::open_source;
use crate::failures::damage::Damage;
use crate::failures::errors::is_closed_pipe;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::note_faults;
use crate::input::database::{blocks_of_database, is_database};
use crate::input::filled_file::{DamagedPlaces, FilledFile};
use crate::input::stream::open_damaged;
use crate::process::destination::{check_is_free, named, write_file};
use crate::process::output::Output;
use crate::process::progress::Watched;
use crate::process::text::say;
use crate::records::record_files::Files;
use crate::screens::recover as screen;

/// Recover records from a damaged CAR file, or from the database of another program
///
/// Lists the records, or writes them: as JSON files into DIR, as `pds unpack` does, or with -o all good blocks
/// as a CAR file. Losses are always listed, and so are the states if the file has several. The records of the newest
/// state that has a tree come first. A record that only another state has is printed as REV:PATH, or as COMMIT:PATH if
/// the rev names no single state. An unplaced record has a path in a subtree, but its state is unknown. A record
/// without a path is in no tree. In a SQLite file, every value that hashes to a CID in the same row is a block. Earlier
/// commits may be there without their trees, as pds export --chain writes them. Exit code 0 if every tree in the file
/// is whole and nothing else is damaged or without a place, 6 if parts are missing, 3 if nothing is found.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds recover cut.car\n  pds recover cut.car records/\n  pds recover cut.car --from older.car -o whole.car\n  pds recover store.sqlite -o repo.car"
)]
pub(crate) struct Args {
    /// Damaged CAR file, or SQLite file of any program; - for stdin
    car: PathBuf,

    /// Directory for the records, as JSON files
    dir: Option<PathBuf>,

    /// Write a CAR file of all good blocks; with - for stdout, the report goes to stderr
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// Overwrite the file
    #[arg(long, requires = "output")]
    force: bool,

    /// Take missing blocks from another CAR file or from a repository
    #[arg(long = "from", value_name = "CAR|DIR")]
    sources: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let file = named(self.output.as_deref());
        if let Some(file) = file {
            check_is_free(file, self.force)?;
        }
        let (input, places) = self.open()?;
        let mut files = self.dir.as_deref().map(Files::new).transpose()?;
        let stdout_is_file = self.output.is_some() && file.is_none();
        let lists = self.dir.is_none() && self.output.is_none();
        let mut reporter = Reporter { out, stdout_is_file, lists, no_path: NoPath::default() };
        let recovery = find_all(&input, &mut reporter, &mut files)?;
        let damaged = places.unfilled(&input, &recovery.commits)?;
        let odd = match files {
            Some(files) => files.finish(recovery.commit.as_ref())?,
            None => 0,
        };
        if let Some(file) = file {
            write_file(file, self.force, |out| write_car(&input, &recovery, out))?;
        } else if stdout_is_file {
            match write_car(&input, &recovery, reporter.out.bytes()) {
                // The reader of the file has seen enough; the report goes to standard error.
                Err(error) if is_closed_pipe(&error) => {}
                written => written?,
            }
        }
        if !lists {
            reporter.out.has_done();
        }
        say_if_newer(&input.car, &recovery);
        recovery.commits.iter().for_each(note_faults);
        let answer = reporter.no_path.answer(&recovery, damaged);
        reporter.end(&answer)?;
        Ok(match answer.is_whole() && odd == 0 {
            true => Exit::Done,
            false if answer.has_nothing() => Exit::BadInput,
            false => Exit::Partly,
        })
    }

    /// Opens the file, and the other places that may have its missing blocks.
    fn open(&self) -> Result<(Arc<FilledFile>, DamagedPlaces)> {
        let (mut damage, mut places) = (Damage::of(&self.car), DamagedPlaces::default());
        let file = match open_damaged(&self.car)? {
            file if is_database(&file) => {
                let (file, damaged) = blocks_of_database(&self.car, &file)?;
                places.unknown = damaged;
                file
            }
            file => file,
        };
        let car = CarFile::salvage(file.again("searching"), &mut |error| {
            places.add(&error);
            damage.add(&error);
        })?;
        damage.report_rest();
        // If the header still names the commit, other places may have all of it.
        if car.is_empty() && (self.sources.is_empty() || car.roots().is_empty()) {
            return Stated::no_block(&self.car).fail();
        }
        let others = self.sources.iter().map(|path| open_source(path)).collect::<Result<_, _>>()?;
        Ok((Arc::new(FilledFile::new(car, others)), places))
    }
}

/// Prints a message if the present state is not the root of the file.
fn say_if_newer(car: &CarFile<Watched>, recovery: &Recovery) {
    if let (Some(commit), [root, ..]) = (&recovery.commit, car.roots())
        && commit.cid() != *root
        && matches!(car.get(root), Ok(Some(_)))
    {
        let newest = match commit.rev() {
            Some(rev) => format!("rev {rev}"),
            None => format!("commit {}", commit.cid()),
        };
        say(&format!("the header names commit {root}; the newest state with a tree is {newest}"));
    }
}

/// Finds all records that are left, reports them, and writes them into files if the user asked for it.
fn find_all(
    input: &FilledFile,
    reporter: &mut Reporter<'_>,
    files: &mut Option<Files>,
) -> Result<Recovery> {
    let mut failed = None;
    let recovery = recover(&input.car, input, &mut |recovered| {
        let reported = reporter.report(&recovered).and_then(|()| match files {
            Some(files) => files.add(&recovered),
            None => Ok(()),
        });
        reported.map_err(|error| {
            // This error is reported; the other one only ends the search.
            failed = Some(error);
            Error::Car(CarError::Io(std::io::ErrorKind::Other.into()))
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(recovery?),
    }
}

/// Reports recovered records and losses.
struct Reporter<'a> {
    out: &'a mut Output,
    /// Standard output holds the bytes of the file.
    stdout_is_file: bool,
    /// Recovered records are listed, not only losses.
    lists: bool,
    no_path: NoPath,
}

/// How many records have a key that is not a record path.
#[derive(Clone, Copy, Default)]
struct NoPath {
    placed: u64,
    in_states: u64,
    unplaced: u64,
}

impl NoPath {
    fn answer(self, recovery: &Recovery, damaged: u64) -> RecoverAnswer<'_> {
        RecoverAnswer {
            commit: recovery.commit.as_ref(),
            commits: &recovery.commits,
            damaged,
            in_states: recovery.in_states - self.in_states,
            lost: recovery.lost,
            records: recovery.records - self.placed,
            unplaced: recovery.unplaced - self.unplaced,
            without_path: recovery.without_path + self.placed + self.in_states + self.unplaced,
        }
    }
}

impl Reporter<'_> {
    fn answer(&mut self, answer: &(impl Serialize + Display)) -> Result<()> {
        match (self.stdout_is_file, self.out.is_json()) {
            (false, _) => self.out.answer(answer)?,
            (true, true) => say(&serde_json::to_string(answer)?),
            (true, false) => say(&answer.to_string()),
        }
        Ok(())
    }

    /// Prints the verdict and the counts.
    fn end(&mut self, answer: &RecoverAnswer<'_>) -> Result<()> {
        match self.stdout_is_file {
            true => self.answer(answer),
            false => self.out.show(answer, |terminal| screen::summary(answer, terminal)),
        }
    }

    /// Reports a loss, or a recovered record if records are listed.
    fn report(&mut self, recovered: &Recovered) -> Result<()> {
        let keyed = match recovered {
            Recovered::Record { key, .. } => Some((key, &mut self.no_path.placed)),
            Recovered::InState { key, .. } => Some((key, &mut self.no_path.in_states)),
            Recovered::Unplaced { key, .. } => Some((key, &mut self.no_path.unplaced)),
            _ => None,
        };
        if let Some((key, no_path)) = keyed
            && RecordPath::from_bytes(key.as_bytes()).is_err()
        {
            say(&Error::Path { key: key.to_string() }.to_string());
            *no_path += 1;
        }
        let is_news = matches!(recovered, Recovered::Lost { .. } | Recovered::State(_));
        if !is_news && !self.lists {
            return Ok(());
        }
        let row = RecoveredRow(recovered);
        match self.stdout_is_file {
            true => self.answer(&row),
            false => self.out.show(&row, |terminal| vec![screen::row(recovered, terminal)]),
        }
    }
}

/// Writes a whole repository as an export if the file has nothing else; otherwise every good block of the file, and
/// the missing blocks of all states that the other places have.
fn write_car(input: &Arc<FilledFile>, recovery: &Recovery, out: &mut dyn Write) -> Result<()> {
    let rest = recovery.lost + recovery.unplaced + recovery.without_path;
    if let ([commit], 0) = (recovery.commits.as_slice(), rest)
        && commit.faults().is_empty()
    {
        let snapshot = Snapshot::open(input.clone(), commit.cid())?;
        export_car(&snapshot, out, &mut |_| {})?;
        return Ok(());
    }
    let car = &input.car;
    let commit = recovery.commit.as_ref().map(Commit::cid);
    let root = commit.or(car.roots().first().copied());
    let mut written = CarWriter::new(out, root.as_slice())?;
    for number in 0..car.len() {
        if let Some(cid) = car.cid(number)?
            && let Some(block) = car.get(&cid)?
        {
            written.block(block.borrowed())?;
        }
    }
    for cid in input.taken() {
        if let Some(block) = input.get(&cid)? {
            written.block(block.borrowed())?;
        }
    }
    written.finish()?;
    Ok(())
}
