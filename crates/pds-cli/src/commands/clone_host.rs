//! `pds clone` of all accounts of a host.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::local::layout::FETCH_DIRECTORY;
use pds::local::open::is_repository;
use pds_net::error::Error;
use pds_net::host::Host;
use pds_net::mirror::all::each_account;
use pds_net::mirror::handle::FetchOptions;
use pds_net::mirror::upstream::Upstream;
use pds_net::net::{Client, Net};
use pds_net::resolve::who::Who;
use pds_net::xrpc::sync::ListedRepo;

use super::clone_account::fetch;
use super::clone_tally::{CloneTally, directory_of, failed};
use super::import;
use crate::answers::cloned_one::{CloneOutcome, ClonedOne, ClonedState};
use crate::answers::fetched::BlobCounts;
use crate::failures::exit::{Exit, Stated};
use crate::process::destination::check_is_outside;
use crate::process::leftovers::clear_repository;
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::process::questions::{can_ask, confirm, declined};
use crate::process::text::{counted_plain, say};
use crate::repository::made::Made;
use crate::repository::missing_blobs::say_not_fetched;

/// The clone of a host, as the user asked for it.
pub(super) struct HostClone<'a> {
    pub(super) host: &'a Host,
    pub(super) dir: Option<&'a Path>,
    pub(super) options: FetchOptions,
    pub(super) yes: bool,
}

impl HostClone<'_> {
    /// Clones the accounts one after the other. A failure of one does not keep the others from being cloned.
    pub(super) fn run(self, net: &Net, out: &mut Output) -> Result<Exit> {
        let host = self.host;
        if !self.yes && !can_ask() {
            let message = format!(
                "a clone of all accounts of {host} needs an answer, and there is no terminal to ask on"
            );
            return Stated::usage(message)
                .hint("add --yes to clone them without a question")
                .fail();
        }
        let below = self.dir.map_or_else(|| PathBuf::from(host.file_name()), Path::to_owned);
        check_is_outside(&below)?;
        let progress = NetworkProgress::default();
        let report = |step| progress.show(step);
        let client = net.reporting(&report);
        self.ask(client, &below)?;
        let (mut tally, mut stop) = (CloneTally::default(), None);
        let listed = each_account(client, host, &mut |listed| {
            let (one, exit) = match self.one(net, listed, &below, out) {
                Ok(done) => done,
                Err(error) if is_last(&error) => {
                    stop = Some(error);
                    return Err(Error::Stopped.into());
                }
                Err(error) => (failed(&listed.did, None, &error), Exit::Done),
            };
            tally.add(&one, exit, out)
        });
        let exit = tally.finish(out)?;
        match (stop, listed) {
            (Some(error), _) | (None, Err(error)) => Err(error),
            (None, Ok(())) => Ok(exit),
        }
    }

    /// Says how many accounts there are, and asks whether to clone them.
    fn ask(&self, client: Client<'_>, below: &Path) -> Result<()> {
        let (host, mut all, mut active) = (self.host, 0, 0);
        each_account(client, host, &mut |listed| {
            all += 1;
            active += u64::from(inactive(listed).is_none());
            Ok::<_, Error>(())
        })?;
        let accounts = counted_plain(all, "account");
        if active == 0 {
            let message = format!("{host} has {accounts}, and serves none of them");
            return Stated::no("no-accounts", message).fail();
        }
        say(&format!("{host} has {accounts}, {active} of them active"));
        let question =
            format!("Clone {} into {}?", counted_plain(active, "account"), below.display());
        match self.yes || confirm(&question)? {
            true => Ok(()),
            false => declined(),
        }
    }

    fn one(
        &self,
        net: &Net,
        listed: &ListedRepo,
        below: &Path,
        out: &mut Output,
    ) -> Result<(ClonedOne, Exit)> {
        let (did, before) = (&listed.did, net.traffic());
        let skipped = |reason| {
            let outcome = CloneOutcome::Skipped { reason };
            Ok((ClonedOne::new(did, None, outcome), Exit::Done))
        };
        if let Some(status) = inactive(listed) {
            return skipped(status.to_owned());
        }
        let account = net.account(&Who::Did(did.clone()))?;
        if account.host != *self.host {
            return skipped(format!("its document names {}", account.host));
        }
        account.warnings.iter().for_each(|warning| out.warn(warning.clone()));
        let handle = account.handle.as_ref();
        let dir = directory_of(below, did, handle)?;
        let one = |outcome| ClonedOne::new(did, handle, outcome).in_dir(&dir);
        if self.is_finished(&dir, listed)? {
            return Ok((one(CloneOutcome::Present), Exit::Done));
        }
        let (made, name) = (Made::at(&dir), dir.display().to_string());
        let cloned = fetch(net, &account, &dir, &self.options);
        let (mirror, cloned) = cloned.inspect_err(|_| made.note(out))?;
        out.has_done();
        clear_repository(&dir);
        cloned.warnings.iter().for_each(|warning| out.warn(format!("{name}: {warning}")));
        if let Some(imported) = &cloned.imported {
            import::warn(&imported.findings, out);
        }
        let (commit, traffic) = (mirror.repo().snapshot()?.commit().clone(), net.traffic());
        let state = ClonedState {
            blobs: BlobCounts::of(&cloned.blobs),
            bytes_received: traffic.bytes_received - before.bytes_received,
            commit: commit.cid(),
            records: cloned.imported.map(|imported| imported.records),
            requests: traffic.requests - before.requests,
            rev: commit.rev(),
        };
        Ok((one(CloneOutcome::Cloned(state)), say_not_fetched(&cloned.blobs, Some(&name), out)))
    }

    /// Returns whether an earlier run has cloned an account to its end.
    fn is_finished(&self, dir: &Path, listed: &ListedRepo) -> Result<bool> {
        if !is_repository(dir)? || dir.join(FETCH_DIRECTORY).is_dir() {
            return Ok(false);
        }
        let upstream = Upstream::read(dir)?;
        let is_whole = |upstream: &Upstream| upstream.complete || self.options.no_blobs;
        Ok(upstream.is_some_and(|upstream| upstream.did == listed.did && is_whole(&upstream)))
    }
}

/// Returns why a host does not serve an account.
fn inactive(listed: &ListedRepo) -> Option<&str> {
    match (listed.active, &listed.status) {
        (Some(true), _) | (None, None) => None,
        (_, Some(status)) => Some(status),
        (Some(false), None) => Some("inactive"),
    }
}

/// Returns whether no other account can be cloned either, for now.
fn is_last(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::RateLimited { .. } | Error::Stopped))
}
