//! A repository or a CAR file, opened for completion: nothing is checked, and nothing is printed.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use pds::car::CarFile;
use pds::history::in_file::resolve_in_file;
use pds::local::open::open_without_key;
use pds::{Repo, Revision, Snapshot};

use crate::arguments::state_arg::StateArg;
use crate::repository::open::Place;

pub(super) enum Opened {
    Repo(Repo),
    Car(Arc<CarFile<File>>),
}

impl Opened {
    /// Opens the repository of a command line; `None` if it cannot be read.
    pub(super) fn of(place: &Place) -> Option<Self> {
        let path = place.directory().ok()?;
        if path.is_file() {
            let car = CarFile::open_unchecked(File::open(path).ok()?).ok()?;
            return Some(Self::Car(Arc::new(car)));
        }
        Some(Self::Repo(open_without_key(path).ok()?))
    }

    /// Opens a state.
    pub(super) fn snapshot(&self, at: Option<&str>) -> Option<Snapshot> {
        let Some(text) = at else { return self.checkout(&Revision::head()) };
        match StateArg::parse(text.into()).ok()? {
            StateArg::Revision(revision) => self.checkout(&revision),
            StateArg::File(path) => Self::at(path),
            StateArg::Either(revision, path) => self.checkout(&revision).or_else(|| Self::at(path)),
        }
    }

    /// Opens the present state of another repository or a CAR file.
    fn at(path: PathBuf) -> Option<Snapshot> {
        Self::of(&Place { named: Some(path) })?.snapshot(None)
    }

    fn checkout(&self, revision: &Revision) -> Option<Snapshot> {
        match self {
            Self::Repo(repo) => repo.checkout(revision).ok(),
            Self::Car(car) => {
                let commit = resolve_in_file(car, revision).ok()?;
                Snapshot::open_with_faults(car.clone(), commit).ok()
            }
        }
    }
}
