//! The clone of an account: fetch, verify, and make a repository of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pds::local::directory::{check_clone, finish_clone};
use pds::local::layout::{FETCH_DIRECTORY, IDENTITY_DIRECTORY, IDENTITY_FILES};
use pds::local::locks::sync;
use pds::local::open::is_repository;
use pds::transfer::import::Imported;
use pds_core::data::block::MemoryBlocks;
use pds_store::ref_name::RefName;

use crate::account::Account;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::mirror::arrival::{import, import_with, refusal};
use crate::mirror::blobs::Blobs;
use crate::mirror::fetch_dir::FetchDir;
use crate::mirror::handle::{FetchOptions, Mirror, origin};
use crate::mirror::small_file;
use crate::mirror::source::Source;
use crate::mirror::transport::{Parcel, bring};
use crate::mirror::upstream::Upstream;
use crate::mirror::walk::Known;
use crate::net::Net;
use crate::progress::Report;

/// What a clone has made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cloned {
    /// The imported state, or `None` if an earlier run had imported it.
    pub imported: Option<Imported>,
    /// The blobs.
    pub blobs: Blobs,
    /// Warnings for the user: former keys, and the faults of files that were completed.
    pub warnings: Vec<String>,
}

impl Mirror {
    /// Makes a repository in a directory from an account on its host, with all blobs.
    ///
    /// The state is verified before anything else is made of it. If the clone is interrupted, the same call continues
    /// it: a complete export and complete blobs are not fetched again.
    ///
    /// # Errors
    ///
    /// [`Error::Repo`] if the directory has other files, [`Error::Refused`] if the state is not one that the account
    /// signed, and the faults of the network. The fetched files stay for the next try.
    pub fn clone_account(
        net: &Net,
        account: &Account,
        dir: impl AsRef<Path>,
        options: &FetchOptions,
        report: Report<'_>,
    ) -> Result<(Self, Cloned)> {
        let (dir, client) = (dir.as_ref(), net.reporting(report));
        let host = options.from.as_ref().unwrap_or(&account.host);
        let source = Source { client, host, did: &account.did, report };
        let (imported, warnings, fetch) = if is_repository(dir)? {
            (None, Vec::new(), Self::unfinished(dir, account)?)
        } else {
            let (imported, warnings, fetch) = import_account(&source, account, dir, options)?;
            (Some(imported), warnings, fetch)
        };
        let Some(mut mirror) = Self::open(dir)? else {
            return Err(pds::Error::DirectoryInUse(dir.to_owned()).into());
        };
        mirror.settle_head(&source)?;
        fetch.clear_files()?;
        let blobs = mirror.blobs(&source, (&[], false), options)?;
        fetch.finish()?;
        Ok((mirror, Cloned { imported, blobs, warnings }))
    }

    /// Locks a repository whose blobs an interrupted clone did not finish.
    fn unfinished(dir: &Path, account: &Account) -> Result<FetchDir> {
        let in_use = || Error::from(pds::Error::DirectoryInUse(dir.to_owned()));
        let upstream = Upstream::read(dir)?.ok_or_else(in_use)?;
        // The directory of the fetch is removed last.
        let is_at_work = dir.join(FETCH_DIRECTORY).is_dir();
        if upstream.did != account.did || (upstream.complete && !is_at_work) {
            return Err(in_use());
        }
        FetchDir::lock(dir, &account.did, Duration::ZERO)
    }

    /// Notes whether each blob of the state was fetched or is listed. `looked` tells whether all records were looked at.
    pub(super) fn note_blobs(&mut self, blobs: &Blobs, looked: bool) -> Result<()> {
        let missing = blobs.missing.len() as u64;
        let complete = looked && !blobs.leaves_out && blobs.unlisted == 0;
        if (self.upstream.complete, self.upstream.missing) == (complete, missing) {
            return Ok(());
        }
        (self.upstream.complete, self.upstream.missing) = (complete, missing);
        self.upstream.write(&self.dir)
    }

