//! `pds repair`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::car::CarFile;
use pds::data::Blocks;
use pds::local::key_file;
use pds::local::layout::KEY_FILE;
use pds::local::open::{is_repository, open_without_key};
use pds::local::store_place::{StorePlace, is_address};
use pds::store::{CheckDepth, Maintain, Salvaged, SqliteStore, StoreError};
use pds::{Error, Progress, Repo, StepKind};
use pds_rescue::{
    BrokenRef, Quarantine, Rescue, SalvagedCopy, Survey, salvage_database, undo_interrupted_salvage,
};

use crate::answers::repair::RepairAnswer;
use crate::arguments::identity::{Identity, IdentityArgs};
use crate::arguments::record;
use crate::failures::errors::START_OVER;
use crate::failures::exit::{Exit, Stated};
use crate::input::stream::{is_a_file, open_damaged};
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::process::text::{counted_plain, say};
use crate::repository::blob_notes::say_copied;
use crate::repository::clock::ClockArg;
use crate::repository::open::Place;
use crate::screens::repair as screen;

/// List damaged and missing data, and repair it
///
/// Without options, checks every block and every state, and changes nothing. A repair moves damaged blocks to the
/// directory quarantine/ of the repository, and deletes none. Exit code 0 if the present state is intact or was
/// repaired, 1 if it is damaged and nothing was changed, 6 if part of it is lost, or if a damaged database could
/// not be read in full. Losses of past states are listed, and do not change the exit code. Refs that point to a commit
/// with a rev in the future are listed, too. Blobs are not checked: see `pds verify --blobs`. Only --from with another
/// repository also copies missing and damaged blobs from it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds repair\n  pds repair --here\n  pds repair --from backup.car --from ../old-copy\n  pds repair --from backup.car --rebuild\n  pds repair --redate"
)]
pub(crate) struct Args {
    /// Take missing blocks from a CAR file, which may be damaged, or from another repository. Blocks that this
    /// repository stores under a wrong CID are used, too
    #[arg(long = "from", value_name = "CAR|DIR")]
    sources: Vec<PathBuf>,

    /// Repair from this repository alone: use blocks that are stored under a wrong CID, set refs from the log, and
    /// rebuild the index
    #[arg(long)]
    here: bool,

    /// Sign a new commit of all surviving records (needs the key)
    #[arg(long)]
    rebuild: bool,

    /// Sign again, with a rev of today, each state whose rev is in the future (needs the key). Such a rev comes from a
    /// wrong clock, and other readers refuse it. The log keeps the old commit
    #[arg(long)]
    redate: bool,

