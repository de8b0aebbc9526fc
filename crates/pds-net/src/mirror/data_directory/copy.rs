//! A repository from an account in a data directory: read in one transaction, and verified as an export of a host is.

use std::fs;
use std::path::Path;

use pds::Repo;
use pds::local::directory::create_filled;
use pds::local::key_file;
use pds::local::layout::KEY_FILE;
use pds::transfer::import::Imported;
use pds_core::crypto::public_key::PublicKey;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::block::MemoryBlocks;
use pds_core::syntax::did::Did;

use crate::account::Account;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::mirror::arrival::{import, import_with, refusal};
use crate::mirror::blobs::{Blobs, Wanted};
use crate::mirror::clone::write_identity;
use crate::mirror::data_directory::actor_blobs::{Actor, copy_blobs};
use crate::mirror::data_directory::actor_state::{ActorState, DamagedRows, write_car};
use crate::mirror::data_directory::layout::{DataDirectory, unusable};
use crate::mirror::handle::{FetchOptions, origin};
use crate::mirror::missing;
use crate::mirror::small_file::failed;
use crate::mirror::transport::Parcel;
use crate::mirror::upstream::Upstream;
use crate::net::Net;
use crate::progress::Report;

/// An account in a data directory, and what is published about it.
#[derive(Clone, Copy, Debug)]
pub struct ActorSource<'a> {
    /// The data directory.
    pub from: &'a DataDirectory,
    /// The account.
    pub did: &'a Did,
    /// The identity of the account, if it could be fetched. Its key must have signed the state, and the repository
    /// follows its host. Otherwise the key in the data directory must have signed it.
    pub account: Option<&'a Account>,
    /// Whether to copy the signing key.
    pub with_key: bool,
}

/// What a copy from a data directory has made.
#[derive(Debug)]
#[non_exhaustive]
pub struct CopiedActor {
    /// The repository. With a published identity, it is a mirror.
    pub repo: Repo,
    /// The imported state.
    pub imported: Imported,
    /// What the mirror knows of its host.
    pub upstream: Option<Upstream>,
    /// The blobs.
    pub blobs: Blobs,
    /// The rows of the database that were left out.
    pub damaged: DamagedRows,
    /// Warnings for the user: a former key.
    pub warnings: Vec<String>,
}

