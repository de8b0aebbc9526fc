//! A repository that follows a host.

use std::path::{Path, PathBuf};

use pds::Repo;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::syntax::nsid::Nsid;
use pds_store::ref_name::RefName;

use crate::error::Result;
use crate::host::Host;
use crate::mirror::small_file::bad;
use crate::mirror::upstream::Upstream;

/// A repository in a directory that follows an account on a host.
#[derive(Debug)]
pub struct Mirror {
    pub(super) dir: PathBuf,
    pub(super) repo: Repo,
    pub(super) upstream: Upstream,
}

/// The options of a clone and of a pull.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FetchOptions {
    /// Fetch no blobs.
    pub no_blobs: bool,
    /// Hash the stored blobs of all records in a pull, and fetch the damaged and missing ones.
    pub check_blobs: bool,
    /// Fetch only the blobs of these collections; without any, of all.
    pub blobs_of: Vec<Nsid>,
    /// Another server that has the repository, to ask instead of the host of the account.
    pub from: Option<Host>,
    /// Take a state that contradicts the stored one: an older rev, another commit of the same rev, or a rev in the future.
    pub force: bool,
    /// The signing key of a did:web that counts although the stored one is another. Its domain may have changed hands.
    pub key: Option<PublicKey>,
    /// The time to wait for another process that fetches.
    pub wait: std::time::Duration,
    /// The number of threads that verify.
    pub jobs: pds::Jobs,
}

impl Mirror {
    /// Opens the mirror in a directory, or returns `None` if the repository follows no host.
    ///
    /// # Errors
    ///
    /// [`Error::Repo`](crate::error::Error::Repo) if the repository cannot be opened,
    /// [`Error::File`](crate::error::Error::File) if `upstream.json` cannot be used, or names another account than the
    /// store does.
    pub fn open(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        let dir = dir.as_ref();
        let repo = Repo::open(dir)?;
        let Some(upstream) = Upstream::read(dir)? else { return Ok(None) };
        if repo.did()?.as_ref() != Some(&upstream.did) {
            let path = dir.join(pds::local::layout::UPSTREAM_FILE);
            return Err(bad(&path, "it names another account than the store"));
        }
        Ok(Some(Self { dir: dir.to_owned(), repo, upstream }))
    }

    /// Reads `upstream.json` again: another process may have changed it.
    pub(super) fn reload(&mut self) -> Result<()> {
        let path = || self.dir.join(pds::local::layout::UPSTREAM_FILE);
        match Upstream::read(&self.dir)? {
            Some(upstream) if upstream.did == self.upstream.did => self.upstream = upstream,
            Some(_) => return Err(bad(&path(), "it names another account than the store")),
            None => return Err(bad(&path(), "it was removed meanwhile")),
        }
        Ok(())
    }

    /// Returns the newest state of the host that is stored.
    pub(super) fn state(&self) -> Result<Commit> {
        Ok(self.repo.on(origin()).snapshot()?.commit().clone())
    }

    /// Returns the repository.
    #[must_use]
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns what is known of the host.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}

/// Returns the ref that points to the newest state of the host.
///
/// # Panics
///
/// Never: the name is valid.
#[must_use]
pub fn origin() -> RefName {
    ORIGIN.parse().unwrap_or_else(|_| unreachable!("`origin` is the name of a ref"))
}

/// The name of the ref that points to the newest state of the host.
const ORIGIN: &str = "origin";
