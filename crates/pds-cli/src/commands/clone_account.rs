//! `pds clone` of an account on its host.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::local::layout::FETCH_DIRECTORY;
use pds::local::open::is_repository;
use pds::syntax::{Did, Handle};
use pds_net::account::Account;
use pds_net::error::Error as NetError;
use pds_net::mirror::clone::Cloned;
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::mirror::upstream::Upstream;
use pds_net::net::Net;
use pds_net::resolve::who::Who;

use super::info;
use crate::answers::fetched::{BlobCounts, ClonedAccount};
use crate::answers::info::Info;
use crate::failures::exit::{Exit, Stated};
use crate::failures::failure::Failure;
use crate::process::destination::check_is_outside;
use crate::process::leftovers::clear_repository;
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::process::signals::allow_continuation;
use crate::records::record_files::directory_name;
use crate::repository::made::Made;
use crate::repository::missing_blobs::say_not_fetched;
use crate::screens::fetched as screen;

/// The clone of an account, as the user asked for it.
pub(super) struct AccountClone<'a> {
    pub(super) who: &'a Who,
    pub(super) dir: Option<&'a Path>,
    pub(super) options: FetchOptions,
}

impl AccountClone<'_> {
    pub(super) fn run(self, net: &Net, out: &mut Output) -> Result<Exit> {
        let account = net.account(self.who)?;
        for warning in &account.warnings {
            out.warn(warning.clone());
        }
        let dir = directory(self.dir, account.handle.as_ref(), &account.did)?;
        check_is_outside(&dir)?;
        let made = Made::at(&dir);
        let cloned = fetch(net, &account, &dir, &self.options);
        let (mirror, cloned) = cloned.inspect_err(|_| made.note(out))?;
        out.has_done();
        clear_repository(&dir);
        self.answer(net, (&account, &mirror), cloned, out)
    }

    fn answer(
        &self,
        net: &Net,
        (account, mirror): (&Account, &Mirror),
        cloned: Cloned,
        out: &mut Output,
    ) -> Result<Exit> {
        let dir = mirror.dir();
        for warning in &cloned.warnings {
            out.warn(warning.clone());
        }
        let blobs = BlobCounts::of(&cloned.blobs);
        let info = match cloned.imported {
            Some(imported) => {
                super::import::warn(&imported.findings, out);
                info::of_clone(mirror.repo(), imported, blobs.fetched, dir)?
            }
            None => info::of_repo(mirror.repo(), dir)?,
        };
        let info: Info = info;
        let answer = ClonedAccount {
            info,
            host: Some(account.host.clone()),
            host_rev: mirror.upstream().host_rev,
            handle: account.handle.as_ref().map(ToString::to_string),
            blobs,
            traffic: net.traffic(),
        };
        let dir = dir.display().to_string();
        out.show(&answer, |terminal| screen::cloned(&answer, &dir, terminal))?;
        Ok(say_not_fetched(&cloned.blobs, None, out))
    }
}

/// Clones an account, and shows the progress.
pub(super) fn fetch(
    net: &Net,
    account: &Account,
    dir: &Path,
    options: &FetchOptions,
) -> Result<(Mirror, Cloned)> {
    let progress = NetworkProgress::default();
    allow_continuation(true);
    let cloned = Mirror::clone_account(net, account, dir, options, &|step| progress.show(step));
    progress.finish();
    allow_continuation(false);
    cloned.map_err(|error| explained(error, dir, &account.did))
}

/// Returns the directory to create: the one given, or the handle, or the DID.
pub(super) fn directory(
    given: Option<&Path>,
    handle: Option<&Handle>,
    did: &Did,
) -> Result<PathBuf> {
    match (given, handle) {
        (Some(dir), _) => Ok(dir.to_owned()),
        (None, Some(handle)) => Ok(PathBuf::from(handle.as_str())),
        (None, None) => {
            let hint = "name the directory: pds clone ACCOUNT DIR";
            Ok(PathBuf::from(directory_name(did, hint)?))
        }
    }
}

/// Adds the next step to the error of a clone: the clone is complete already, or the same command continues it.
fn explained(error: NetError, dir: &Path, did: &Did) -> anyhow::Error {
    let shown = dir.display();
    let is_in_use = matches!(&error, NetError::Repo(pds::Error::DirectoryInUse(_)));
    if is_in_use && is_mirror_of(dir, did) {
        let message = format!("{shown} is a mirror of {did} already");
        return Stated::no("directory-in-use", message).hint(PULL).into();
    }
    if matches!(&error, NetError::Busy) {
        let message = format!("another process is fetching into {shown}");
        return Stated::of(Exit::Busy, "busy", message).hint(LATER).into();
    }
    let goes_on = error.is_remote() && dir.join(FETCH_DIRECTORY).is_dir();
    let error = anyhow::Error::from(error);
    let failure = Failure::of(&error);
    if !goes_on || failure.has_hint() {
        return error;
    }
    Stated::of(failure.code, failure.name(), failure.message()).hint(CONTINUE).into()
}

fn is_mirror_of(dir: &Path, did: &Did) -> bool {
    let upstream = Upstream::read(dir).ok().flatten();
    is_repository(dir).unwrap_or(false) && upstream.is_some_and(|upstream| upstream.did == *did)
}

const PULL: &str = "fetch what is new with pds -R DIR pull";

const LATER: &str = "try again when it has ended";

const CONTINUE: &str = "the same command continues with what has arrived";
