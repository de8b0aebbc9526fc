//! The pull of an account: ask for the newest commit, and fetch only what changed.

use pds::model::write::RecordChange;
use pds::transfer::import::Imported;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_store::ref_name::RefName;
use pds_store::refs::Expect;

use crate::account::Account;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::mirror::arrival::{import, import_with, refusal, root_of};
use crate::mirror::blobs::Blobs;
use crate::mirror::clone::write_identity;
use crate::mirror::fetch_dir::FetchDir;
use crate::mirror::handle::{FetchOptions, Mirror, origin};
use crate::mirror::source::Source;
use crate::mirror::stored_identity::{check_stored, stored};
use crate::mirror::transport::{Parcel, bring};
use crate::mirror::walk::Known;
use crate::net::{Client, Net};
use crate::progress::Report;
use crate::refusal::Refusal;
use crate::resolve::account::resolve;
use crate::resolve::who::Who;
use crate::traffic::Traffic;
use crate::xrpc::sync::{LatestCommit, ListedRepo};

/// What a pull has done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// The state before.
    pub before: Cid,
    /// The state after; the same one if the host has no newer state.
    pub after: Commit,
    /// The changes of records.
    pub changes: Vec<RecordChange>,
    /// Whether `HEAD` follows the host. Otherwise there are commits made here, and only `origin` has moved.
    pub moves_head: bool,
    /// The new host, if the account has moved.
    pub moved_to: Option<Host>,
    /// The blobs.
    pub blobs: Blobs,
    /// Why the blobs of a new state were not fetched, if they were not. The next pull continues with them.
    pub blobs_error: Option<Error>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The requests of this pull alone.
    pub traffic: Traffic,
}

/// What is known before a pull.
#[derive(Clone, Copy, Default)]
pub(super) struct Beforehand<'a> {
    /// What the host has said of the account.
    pub(super) listed: Option<&'a ListedRepo>,
    /// Whether the identity may have changed since the last check.
    pub(super) checks_identity: bool,
}

impl Mirror {
    /// Brings a mirror to the newest state of its host.
    ///
    /// If the host has no newer state, this takes one request. The new state is verified; only what changed is fetched
    /// and read. `HEAD` moves if it pointed to the state of the host; otherwise only `origin` moves.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the host contradicts what is stored, signed or published, [`Error::Inactive`] if it does
    /// not serve the account, and the faults of the network. After these errors, the repository is as before.
    pub fn pull(
        &mut self,
        net: &Net,
        options: &FetchOptions,
        report: Report<'_>,
    ) -> Result<Pulled> {
        self.pull_knowing(net, Beforehand::default(), options, report)
    }

    /// Pulls, as [`pull`](Self::pull) does, with what is known before.
    pub(super) fn pull_knowing(
        &mut self,
        net: &Net,
        before: Beforehand<'_>,
        options: &FetchOptions,
        report: Report<'_>,
    ) -> Result<Pulled> {
        let net = &net.with_own_counts();
        let client = net.reporting(report);
        let did = self.upstream.did.clone();
        let fetch = FetchDir::lock(&self.dir, &did, options.wait)?;
        // Another process may have had the lock, and changed the file.
        self.reload()?;
        if before.checks_identity {
            self.upstream.checked_at = None;
        }
        self.restore_origin()?;
        let old_host = self.upstream.host.clone();
        let from = options.from.as_ref();
        let (account, latest) = self.ask((client, report), before.listed, options)?;
        let host = account.as_ref().map_or(&old_host, |account| &account.host);
        let moved_to = (*host != old_host).then(|| host.clone());
        let source = Source { client, host: from.unwrap_or(host), did: &did, report };
        let before = self.state()?;
        let was_complete = self.upstream.complete;
        let arrived = match &account {
            Some(account) if latest.cid != before.cid() => {
                // Until the blobs of the new state are here, the next run looks at all records.
                self.set_incomplete()?;
                Some(self.arrive(&source, (account, &fetch), &before, options)?)
            }
            _ => None,
        };
        let moves_head = self.repo.head()? == self.repo.get_ref(&origin())?;
        self.note_host(&source, account.as_ref(), &latest)?;
        let is_new = arrived.is_some();
        let (changes, warnings) = match arrived {
            Some((imported, warnings)) => (self.changes(&before, &imported)?, warnings),
            None => (Vec::new(), Vec::new()),
        };
        fetch.clear_files()?;
        let of_records = (&changes[..], was_complete);
        let (blobs, blobs_error) = match is_new {
            true => self.blobs_of_new(&source, of_records, options)?,
            false => (self.blobs(&source, of_records, options)?, None),
        };
        fetch.finish()?;
        let (before, after, traffic) = (before.cid(), self.state()?, net.traffic());
        Ok(Pulled {
            before,
            after,
            changes,
            moves_head,
            moved_to,
            blobs,
            traffic,
            blobs_error,
            warnings,
        })
    }