    #[command(flatten)]
    clock: ClockArg,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Show the damage and what can be repaired, and change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let dir = self.directory(place)?;
        let asked = self.rebuild || self.redate || self.here || !self.sources.is_empty();
        let acts = !self.dry_run && asked;
        let sources: Vec<Arc<dyn Blocks>> =
            self.sources.iter().map(|path| open_source(path)).collect::<Result<_>>()?;
        let sources: Vec<&dyn Blocks> = sources.iter().map(AsRef::as_ref).collect();
        let mut readable = self.readable(place, &dir, acts, out)?;
        check_account(&readable.repo, &identity)?;
        let (repo, problems) = (&readable.repo, &mut readable.problems);
        problems.extend(unreadable_key(repo));
        let steps = steps_of(repo);
        let count = |step, more| steps.add(step, more);
        let progress = Progress::new(&count);
        let rescue = Rescue::of(repo).with_progress(progress);
        let survey = rescue.survey(&sources).map_err(|error| of_rows(error, &dir))?;
        let mut answer =
            RepairAnswer::new(&survey, &self.sources, readable.problems, readable.salvaged);
        if acts {
            let mended = self.mend(repo, rescue, &dir, &survey, &sources, &mut answer);
            // Later steps are changes of their own.
            if answer.mended.added + answer.mended.dropped > 0 || mended.is_ok() {
                out.has_done();
            }
            mended?;
        }
        answer.redate.future = repo.keys().future_refs().unwrap_or_default();
        answer.verifies = is_whole(repo, &identity, progress)?;
        let restored = if acts { self.restore_blobs(repo, progress, out)? } else { Exit::Done };
        steps.finish();
        match print(&answer, out)? {
            Exit::Done => Ok(restored),
            exit => Ok(exit),
        }
    }

    /// Copies the missing and damaged blobs that records refer to, from those sources that are repositories.
    fn restore_blobs(&self, repo: &Repo, progress: Progress<'_>, out: &mut Output) -> Result<Exit> {
        let (transfer, mut exit) = (repo.transfer().with_progress(progress), Exit::Done);
        for path in &self.sources {
            if is_repository(path)? {
                let source = open_without_key(path)?;
                let restored = transfer.restore_blobs(source.blobs().as_ref())?;
                if say_copied(&restored, out) != Exit::Done {
                    exit = Exit::Partly;
                }
            }
        }
        Ok(exit)
    }

    /// Opens the repository, or what can be read of a damaged database file.
    fn readable(
        &self,
        place: &Place,
        dir: &Path,
        acts: bool,
        out: &mut Output,
    ) -> Result<Readable> {
        let open = || -> Result<Repo> {
            let repo = if self.signs() { place.repo() } else { place.mirror() }?;
            Ok(if self.clock.accept_clock { repo.accepting_clock() } else { repo })
        };
        let Some(StorePlace::File(store)) = StorePlace::of(dir)? else {
            let repo = open()?;
            let check = |maintain: &dyn Maintain| maintain.check(CheckDepth::Whole);
            let problems = repo.store().maintain().map_or(Ok(Vec::new()), check)?;
            return Ok(Readable { repo, problems, salvaged: None, copy: None });
        };
        if acts {
            undo_interrupted_salvage(dir)?;
        }
        let problems = SqliteStore::check_file(&store)?;
        if !problems.is_empty() && !acts {
            let copy = SalvagedCopy::of(dir).map_err(|error| nothing_left(error, &store))?;
            let (repo, salvaged) = (copy.open()?, Some(copy.salvaged().clone()));
            return Ok(Readable { repo, problems, salvaged, copy: Some(copy) });
        }
        let salvaged = (!problems.is_empty()).then(|| salvaged(dir, &store)).transpose()?;
        if salvaged.is_some() {
            out.has_done();
        }
        Ok(Readable { repo: open()?, problems, salvaged, copy: None })
    }

    /// Returns the directory of the repository, and checks that it has a database, and a key if one is needed.
    fn directory(&self, place: &Place) -> Result<PathBuf> {
        let dir = place.directory()?;
        if is_a_file(&dir) {
            let message = format!("{} is a CAR file; pds repair needs a repository", dir.display());
            return Stated::usage(message)
                .hint("pds recover FILE recovers records from a CAR file")
                .fail();
        }
        if !is_repository(&dir)? {
            return Err(Error::NotARepository(dir).into());
        }
        if self.signs() && !dir.join(KEY_FILE).exists() {
            return Err(Error::NoSigner.into());
        }
        Ok(dir)
    }

    fn signs(&self) -> bool {
        self.rebuild || self.redate
    }

    fn mend(
        &self,
        repo: &Repo,
        rescue: Rescue<'_>,
        dir: &Path,
        survey: &Survey,
        sources: &[&dyn Blocks],
        answer: &mut RepairAnswer<'_>,
    ) -> Result<()> {
        let quarantine = Quarantine::of(dir);
        let keep = &mut |block: &_, bytes: &[u8]| quarantine.keep(block, bytes);
        let restore_identity = || {
            let key = key_file::read(dir.join(KEY_FILE)).ok().flatten();
            rescue.restore_identity(key.map(|key| key.public_key()).as_ref())
        };
        answer.mended = rescue.mend(survey, sources, keep)?;
        restore_identity()?;
        let can_be_told = |broken: &BrokenRef| {
            broken.target.is_some() || broken.name != *repo.history().ref_name()
        };
        if self.rebuild && survey.refs.iter().all(can_be_told) {
            answer.add(rescue.rebuild(keep)?);
        } else {
            rescue.restore_refs(survey)?;
        }
        repo.retain().accept_losses(answer.lost.iter().map(|lost| (lost.commit, lost.cid)))?;
        restore_identity()?;
        if self.redate {
            answer.redate.redated = repo.keys().redate()?;
        }
        answer.acted = true;
        Ok(())
    }
}

/// A repository whose blocks can be read.
struct Readable {
    repo: Repo,
    /// The problems of the database file.
    problems: Vec<String>,
    salvaged: Option<Salvaged>,
    /// The copy that `repo` reads. It is declared after `repo`, so that it exists longer.
    #[allow(dead_code, reason = "it keeps the files of the copy")]
    copy: Option<SalvagedCopy>,
}

