//! `pds clone` from the data directory of a PDS.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::Repo;
use pds::local::open::is_repository;
use pds::syntax::{Did, Handle};
use pds_net::account::Account;
use pds_net::mirror::data_directory::copy::{ActorSource, CopiedActor};
use pds_net::mirror::data_directory::layout::DataDirectory;
use pds_net::mirror::data_directory::published::{Published, published};
use pds_net::mirror::handle::FetchOptions;
use pds_net::net::Net;

use super::clone_account::directory;
use super::clone_tally::{CloneTally, directory_of, failed};
use super::{import, info};
use crate::answers::cloned_one::{CloneOutcome, ClonedOne, ClonedState};
use crate::answers::fetched::{BlobCounts, ClonedAccount};
use crate::arguments::data_directory_args::DataDirectoryArgs;
use crate::failures::exit::{Exit, Stated};
use crate::process::destination::check_is_outside;
use crate::process::leftovers::{clear_beside, clear_repository};
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::process::text::counted_plain;
use crate::repository::made::Made;
use crate::repository::missing_blobs::say_not_fetched;
use crate::screens::fetched as screen;

/// The clone from a data directory, as the user asked for it.
pub(super) struct DirectoryClone<'a> {
    pub(super) source: &'a Path,
    pub(super) dir: Option<&'a Path>,
    pub(super) did: Option<&'a Did>,
    pub(super) args: &'a DataDirectoryArgs,
    pub(super) with_key: bool,
    pub(super) options: FetchOptions,
    /// Set when the directory of did:plc did not answer: each further question would wait as long.
    pub(super) is_unreachable: Cell<bool>,
}

