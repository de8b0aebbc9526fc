//! Pulls of many mirrors: one thread a host, and one question for all accounts of a large host.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pds::local::layout::{FETCH_DIRECTORY, UPSTREAM_FILE};
use pds::local::open::is_repository;
use pds_core::syntax::did::Did;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::mirror::handle::{FetchOptions, Mirror};
use crate::mirror::pull::{Beforehand, Pulled};
use crate::mirror::small_file::{bad, failed};
use crate::mirror::upstream::Upstream;
use crate::net::{Client, Net};
use crate::progress::Report;
use crate::xrpc::sync::{ListedRepo, list_repos};

/// What is known of each account of a host.
pub(super) type Listed = HashMap<Did, ListedRepo>;

/// The mirrors below a directory.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundMirrors {
    /// The directories of the mirrors, in the order of their paths.
    pub dirs: Vec<PathBuf>,
    /// The directories that cannot be read, with the reasons.
    pub unread: Vec<(PathBuf, Error)>,
}

/// Finds the mirrors below a directory. Symbolic links are not followed.
///
/// # Errors
///
/// [`Error::Repo`] if the directory itself cannot be read.
pub fn find_mirrors(dir: impl AsRef<Path>) -> Result<FoundMirrors> {
    let mut found = FoundMirrors::default();
    let mut waiting = vec![(dir.as_ref().to_owned(), 0)];
    while let Some((dir, depth)) = waiting.pop() {
        // An unfinished clone, and a mirror that has lost its store, count as well: their pulls say so.
        if dir.join(UPSTREAM_FILE).symlink_metadata().is_ok() {
            found.dirs.push(dir);
            continue;
        }
        let entries = match fs::read_dir(&dir).map_err(|error| failed(&dir, error)) {
            // Others may own a directory below.
            Err(error) if depth > 0 => {
                found.unread.push((dir, error));
                continue;
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.unread.push((dir.clone(), failed(&dir, error)));
                    break;
                }
            };
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && depth < MAX_DEPTH {
                waiting.push((entry.path(), depth + 1));
            }
        }
    }
    found.dirs.sort();
    Ok(found)
}

/// Opens a mirror that was [found](find_mirrors).
///
/// # Errors
///
/// As [`Mirror::open`], and [`Error::File`] if the directory has no store.
pub fn open_found(dir: impl AsRef<Path>) -> Result<Mirror> {
    let dir = dir.as_ref();
    if !is_repository(dir)? {
        let reason = match dir.join(FETCH_DIRECTORY).is_dir() {
            true => "the clone is not finished; the same pds clone continues it",
            false => "it has no store; move it away, and clone the account again",
        };
        return Err(bad(dir, reason));
    }
    Mirror::open(dir)?.ok_or_else(|| removed(dir))
}

/// Returns the error about a mirror whose file was removed during a pull.
fn removed(dir: &Path) -> Error {
    bad(&dir.join(UPSTREAM_FILE), "it was removed meanwhile")
}

/// A function that gets the directory and the result of each pull.
pub type OnPulled<'a> = &'a (dyn Fn(&Path, Result<(Mirror, Pulled)>) + Sync);

/// Pulls mirrors. `each` gets the result of each one, in the order in which they end; several threads may call it.
///
/// A host with more than 50 of the mirrors is asked once for the newest commits of its accounts.
///
/// # Errors
///
/// None of its own: the result of each mirror has its error.
pub fn pull_all(
    net: &Net,
    dirs: Vec<PathBuf>,
    options: &FetchOptions,
    report: Report<'_>,
    each: OnPulled<'_>,
) {
    let mut by_host: BTreeMap<Host, Vec<(PathBuf, Upstream)>> = BTreeMap::new();
    for dir in dirs {
        match Upstream::read(&dir) {
            Ok(Some(upstream)) => {
                by_host.entry(upstream.host.clone()).or_default().push((dir, upstream));
            }
            Ok(None) => each(&dir, Err(removed(&dir))),
            Err(error) => each(&dir, Err(error)),
        }
    }
    let threads = by_host.len().min(MAX_HOSTS);
    let waiting: Mutex<VecDeque<_>> = Mutex::new(by_host.into_iter().collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((host, mirrors)) = next() {
                    pull_host(net, &host, mirrors, (options, report, each));
                }
            });
        }
    });
}

/// Pulls the mirrors of one host, one after the other.
fn pull_host(
    net: &Net,
    host: &Host,
    mirrors: Vec<(PathBuf, Upstream)>,
    (options, report, each): (&FetchOptions, Report<'_>, OnPulled<'_>),
) {
    let listed = listed_if_many(net, host, mirrors.len(), report);
    for (dir, upstream) in mirrors {
        let pulled = pull_one(net, &dir, listed.get(&upstream.did), (options, report));
        let is_stopped = matches!(pulled, Err(Error::Stopped));
        each(&dir, pulled);
        if is_stopped {
            return;
        }
    }
}

fn pull_one(
    net: &Net,
    dir: &Path,
    listed: Option<&ListedRepo>,
    (options, report): (&FetchOptions, Report<'_>),
) -> Result<(Mirror, Pulled)> {
    let mut mirror = open_found(dir)?;
    let before = Beforehand { listed, checks_identity: false };
    let pulled = mirror.pull_knowing(net, before, options, report)?;
    Ok((mirror, pulled))
}

/// Returns the newest commits of all accounts of a host, if so many mirrors are worth it. Without them, each account is
/// asked for.
pub(super) fn listed_if_many(net: &Net, host: &Host, mirrors: usize, report: Report<'_>) -> Listed {
    if mirrors < MANY { Listed::new() } else { listed(net, host, report).unwrap_or_default() }
}

/// Returns the newest commits of all accounts of a host.
fn listed(net: &Net, host: &Host, report: Report<'_>) -> Result<Listed> {
    let mut listed = Listed::new();
    each_account(net.reporting(report), host, &mut |repo| {
        listed.insert(repo.did.clone(), repo.clone());
        Ok::<_, Error>(())
    })?;
    Ok(listed)
}

/// Calls `visit` with each account of a host, page by page.
///
/// # Errors
///
/// The faults of the network, [`Error::Answer`] if the list does not end, and the errors of `visit`.
pub fn each_account<E: From<Error>>(
    client: Client<'_>,
    host: &Host,
    visit: &mut dyn FnMut(&ListedRepo) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let page = list_repos(client, host, cursor.as_deref())?;
        page.repos.iter().try_for_each(&mut *visit)?;
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
    let reason = format!("its list of accounts has more than {MAX_PAGES} pages");
    Err(Error::Answer { url: host.to_string(), reason }.into())
}

/// From this number of mirrors on, a host is asked for all of its accounts.
const MANY: usize = 51;

/// The most pages of a list, with a thousand accounts each. The largest hosts have some hundred thousand accounts.
const MAX_PAGES: usize = 1_000;

/// The most hosts that are asked at the same time.
const MAX_HOSTS: usize = 8;

/// The most directories between the one to search and a mirror.
const MAX_DEPTH: usize = 8;
