//! Copies that take the place of the repository.

use std::fs;
use std::path::Path;

use pds::Repo;
use pds::local::copy::clone_repository;
use pds::local::copy_options::CopyOptions;
use pds::store::{FactEdit, FactKind};

use super::Trial;
use crate::repo::{facts, moves, refs};

impl Trial {
    /// Replaces the repository by its copy. All later checks of the model are those of the copy.
    pub(super) fn copy(&mut self) {
        let before = (refs(&self.repo), moves(&self.repo), kept(&self.repo));
        self.repo = (self.copy)(&self.repo);
        assert_eq!((refs(&self.repo), moves(&self.repo), kept(&self.repo)), before);
        self.repo = (self.open)();
        self.takes("copy");
    }
}

/// Returns the facts that are true of a copy as well.
fn kept(repo: &Repo) -> Vec<FactEdit> {
    let kinds = FactKind::ALL.into_iter();
    let kinds = kinds.filter(|kind| !matches!(kind, FactKind::Erasure | FactKind::Erasing));
    let mut kept: Vec<_> = kinds.flat_map(|kind| facts(repo, kind)).collect();
    kept.sort_by_key(|fact| (fact.kind(), fact.subject()));
    kept.into_iter().map(FactEdit::Set).collect()
}

/// Copies a repository with its key, and moves the copy to the place of the original.
pub(super) fn in_directory(dir: &Path) -> Repo {
    let copy = dir.with_extension("copy");
    let (repo, copied) =
        clone_repository(&copy, dir, &CopyOptions::default().with_key(true)).unwrap();
    assert!(copied.lost.is_empty() && repo.keys().can_sign());
    drop(repo);
    fs::remove_dir_all(dir).unwrap();
    fs::rename(&copy, dir).unwrap();
    Repo::open(dir).unwrap()
}
