//! An account on a host: the questions that clone and pull ask.

use pds_core::syntax::did::Did;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::mirror::fetch_dir::{Arrived, FetchDir};
use crate::net::Client;
use crate::progress::{Progress, Report};
use crate::xrpc::sync::{LatestCommit, get_latest_commit, get_repo};

/// An account on a host, and the function that learns of the progress.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) client: Client<'a>,
    pub(super) host: &'a Host,
    pub(super) did: &'a Did,
    pub(super) report: Report<'a>,
}

impl Source<'_> {
    /// Returns the newest commit of the host. An account that the host does not serve is an error of its own.
    pub(super) fn latest(&self) -> Result<LatestCommit> {
        get_latest_commit(self.client, self.host, self.did).map_err(|error| self.inactive(error))
    }

    /// Fetches the export of a repository, or what is newer than a rev of the host.
    pub(super) fn export(&self, fetch: &FetchDir, since: Option<&str>) -> Result<Arrived> {
        let left = self.bytes_left(fetch.bytes()?)?;
        let body = get_repo(self.client, self.host, self.did, since, left);
        let body = body.map_err(|error| self.inactive(error));
        let arrived = body.and_then(|mut body| fetch.store(&mut body, self.report));
        arrived.map_err(|error| match error {
            Error::Bound { .. } => self.too_large(),
            error => error,
        })
    }

    /// Returns how many bytes of the repository may still arrive: all its files together have one bound.
    pub(super) fn bytes_left(&self, arrived: u64) -> Result<u64> {
        let left = self.max_bytes().checked_sub(arrived).filter(|left| *left > 0);
        left.ok_or_else(|| self.too_large())
    }

    fn too_large(&self) -> Error {
        let (url, what) = (self.host.to_string(), "the repository");
        Error::Bound { url, what, limit: self.max_bytes() }
    }

    fn max_bytes(&self) -> u64 {
        self.client.net().options().max_repo_bytes
    }

    /// The host has no state that can be completed.
    pub(super) fn nothing(&self) -> Error {
        let reason = format!("no state of {} could be completed", self.did);
        Error::Answer { url: self.host.to_string(), reason }
    }

    /// Fails if the caller wants to stop.
    pub(super) fn check_stop(&self, bytes: u64) -> Result<()> {
        match (self.report)(Progress::Repo { bytes, total: None }).is_break() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    fn inactive(&self, error: Error) -> Error {
        let status = match error.host_error() {
            Some("RepoDeactivated") => "deactivated",
            Some("RepoTakendown") => "takendown",
            Some("RepoSuspended") => "suspended",
            Some("RepoNotFound") => "not found",
            _ => return error,
        };
        Error::Inactive { did: self.did.clone(), status: status.to_owned() }
    }
}