impl DirectoryClone<'_> {
    pub(super) fn run(self, net: &Net, out: &mut Output) -> Result<Exit> {
        let from = DataDirectory::open(self.source)?;
        match (self.did, &self.args.handle, &self.args.all) {
            (Some(did), ..) => self.one(net, (&from, did), out),
            (None, Some(handle), _) => match from.account_of(handle)? {
                Some(did) => self.one(net, (&from, &did), out),
                None => {
                    let message = format!("no account in account.sqlite has the handle {handle}");
                    Stated::no("not-found", message)
                        .hint("name the account by its DID: --did")
                        .fail()
                }
            },
            (None, None, Some(below)) => self.all(net, &from, below, out),
            (None, None, None) => {
                let accounts = counted_plain(from.accounts()?.len() as u64, "account");
                let (source, message) = (self.source.display(), "is the data directory of a PDS");
                Stated::usage(format!("{source} {message} with {accounts}"))
                    .hint("name one with --did or --handle, or clone all with --all DIR")
                    .fail()
            }
        }
    }

    fn one(
        &self,
        net: &Net,
        (from, did): (&DataDirectory, &Did),
        out: &mut Output,
    ) -> Result<Exit> {
        let account = self.account(net, did, out)?;
        let handle = account.as_ref().and_then(|account| account.handle.as_ref());
        let given = self.args.handle.as_ref().map(Handle::normalized);
        let dir = directory(self.dir, handle.or(given.as_ref()), did)?;
        let copied = self.copy(net, (from, did, account.as_ref()), &dir, out)?;
        let exit = say_faults(&copied, None, out);
        let blobs = BlobCounts::of(&copied.blobs);
        let CopiedActor { repo, imported, upstream, .. } = copied;
        let answer = ClonedAccount {
            info: info::of_clone(&repo, imported, blobs.fetched, &dir)?,
            host: upstream.as_ref().map(|upstream| upstream.host.clone()),
            host_rev: upstream.and_then(|upstream| upstream.host_rev),
            handle: handle.map(ToString::to_string),
            blobs,
            traffic: net.traffic(),
        };
        let dir = dir.display().to_string();
        out.show(&answer, |terminal| screen::cloned(&answer, &dir, terminal))?;
        Ok(exit)
    }

    /// Clones all accounts. A failure of one does not keep the others from being cloned.
    fn all(&self, net: &Net, from: &DataDirectory, below: &Path, out: &mut Output) -> Result<Exit> {
        check_is_outside(below)?;
        let (handles, mut tally) = (from.handles()?, CloneTally::default());
        for did in from.accounts()? {
            let (one, exit) = match self.one_of_many(net, (from, &did, &handles), below, out) {
                Ok(done) => done,
                Err(error) => (failed(&did, handles.get(&did), &error), Exit::Done),
            };
            tally.add(&one, exit, out)?;
        }
        tally.finish(out)
    }

    fn one_of_many(
        &self,
        net: &Net,
        (from, did, handles): (&DataDirectory, &Did, &HashMap<Did, Handle>),
        below: &Path,
        out: &mut Output,
    ) -> Result<(ClonedOne, Exit)> {
        let before = net.traffic();
        let account = self.account(net, did, out)?;
        let handle = match &account {
            Some(account) => account.handle.as_ref(),
            None => handles.get(did),
        };
        let dir = directory_of(below, did, handle)?;
        let one = |outcome| ClonedOne::new(did, handle, outcome).in_dir(&dir);
        if is_repository(&dir)? && Repo::open(&dir)?.did()?.as_ref() == Some(did) {
            return Ok((one(CloneOutcome::Present), Exit::Done));
        }
        let copied = self.copy(net, (from, did, account.as_ref()), &dir, out)?;
        let exit = say_faults(&copied, Some(&dir.display().to_string()), out);
        let traffic = net.traffic();
        let state = ClonedState {
            blobs: BlobCounts::of(&copied.blobs),
            bytes_received: traffic.bytes_received - before.bytes_received,
            commit: copied.imported.commit.cid(),
            records: Some(copied.imported.records),
            requests: traffic.requests - before.requests,
            rev: copied.imported.commit.rev(),
        };
        Ok((one(CloneOutcome::Cloned(state)), exit))
    }

    /// Returns the identity of an account, or `None` if it cannot be fetched or should not be.
    fn account(&self, net: &Net, did: &Did, out: &mut Output) -> Result<Option<Account>> {
        if self.args.offline {
            return Ok(None);
        }
        let unchecked = "is checked with the key in the data directory and follows no host";
        if self.is_unreachable.get() && did.method() == "plc" {
            out.warn(format!("{did} {unchecked}, because the directory of identities fails"));
            return Ok(None);
        }
        let progress = NetworkProgress::default();
        match published(net.reporting(&|step| progress.show(step)), did)? {
            Published::Identity(account) => {
                account.warnings.iter().for_each(|warning| out.warn(warning.clone()));
                Ok(Some(*account))
            }
            Published::Unreachable(error) => {
                // Each did:web has a server of its own.
                self.is_unreachable.set(self.is_unreachable.get() || did.method() == "plc");
                out.warn(format!(
                    "{did} {unchecked}, because its identity cannot be fetched: {error}"
                ));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn copy(
        &self,
        net: &Net,
        (from, did, account): (&DataDirectory, &Did, Option<&Account>),
        dir: &PathBuf,
        out: &mut Output,
    ) -> Result<CopiedActor> {
        check_is_outside(dir)?;
        clear_beside(dir);
        let source = ActorSource { from, did, account, with_key: self.with_key };
        let (progress, made) = (NetworkProgress::default(), Made::at(dir));
        let copied = source.copy(net, dir, &self.options, &|step| progress.show(step));
        progress.finish();
        let copied = copied.inspect_err(|_| made.note(out))?;
        out.has_done();
        clear_repository(dir);
        Ok(copied)
    }
}

/// Lists what was not copied, with the directory if there are several. Returns the exit code.
fn say_faults(copied: &CopiedActor, dir: Option<&str>, out: &mut Output) -> Exit {
    let place = dir.map(|dir| format!("{dir}: ")).unwrap_or_default();
    copied.warnings.iter().for_each(|warning| out.warn(format!("{place}{warning}")));
    import::warn(&copied.imported.findings, out);
    let damaged = &copied.damaged;
    for reason in &damaged.reasons {
        out.warn(format!("{place}not copied: {reason}"));
    }
    let more = damaged.count - damaged.reasons.len() as u64;
    if more > 0 {
        let more = counted_plain(more, "more row");
        out.warn(format!("{place}not copied: {more} with damage"));
    }
    match say_not_fetched(&copied.blobs, dir, out) {
        Exit::Done if damaged.count > 0 => Exit::Partly,
        exit => exit,
    }
}
