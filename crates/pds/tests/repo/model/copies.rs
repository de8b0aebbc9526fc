//! Copies that take the place of the repository.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::local::copy::clone_repository;
use pds::local::copy_options::CopyOptions;
use pds::store::{FactEdit, FactKind, MemoryStore};

use super::Trial;
use crate::repo::{block_count, facts, moves, refs};

impl Trial {
    /// Replaces the repository by its copy. All later checks of the model are those of the copy.
    pub(super) fn copy(&mut self) {
        let before = (refs(&self.repo), moves(&self.repo), kept(&self.repo));
        self.repo = (self.copy)(&self.repo);
        assert_eq!((refs(&self.repo), moves(&self.repo), kept(&self.repo)), before);
        self.repo = (self.open)();
        self.check_file();
        self.takes("copy");
    }

    /// Checks that a file of the history brings every state to an empty repository.
    fn check_file(&self) {
        let mut file = Vec::new();
        let at = "HEAD".parse().unwrap();
        let exported = self.repo.transfer().export_history(&at, &mut file, &mut |_| {}).unwrap();
        let copy = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        let imported = copy.transfer().import_file(Cursor::new(file), None).unwrap();
        let here = self.model.here();
        assert_eq!(exported.states, here.len() as u64);
        assert_eq!(imported.left_out, [], "every state is stored");
        assert_eq!(imported.earlier + 1, exported.states);
        assert_eq!(copy.head().unwrap(), self.repo.head().unwrap());
        let before = block_count(&copy);
        copy.retain().gc(&Default::default(), &mut |_| {}).unwrap();
        assert_eq!(block_count(&copy), before, "the log keeps every state");
        for commit in here {
            let commit = &self.model.commits[commit];
            let found = copy.checkout(&commit.cid.into()).unwrap();
            let found = found.records().map(|entry| entry.unwrap().path.to_string());
            assert!(found.eq(commit.state.keys().cloned()), "{}", commit.cid);
        }
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
