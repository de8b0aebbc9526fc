//! The handle for the verbs on CAR files.

use crate::model::jobs::Jobs;
use crate::model::progress::Progress;
use crate::parts::Parts;
use crate::transfer::succession::Succession;
use pds_core::identity::key_history::KeyHistory;
use pds_store::ref_name::RefName;

/// The verbs on CAR files; from [`Repo::transfer`](crate::Repo::transfer).
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) jobs: Jobs,
    pub(crate) succession: Succession,
    /// The keys of the account over time.
    pub(crate) account_keys: Option<&'r KeyHistory>,
    pub(crate) progress: Progress<'r>,
    /// The message of the log entries.
    pub(crate) message: &'r str,
    /// Refs that follow the current one, as long as they point to the same commit.
    pub(crate) followers: &'r [RefName],
}

impl<'r> Transfer<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        let (jobs, succession) = (Jobs::default(), Succession::default());
        let progress = Progress::default();
        Self { parts, jobs, succession, account_keys: None, progress, message: "", followers: &[] }
    }

    /// Returns the same verbs with another number of threads.
    #[must_use]
    pub fn with_jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }

    /// Returns the same verbs. The key history of a log decides on the signatures of other states that arrive with an
    /// imported one.
    #[must_use]
    pub fn with_account_keys(mut self, keys: impl Into<Option<&'r KeyHistory>>) -> Self {
        self.account_keys = keys.into();
        self
    }

    /// Returns the same verbs. They call a function for each record, block and blob that arrives from another
    /// repository.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'r>) -> Self {
        self.progress = progress;
        self
    }

    /// Returns the same verbs. The log entries of their imports have this message, which has at most 4,096 bytes and no
    /// control character.
    #[must_use]
    pub fn with_message(mut self, message: &'r str) -> Self {
        self.message = message;
        self
    }

    /// Returns the same verbs. Refs that point to the same commit as the current ref follow its imports, in the same
    /// change. A ref that points elsewhere stays; before the first commit, a ref that does not exist follows.
    #[must_use]
    pub fn followed_by(mut self, names: &'r [RefName]) -> Self {
        self.followers = names;
        self
    }

    /// Returns the same verbs; their imports may move the ref to an older commit.
    #[must_use]
    pub fn allow_older(mut self, allow: bool) -> Self {
        self.succession.allows_older = allow;
        self
    }

    /// Returns the same verbs; the new state of an import may lack records that were written here.
    #[must_use]
    pub fn allow_loss(mut self, allow: bool) -> Self {
        self.succession.allows_loss = allow;
        self
    }

    /// Returns the same verbs; their imports may move the ref to any valid commit of the account, as
    /// [`set_head`](crate::history::handle::History::set_head) may.
    #[must_use]
    pub fn allow_any(mut self) -> Self {
        self.succession =
            Succession { allows_older: true, allows_loss: true, allows_same_rev: true };
        self
    }
}