    /// Makes the next pull look for the missing blobs of all records.
    ///
    /// # Errors
    ///
    /// [`Error::File`] or [`Error::Repo`] if `upstream.json` cannot be written.
    pub fn set_incomplete(&mut self) -> Result<()> {
        if !self.upstream.complete {
            return Ok(());
        }
        self.upstream.complete = false;
        self.upstream.write(&self.dir)
    }

    /// Points `origin` to the last state again, if the ref was removed.
    fn restore_origin(&self) -> Result<()> {
        if self.repo.get_ref(&origin())?.is_some() {
            return Ok(());
        }
        let stored = self.upstream.head.filter(|cid| self.is_own_commit(cid));
        if let Some(head) = stored.or(self.repo.head()?) {
            self.repo.history().set_ref(
                &origin(),
                head,
                Expect::Absent,
                "pull: origin was removed",
            )?;
        }
        Ok(())
    }

    /// Returns whether a commit of the account is stored. The CID may come from a file that others have written.
    fn is_own_commit(&self, cid: &Cid) -> bool {
        let block = self.repo.store().get(cid).ok().flatten();
        let commit = block.and_then(|block| Commit::decode(&block).ok());
        commit.is_some_and(|commit| *commit.did() == self.upstream.did)
    }

    /// Asks for the newest commit: the host of the last pull, and the new one if the account has moved. Returns the
    /// account as well, if its identity was checked.
    fn ask(
        &mut self,
        (client, report): (Client<'_>, Report<'_>),
        listed: Option<&ListedRepo>,
        options: &FetchOptions,
    ) -> Result<(Option<Account>, LatestCommit)> {
        let (from, key) = (options.from.as_ref(), options.key.as_ref());
        let (did, host) = (self.upstream.did.clone(), self.upstream.host.clone());
        let ask = |host: &Host| Source { client, host, did: &did, report }.latest();
        // A list may be older than the newest commit: only an account that has not changed is not asked for.
        let stored = self.repo.get_ref(&origin())?;
        let is_unchanged = |listed: &&ListedRepo| Some(listed.head) == stored;
        let listed = listed.filter(|listed| listed.active != Some(false)).filter(is_unchanged);
        let answer = match listed {
            Some(listed) => Ok(LatestCommit { cid: listed.head, rev: listed.rev }),
            None => ask(from.unwrap_or(&host)),
        };
        let account = match &answer {
            Ok(latest) => self.checked(client, latest.cid, key)?,
            Err(Error::RateLimited { .. }) => None,
            // The account may have moved, whatever is at the old address now.
            Err(error) if error.is_remote() => match self.found(client, key) {
                Err(error) if error.is_refusal() => return Err(error),
                found => found.ok(),
            },
            Err(_) => None,
        };
        let moved = account.as_ref().filter(|account| account.host != host && from.is_none());
        let latest = match (moved, answer) {
            (Some(account), _) => ask(&account.host)?,
            (None, Ok(latest)) => latest,
            // The error of another server is no status of the host.
            (None, Err(error)) if from.is_some() => return Err(error),
            (None, Err(error)) => return Err(self.note_status(error)?),
        };
        Ok((account, latest))
    }

    /// Checks the identity of the account if its host has a newer state, or if the last check was long ago. The stored
    /// documents count for a day while the directory cannot be asked.
    fn checked(
        &mut self,
        client: Client<'_>,
        latest: Cid,
        key: Option<&PublicKey>,
    ) -> Result<Option<Account>> {
        let is_new = self.repo.get_ref(&origin())? != Some(latest);
        let is_recent = self.is_checked();
        if !is_new && is_recent {
            return Ok(None);
        }
        match self.found(client, key) {
            Err(error) if error.is_retryable() && is_recent => {
                stored(client.net(), &self.dir, &self.upstream)
                    .map_or(Err(error), |account| Ok(Some(account)))
            }
            found => found.map(Some),
        }
    }

    /// Returns whether the identity of the account was checked within the last day.
    pub(super) fn is_checked(&self) -> bool {
        let checked = self.upstream.checked_at.as_ref().map_or(0, |at| at.unix_micros());
        let age = now().unix_micros().saturating_sub(checked);
        (0..CHECK_MICROS).contains(&age)
    }

