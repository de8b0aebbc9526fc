//! `pds recover`

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use pds::car::{CarError, CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::{Blocks, Cid};
use pds::mst::{Step, walk};
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use pds::{Error, Snapshot};
use pds_rescue::{Recovered, Recovery, Sources, recover};
use serde::Serialize;

use crate::answers::recover::{RecoverAnswer, RecoveredRow};
use crate::commands::repair::open_source;
use crate::damage::Damage;
use crate::database::{blocks_of_database, is_database};
use crate::destination::{check_is_free, named, write_file};
use crate::errors::is_closed_pipe;
use crate::exit::{Exit, Stated};
use crate::output::Output;
use crate::partial::note_faults;
use crate::progress::Watched;
use crate::record_files::Files;
use crate::stream::open_damaged;
use crate::text::{rev_text, say};

/// Recover records from a damaged CAR file, or from the database of another program
///
/// Lists the records, or writes them: as JSON files into DIR, as `pds unpack` does, or with -o all good blocks
/// as a CAR file. Losses are always listed, and so are the states if the file has several. The records of the newest
/// state that has a tree come first. A record that only another state has is printed as REV:PATH. An unplaced record
/// has a path in a subtree, but its state is unknown. A record without a path is in no tree. In a SQLite file, every
/// value that hashes to a CID in the same row is a block. Exit code 0 if every state in the file is whole, 6 if parts
/// are missing, 3 if nothing is found.
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
        let (car, sources) = self.open()?;
        let mut files = self.dir.as_deref().map(Files::new).transpose()?;
        let stdout_is_file = self.output.is_some() && file.is_none();
        let lists = self.dir.is_none() && self.output.is_none();
        let mut reporter = Reporter { out, stdout_is_file, lists, no_path: NoPath::default() };
        let recovery = find_all(&car, &sources, &mut reporter, &mut files)?;
        let odd = match files {
            Some(files) => files.finish(recovery.commit.as_ref())?,
            None => 0,
        };
        if let Some(file) = file {
            write_file(file, self.force, |out| write_car(&car, &sources, &recovery, out))?;
        } else if stdout_is_file {
            match write_car(&car, &sources, &recovery, reporter.out.bytes()) {
                // The reader of the file has seen enough; the report goes to standard error.
                Err(error) if is_closed_pipe(&error) => {}
                written => written?,
            }
        }
        if !lists {
            reporter.out.has_done();
        }
        say_if_newer(&car, &recovery);
        recovery.commit.iter().for_each(note_faults);
        let answer = reporter.no_path.answer(&recovery);
        reporter.answer(&answer)?;
        let found =
            recovery.records + recovery.in_states + recovery.unplaced + recovery.without_path;
        Ok(match answer.is_whole() && odd == 0 {
            true => Exit::Done,
            false if found == 0 && answer.commit.is_none() => Exit::BadInput,
            false => Exit::Partly,
        })
    }

    /// Opens the file, and the other places that may have its missing blocks.
    fn open(&self) -> Result<(Arc<CarFile<Watched>>, Arc<Sources>)> {
        let mut damage = Damage::of(&self.car);
        let file = match open_damaged(&self.car)? {
            file if is_database(&file) => blocks_of_database(&self.car, &file)?,
            file => file,
        };
        let car = CarFile::salvage(file, &mut |error| damage.add(&error))?;
        damage.report_rest();
        let car = Arc::new(car);
        // If the header still names the commit, other places may have all of it.
        if car.is_empty() && (self.sources.is_empty() || car.roots().is_empty()) {
            return Stated::no_block(&self.car).fail();
        }
        let mut sources: Vec<Arc<dyn Blocks>> = vec![car.clone()];
        for path in &self.sources {
            sources.push(open_source(path)?);
        }
        Ok((car, Arc::new(Sources(sources))))
    }
}

/// Prints a message if the present state is not the root of the file.
fn say_if_newer(car: &CarFile<Watched>, recovery: &Recovery) {
    if let (Some(commit), [root, ..]) = (&recovery.commit, car.roots())
        && commit.cid() != *root
        && matches!(car.get(root), Ok(Some(_)))
    {
        let rev = rev_text(commit.rev());
        say(&format!("the header names commit {root}; the newest state with a tree is rev {rev}"));
    }
}

/// Finds all records that are left, reports them, and writes them into files if the user asked for it.
fn find_all(
    car: &CarFile<Watched>,
    sources: &Sources,
    reporter: &mut Reporter<'_>,
    files: &mut Option<Files>,
) -> Result<Recovery> {
    let mut failed = None;
    let recovery = recover(car, sources, &mut |recovered| {
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
    fn answer(self, recovery: &Recovery) -> RecoverAnswer<'_> {
        RecoverAnswer {
            commit: recovery.commit.as_ref(),
            has_odd_paths: self.placed > 0,
            in_states: recovery.in_states - self.in_states,
            lost: recovery.lost,
            records: recovery.records - self.placed,
            states: recovery.states,
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
        match recovered {
            Recovered::Lost { .. } | Recovered::State(_) => self.answer(&RecoveredRow(recovered)),
            _ if self.lists => self.answer(&RecoveredRow(recovered)),
            _ => Ok(()),
        }
    }
}

/// Writes a whole repository as an export if the file has no other state; otherwise every good block of the file, and
/// the missing blocks that the other places have.
fn write_car(
    car: &Arc<CarFile<Watched>>,
    sources: &Arc<Sources>,
    recovery: &Recovery,
    out: &mut dyn Write,
) -> Result<()> {
    let has_one_state = recovery.states == 1 && recovery.unplaced == 0;
    if let (Some(commit), 0, true) = (&recovery.commit, recovery.lost, has_one_state)
        && commit.faults().is_empty()
    {
        let snapshot = Snapshot::open(sources.clone(), commit.cid())?;
        export_car(&snapshot, out, &mut |_| {})?;
        return Ok(());
    }
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
    let mut add = |cid: &Cid| -> Result<()> {
        if car.get(cid)?.is_none()
            && let Some(block) = sources.get(cid)?
        {
            written.block(block.borrowed())?;
        }
        Ok(())
    };
    if let Some(commit) = &recovery.commit {
        add(&commit.cid())?;
        for step in walk(sources.as_ref(), commit.data()) {
            match step {
                Ok(Step::Node { block, .. }) => add(&block.cid())?,
                Ok(Step::Entry { value, .. }) => add(&value)?,
                // This loss has been listed.
                Err(_) => {}
            }
        }
    }
    written.finish()?;
    Ok(())
}