    /// Notes the state of the host that is stored, and the rev that the host gives to it.
    pub(super) fn settle_head(&mut self, source: &Source<'_>) -> Result<()> {
        let head = self.repo.on(origin()).snapshot()?.commit().clone();
        if self.upstream.head == Some(head.cid()) && self.upstream.host_rev.is_some() {
            return Ok(());
        }
        // The host may have a newer state by now, and another server gives other revs. In both cases the rev of the
        // commit is stored.
        let latest = (*source.host == self.upstream.host).then(|| source.latest().ok()).flatten();
        let latest = latest.filter(|latest| latest.cid == head.cid());
        self.upstream.host_rev = latest.map(|latest| latest.rev).or(head.rev());
        self.upstream.head = Some(head.cid());
        self.upstream.write(&self.dir)
    }
}

/// Fetches a state, and makes a repository of it.
fn import_account(
    source: &Source<'_>,
    account: &Account,
    dir: &Path,
    options: &FetchOptions,
) -> Result<(Imported, Vec<String>, FetchDir)> {
    check_clone(dir)?;
    make_directory(dir)?;
    let fetch = FetchDir::lock(dir, &account.did, options.wait)?;
    // Another process may have had the lock, and finished its clone.
    check_clone(dir)?;
    let mut upstream = Upstream::new(account.did.clone(), account.host.clone());
    upstream.handle = account.handle.clone();
    (upstream.checked_at, upstream.pulled_at) = (Some(now()), Some(now()));
    upstream.write(dir)?;
    let nothing = MemoryBlocks::default();
    let known = Known { blocks: &nothing, data: None };
    let mut take = |parcel: Parcel<'_>| {
        let taken = make(account, dir, parcel, options);
        taken.map_err(|error| refusal(error, (dir, &nothing), parcel))
    };
    let ((imported, warning), faults) = bring(source, &fetch, (None, known), &mut take)?;
    let warnings = warning.into_iter().chain(faults).collect();
    Ok((imported, warnings, fetch))
}

/// Makes a repository of a parcel.
fn make(
    account: &Account,
    dir: &Path,
    parcel: Parcel<'_>,
    options: &FetchOptions,
) -> Result<(Imported, Option<String>)> {
    let message = format!("clone {}", account.host);
    let (also, keys): ([RefName; 1], _) =
        ([origin()], account.log.as_ref().map(|log| log.key_history()));
    import(account, parcel, &mut |key| {
        let made = finish_clone(dir, |repo, staging| {
            write_identity(account, staging)?;
            let repo = if options.force { repo.clone().accepting_clock() } else { repo.clone() };
            let transfer = repo.transfer().with_jobs(options.jobs).with_message(&message);
            let transfer = transfer.with_account_keys(keys.as_ref()).followed_by(&also);
            import_with(&transfer, &account.did, parcel, key)
        });
        made.map(|(_, imported)| imported)
    })
}

/// Writes the documents about an account into a directory `identity`.
pub(super) fn write_identity(account: &Account, dir: &Path) -> pds::Result<()> {
    let dir = dir.join(IDENTITY_DIRECTORY);
    let io = |source| pds::Error::Io { path: dir.clone(), source };
    if dir.is_symlink() {
        return Err(io(std::io::Error::other("it is a symbolic link")));
    }
    match fs::create_dir(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    let texts = [Some(&account.document_text), account.log_text.as_ref()];
    for (name, text) in IDENTITY_FILES.into_iter().zip(texts) {
        if let Some(text) = text {
            small_file::write(&dir.join(name), text.as_bytes()).map_err(|error| match error {
                Error::Repo(error) => error,
                error => io(std::io::Error::other(error.to_string())),
            })?;
        }
    }
    sync(&dir)
}

/// Makes a directory, durably.
fn make_directory(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(|error| small_file::failed(dir, error))?;
    let parent = dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    Ok(sync(parent)?)
}