fn print(answer: &RepairAnswer<'_>, out: &mut Output) -> Result<Exit> {
    out.show(answer, |terminal| screen::lines(answer, terminal))?;
    let is_screen = out.terminal().is_some();
    // The screen lists the options.
    let has_hint = !(out.is_json() || is_screen && answer.has_options());
    if let Some(hint) = answer.hint().filter(|_| has_hint) {
        let label = if is_screen { "hint: " } else { "" };
        say(&format!("{label}{hint}"));
    }
    Ok(answer.exit())
}

/// Returns why the key is damaged. Other errors are left to the next steps, which meet them again.
fn unreadable_key(repo: &Repo) -> Option<String> {
    let error = repo.public_key().err().filter(Error::is_corrupt)?;
    Some(format!("{:#}", anyhow::Error::new(error)))
}

/// Adds the next step to the error about a row that cannot be read. A file is salvaged before it comes to that.
fn of_rows(error: Error, dir: &Path) -> anyhow::Error {
    let is_remote = matches!(StorePlace::of(dir), Ok(Some(StorePlace::Database(_))));
    match error {
        Error::Store(StoreError::Damaged(row)) if is_remote => {
            Stated::bad_input(format!("the database has a row that is not valid: {row}"))
                .hint("correct or delete the row in the database, or restore its backup")
                .into()
        }
        error => error.into(),
    }
}

/// Replaces the database by one with its readable rows. An error after that says that it is replaced.
fn salvaged(dir: &Path, store: &Path) -> Result<Salvaged> {
    salvage_database(dir).map_err(|error| {
        let is_replaced = SqliteStore::check_file(store).is_ok_and(|found| found.is_empty());
        if !is_replaced {
            return nothing_left(error, store);
        }
        let reason = anyhow::Error::new(error);
        let message =
            format!("the database was repaired, but a power failure may undo that: {reason:#}");
        Stated::partly(message).hint("check the disk, then run pds repair again").into()
    })
}

/// Adds the next step to the error about a database that has no readable part.
fn nothing_left(error: Error, store: &Path) -> anyhow::Error {
    let Error::Store(StoreError::NotAStore(said)) = error else { return error.into() };
    let message = format!("nothing can be read from {}: {said}", store.display());
    Stated::bad_input(message).hint(START_OVER).into()
}

/// Opens a place that may have missing blocks, and skips its damaged blocks.
pub(crate) fn open_source(path: &Path) -> Result<Arc<dyn Blocks>> {
    if path.is_dir() || is_repository(path)? {
        // An address may contain a password.
        let is_address = path.to_str().is_some_and(is_address);
        let shown = if is_address { "the database".into() } else { path.to_string_lossy() };
        let repo = open_without_key(path).with_context(|| format!("cannot read {shown}"))?;
        return Ok(repo.store().clone());
    }
    let mut damaged = 0_u64;
    let car = CarFile::salvage(open_damaged(path)?, &mut |_| damaged += 1);
    let car = car.with_context(|| format!("cannot read {}", path.display()))?;
    if car.is_empty() {
        return Stated::no_block(path).fail();
    }
    if damaged > 0 {
        let path = path.display();
        let places = counted_plain(damaged, "place");
        say(&format!("{path}: {places} cannot be read; the other blocks are used"));
    }
    Ok(Arc::new(car))
}

/// Begins the check of every block.
fn steps_of(repo: &Repo) -> Steps {
    let blocks = repo.store().maintain().and_then(|maintain| maintain.block_count().ok());
    blocks.map_or_else(Steps::default, |blocks| Steps::of(StepKind::Blocks, blocks))
}

/// Checks that the repository belongs to the expected account, if it is known.
fn check_account(repo: &Repo, identity: &Identity) -> Result<()> {
    match repo.did() {
        Ok(Some(did)) => record::check_account(identity.did(), &did),
        _ => Ok(()),
    }
}

/// Verifies the present state; a missing state was reported before.
fn is_whole(repo: &Repo, identity: &Identity, progress: Progress<'_>) -> Result<bool> {
    let mut expected = identity.expected();
    expected.progress = progress;
    match repo.verify().present(&expected, &mut |_| {}) {
        Ok(report) => Ok(report.is_ok() && report.is_complete()),
        Err(error) if error.is_corrupt() || error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
