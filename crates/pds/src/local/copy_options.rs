//! The options of a clone: of a CAR file, or of another repository.

use crate::model::jobs::Jobs;
use crate::model::progress::Progress;
use crate::repo::Repo;
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::KeyHistory;

/// The options of a clone.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CopyOptions<'a> {
    /// The key that must have signed the present commit. With `None`, it is the known key of the original repository;
    /// the signature in a CAR file is then not checked.
    pub key: Option<&'a PublicKey>,
    /// The keys of the account over time, from a log. They decide on the signatures of earlier states in a CAR file.
    pub account_keys: Option<&'a KeyHistory>,
    /// Copy the signing key as well.
    pub with_key: bool,
    /// The number of threads.
    pub jobs: Jobs,
    /// Accept a commit with a rev in the future.
    pub accept_clock: bool,
    /// The address of the database for the store of the copy. With `None`, it is a file.
    pub store: Option<&'a str>,
    /// Is called for each block and blob that is copied.
    pub progress: Progress<'a>,
    /// The message of the log entries of a clone of a file. A copy of a repository has the entries of its original.
    pub message: &'a str,
}

impl<'a> CopyOptions<'a> {
    /// Sets the key that must have signed the present commit.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<&'a PublicKey>>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the keys of the account over time.
    #[must_use]
    pub fn account_keys(mut self, keys: impl Into<Option<&'a KeyHistory>>) -> Self {
        self.account_keys = keys.into();
        self
    }

    /// Copies the signing key as well, or not.
    #[must_use]
    pub fn with_key(mut self, with_key: bool) -> Self {
        self.with_key = with_key;
        self
    }

    /// Sets the number of threads.
    #[must_use]
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }

    /// Accepts or refuses a commit with a rev in the future.
    #[must_use]
    pub fn accept_clock(mut self, accept: bool) -> Self {
        self.accept_clock = accept;
        self
    }

    /// Sets a function that is called for each block and blob that is copied.
    #[must_use]
    pub fn progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = progress;
        self
    }

    /// Sets the message of the log entries of a clone of a file.
    #[must_use]
    pub fn message(mut self, message: &'a str) -> Self {
        self.message = message;
        self
    }

    /// Returns a repository with the choice about the clock.
    pub(super) fn on(&self, repo: Repo) -> Repo {
        if self.accept_clock { repo.accepting_clock() } else { repo }
    }

    /// Sets the database for the store of the copy.
    #[must_use]
    pub fn store(mut self, store: impl Into<Option<&'a str>>) -> Self {
        self.store = store.into();
        self
    }
}