impl ActorSource<'_> {
    /// Makes a repository in a directory from the account, with all blobs. The data directory is not changed.
    ///
    /// If an error occurs, nothing is made.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] if a file of the data directory is not sound, [`Error::Refused`] if the state is not one that
    /// the account signed, [`Error::Repo`] if the directory is not empty.
    pub fn copy(
        &self,
        net: &Net,
        to: impl AsRef<Path>,
        options: &FetchOptions,
        report: Report<'_>,
    ) -> Result<CopiedActor> {
        let (repo, copied) = create_filled(to.as_ref(), |repo, staging| {
            self.fill(net, (repo, staging), options, report)
        })?;
        let Copied { imported, upstream, blobs, damaged, warnings } = copied;
        Ok(CopiedActor { repo, imported, upstream, blobs, damaged, warnings })
    }

    fn fill(
        &self,
        net: &Net,
        (repo, staging): (&Repo, &Path),
        options: &FetchOptions,
        report: Report<'_>,
    ) -> Result<Copied> {
        // Where the identity is published, its key decides.
        let needs_key = self.with_key || self.account.is_none();
        let key = if needs_key { self.from.key(self.did)? } else { None };
        let car = staging.join(EXPORT);
        let limits = (net.options().max_repo_bytes, report);
        let state = write_car(&self.from.store(self.did)?, self.did, &car, limits)?;
        let public = key.as_ref().map(SigningKey::public_key);
        let (imported, warning) = self.import(repo, &car, public.as_ref(), options)?;
        fs::remove_file(&car).map_err(|error| failed(&car, error))?;
        if self.with_key {
            self.copy_key(key, staging)?;
        }
        let mut wanted = Wanted::default();
        if !options.no_blobs {
            wanted.all(repo, &options.blobs_of)?;
        }
        let max_blob_bytes = net.options().max_blob_bytes;
        let actor = Actor { from: self.from, did: self.did, max_blob_bytes, report };
        let blobs = copy_blobs(actor, repo, wanted, &state)?;
        let upstream = match self.account {
            Some(account) => Some(follow(account, staging, &imported, (&state, &blobs, options))?),
            None => None,
        };
        let warnings = warning.into_iter().collect();
        Ok(Copied { imported, upstream, blobs, damaged: state.damaged, warnings })
    }

    /// Imports the state, under the key of the account or under the one in the data directory.
    fn import(
        &self,
        repo: &Repo,
        car: &Path,
        own: Option<&PublicKey>,
        options: &FetchOptions,
    ) -> Result<(Imported, Option<String>)> {
        let repo = if options.force { repo.clone().accepting_clock() } else { repo.clone() };
        let keys = self.account.and_then(|account| account.log.as_ref());
        let (also, keys) = ([origin()], keys.map(|log| log.key_history()));
        let transfer = repo.transfer().with_jobs(options.jobs).with_message(MESSAGE);
        let transfer = transfer.with_account_keys(keys.as_ref()).followed_by(&also);
        let parcel = Parcel::File(car);
        let mut run = |key: &PublicKey| import_with(&transfer, self.did, parcel, key);
        let imported = match (self.account, own) {
            (Some(account), _) => import(account, parcel, &mut run),
            (None, Some(key)) => run(key).map(|imported| (imported, None)).map_err(Error::from),
            (None, None) => {
                let reason = "its account has no key there, and no identity to check it with";
                return Err(unusable(&self.from.store(self.did)?, reason));
            }
        };
        imported.map_err(|error| refusal(error, (car, &MemoryBlocks::default()), parcel))
    }

    /// Copies the signing key. It must be the one that the identity names.
    fn copy_key(&self, key: Option<SigningKey>, staging: &Path) -> Result<()> {
        let place = self.from.store(self.did)?.with_file_name(KEY_FILE);
        let key = key.ok_or_else(|| unusable(&place, "it does not exist; leave out --with-key"))?;
        let expected = self.account.and_then(Account::key);
        if let Some(expected) = expected.filter(|expected| **expected != key.public_key()) {
            let reason = format!(
                "it is the secret of {}, and the key of the account is {expected}; leave out --with-key",
                key.public_key()
            );
            return Err(unusable(&place, &reason));
        }
        Ok(key_file::write_new(staging.join(KEY_FILE), &key).map_err(pds::Error::from)?)
    }
}

/// What a staging directory has.
struct Copied {
    imported: Imported,
    upstream: Option<Upstream>,
    blobs: Blobs,
    damaged: DamagedRows,
    warnings: Vec<String>,
}

/// Writes the files of a mirror.
fn follow(
    account: &Account,
    staging: &Path,
    imported: &Imported,
    (state, blobs, options): (&ActorState, &Blobs, &FetchOptions),
) -> Result<Upstream> {
    write_identity(account, staging)?;
    let mut upstream = Upstream::new(account.did.clone(), account.host.clone());
    upstream.handle.clone_from(&account.handle);
    (upstream.checked_at, upstream.pulled_at) = (Some(now()), Some(now()));
    (upstream.head, upstream.host_rev) = (Some(imported.commit.cid()), state.rev);
    upstream.missing = blobs.missing.len() as u64;
    let missing = blobs.missing.iter().map(|one| (one.cid, one.clone())).collect();
    let unlisted = missing::write(staging, &missing)?;
    upstream.complete = !options.no_blobs && !blobs.leaves_out && unlisted == 0;
    upstream.write(staging)?;
    Ok(upstream)
}

/// The file of the state before it is imported.
const EXPORT: &str = "export.car";

/// The message of the log.
const MESSAGE: &str = "clone data directory";
