//! `pds repair`

mod outcome;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::Expected;
use pds::car::CarFile;
use pds::data::Blocks;
use pds::local::key_file;
use pds::local::layout::{KEY_FILE, STORE_FILE};
use pds::store::{SqliteStore, StoreError};
use pds::{Error, Repo};
use pds_rescue::{Quarantine, SalvagedCopy, StrayRef, salvage_database, undo_interrupted_salvage};

use self::outcome::Outcome;
pub(crate) use self::outcome::lost_part_json;
use crate::failure::{Exit, START_ANEW, Stated};
use crate::open::{Place, is_a_file, open_file};
use crate::output::{Output, counted, say};

/// Say what is damaged or missing, and mend it
///
/// Without options it looks at every block and every state, and changes nothing. Damaged blocks are
/// moved to the directory quarantine/ of the repository, never deleted. Exit code 0 if nothing is
/// wrong with the present (any more), 1 if something is and nothing was done, 6 if something of it is
/// lost, or if a damaged database had more than could be read: it is listed. What only past states have lost is
/// listed too, and is no failure. It does not look at blobs: pds verify --blobs does.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds repair\n  pds repair --here\n  pds repair --from backup.car --from ../old-copy\n  pds repair --from backup.car --rebuild"
)]
pub(crate) struct Args {
    /// Take what is missing from a CAR file, itself damaged perhaps, or from another repository. What this
    /// one has itself, under wrong names, is always taken
    #[arg(long = "from", value_name = "CAR|DIR")]
    sources: Vec<PathBuf>,

    /// Mend with what this repository has itself: blocks under wrong names,
    /// refs set to where the log says they stood, the index made anew
    #[arg(long)]
    here: bool,

    /// Sign a new commit of all records that have survived; takes the key
    #[arg(long)]
    rebuild: bool,

    /// Say what is wrong and what could be had, and change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        if is_a_file(&dir) {
            let message = format!("{} is a file: a repository is repaired", dir.display());
            return Err(Stated::usage(message)
                .hint("pds recover FILE reads what can be read of a CAR file")
                .into());
        }
        let acts = !self.dry_run && (self.rebuild || self.here || !self.sources.is_empty());
        let store = dir.join(STORE_FILE);
        if !store.is_file() {
            return Err(Error::NotARepository(dir).into());
        }
        if self.rebuild && !dir.join(KEY_FILE).exists() {
            return Err(Error::NoSigner.into());
        }
        let sources = self.sources.iter().map(|path| open_source(path));
        let sources: Vec<Arc<dyn Blocks>> = sources.collect::<Result<_>>()?;
        let sources: Vec<&dyn Blocks> = sources.iter().map(AsRef::as_ref).collect();
        if acts {
            undo_interrupted_salvage(&dir)?;
        }
        let mut problems = SqliteStore::check_file(&store)?;
        // Lives as long as what is read from it.
        let copy;
        let (repo, salvaged) = match problems.is_empty() {
            false if !acts => {
                copy = SalvagedCopy::of(&dir).map_err(|error| nothing_left(error, &store))?;
                (copy.open()?, Some(copy.salvaged().clone()))
            }
            is_sound => {
                let salvaged = (!is_sound).then(|| salvage_database(&dir)).transpose();
                let salvaged = salvaged.map_err(|error| nothing_left(error, &store))?;
                (if self.rebuild { place.repo()? } else { place.mirror()? }, salvaged)
            }
        };

        // Any other reason why it cannot be read is one for what follows, too.
        if let Err(error) = repo.public_key()
            && error.is_corrupt()
        {
            problems.push(format!("{:#}", anyhow::Error::new(error)));
        }
        let survey = pds_rescue::Rescue::of(&repo).survey(&sources)?;
        let mut outcome = Outcome::new(&survey, &self.sources, problems, salvaged);
        if acts {
            let quarantine = Quarantine::of(&dir);
            let keep = &mut |block: &_, bytes: &[u8]| quarantine.keep(block, bytes);
            let restore_identity = || {
                let key = key_file::read(&dir.join(KEY_FILE)).ok().flatten();
                pds_rescue::Rescue::of(&repo)
                    .restore_identity(key.map(|key| key.public_key()).as_ref())
            };
            outcome.mended = pds_rescue::Rescue::of(&repo).mend(&survey, &sources, keep)?;
            restore_identity()?;
            let can_be_told = |stray: &StrayRef| {
                stray.target.is_some() || stray.name != *repo.history().ref_name()
            };
            if self.rebuild && survey.refs.iter().all(can_be_told) {
                outcome.add(pds_rescue::Rescue::of(&repo).rebuild(keep)?);
            } else {
                pds_rescue::Rescue::of(&repo).restore_refs(&survey)?;
            }
            repo.retain().accept_losses(outcome.lost.iter().map(|lost| (lost.commit, lost.cid)))?;
            restore_identity()?;
            outcome.acted = true;
        }
        outcome.verifies = is_whole(&repo)?;
        if acts {
            out.has_done();
        }
        outcome.tell(out)?;
        Ok(outcome.exit())
    }
}

/// Says what to do with a database of which nothing can be read: a repair has nothing to start from.
fn nothing_left(error: Error, store: &Path) -> anyhow::Error {
    let Error::Store(StoreError::NotAStore(said)) = error else { return error.into() };
    let message = format!("nothing is left of {}: {said}", store.display());
    Stated::bad_input(message).hint(START_ANEW).into()
}

/// Opens a place that may have blocks: what is damaged in it is passed over.
pub(crate) fn open_source(path: &Path) -> Result<Arc<dyn Blocks>> {
    if path.is_dir() {
        let repo = pds::local::open::open_without_key(path);
        let repo = repo.with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(repo.store().clone());
    }
    let mut damaged = 0_u64;
    let car = CarFile::salvage(open_file(path)?, &mut |_| damaged += 1);
    let car = car.with_context(|| format!("cannot read {}", path.display()))?;
    if car.is_empty() {
        return Err(Stated::bad_input(format!("no block can be read in {}", path.display())).into());
    }
    if damaged > 0 {
        let path = path.display();
        let places = counted(damaged, "place");
        say(&format!("{path}: {places} cannot be read; what can be is used"));
    }
    Ok(Arc::new(car))
}

/// Makes every check there is of the present state. There may be none: what is wrong with it has been
/// told then.
fn is_whole(repo: &Repo) -> Result<bool> {
    match repo.verify().present(&Expected::default(), &mut |_| {}) {
        Ok(report) => Ok(report.is_ok() && report.is_complete()),
        Err(error) if error.is_corrupt() || error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