    /// Finds the account, and compares its identity with the one that was seen before.
    fn found(&mut self, client: Client<'_>, key: Option<&PublicKey>) -> Result<Account> {
        let account = resolve(client, &Who::Did(self.upstream.did.clone()))?;
        match check_stored(self, &account) {
            Err(Error::Refused(refusal)) if is_accepted(&refusal, &account, key) => {}
            checked => checked?,
        }
        self.upstream.checked_at = Some(now());
        Ok(account)
    }

    /// Keeps the state that a host names, and returns the error.
    fn note_status(&mut self, error: Error) -> Result<Error> {
        if let Error::Inactive { status, .. } = &error {
            self.upstream.status = Some(status.clone());
            self.upstream.pulled_at = Some(now());
            self.upstream.write(&self.dir)?;
        }
        Ok(error)
    }

    /// Fetches and imports the newest state.
    fn arrive(
        &self,
        source: &Source<'_>,
        (account, fetch): (&Account, &FetchDir),
        before: &Commit,
        options: &FetchOptions,
    ) -> Result<(Imported, Vec<String>)> {
        let store = self.repo.store().clone();
        let known = Known { blocks: store.as_ref(), data: Some(before.data()) };
        let is_same_host = *source.host == self.upstream.host;
        let since = self.upstream.host_rev.filter(|_| is_same_host).map(|rev| rev.to_string());
        let mut take = |parcel: Parcel<'_>| {
            if root_of(parcel)? == Some(before.cid()) {
                // The host named a newer commit before the download.
                let reason = "the export has the commit that is stored, and not the newest one";
                let (url, reason) = (source.host.to_string(), reason.to_owned());
                return Err(Error::Answer { url, reason });
            }
            let taken = self.take(account, parcel, source.host, options);
            taken.map_err(|error| refusal(error, (&self.dir, store.as_ref()), parcel))
        };
        let ((imported, warning), faults) =
            bring(source, fetch, (since.as_deref(), known), &mut take)?;
        Ok((imported, warning.into_iter().chain(faults).collect()))
    }

    /// Imports what a host has sent. `HEAD` follows, unless there are commits made here.
    pub(super) fn take(
        &self,
        account: &Account,
        parcel: Parcel<'_>,
        host: &Host,
        options: &FetchOptions,
    ) -> Result<(Imported, Option<String>)> {
        let message = format!("pull {host}{}", if options.force { ", forced" } else { "" });
        let repo = self.repo.on(origin());
        let repo = if options.force { repo.accepting_clock() } else { repo };
        let head = [RefName::head()];
        let keys = account.log.as_ref().map(|log| log.key_history());
        import(account, parcel, &mut |key| {
            let transfer = repo.transfer().with_jobs(options.jobs).with_message(&message);
            let transfer = transfer.with_account_keys(keys.as_ref()).followed_by(&head);
            let transfer = if options.force { transfer.allow_any() } else { transfer };
            import_with(&transfer, &account.did, parcel, key)
        })
    }

    /// Notes the host and its answer.
    fn note_host(
        &mut self,
        source: &Source<'_>,
        account: Option<&Account>,
        latest: &LatestCommit,
    ) -> Result<()> {
        if let Some(account) = account {
            write_identity(account, &self.dir)?;
            self.upstream.handle.clone_from(&account.handle);
            self.upstream.host = account.host.clone();
        }
        let head = self.repo.get_ref(&origin())?;
        if head == Some(latest.cid) && *source.host == self.upstream.host {
            (self.upstream.head, self.upstream.host_rev) = (head, Some(latest.rev));
        }
        (self.upstream.status, self.upstream.pulled_at) = (None, Some(now()));
        self.upstream.write(&self.dir)?;
        self.settle_head(source)
    }

    /// Returns the changes of records between two states of the host.
    pub(super) fn changes(
        &self,
        before: &Commit,
        imported: &Imported,
    ) -> Result<Vec<RecordChange>> {
        let (before, after) = (Some(before.cid()), Some(imported.commit.cid()));
        Ok(self.repo.history().changes(before, after)?)
    }
}

/// Returns whether a refusal is about the key that the caller accepts.
fn is_accepted(refusal: &Refusal, account: &Account, key: Option<&PublicKey>) -> bool {
    matches!(refusal, Refusal::KeyChanged { .. }) && key.is_some() && key == account.key()
}

/// How long the identity of an account counts as checked while its host has no newer state.
const CHECK_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
