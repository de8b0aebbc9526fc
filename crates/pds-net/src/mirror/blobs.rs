//! The blobs that records refer to: fetched in parallel, and stored only with the right hash.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pds::Repo;
use pds::blob::{BlobError, BlobInfo, BlobStore, BlobSweep, OpenBlob};
use pds::blobs::BlobUse;
use pds::local::layout::{BLOB_DIRECTORY, FETCH_DIRECTORY, STAGING_PREFIX};
use pds::unfinished::UnfinishedFile;
use pds_core::data::cid::Cid;
use pds_core::syntax::datetime::Datetime;
use pds_core::syntax::nsid::Nsid;

use crate::clock::now;
use crate::error::{Error, Result};
use crate::limits::FAILED_BLOBS;
use crate::mirror::free_space::{Disk, Guarded};
use crate::mirror::handle::origin;
use crate::mirror::missing::{self, MissingBlob, Reason};
use crate::mirror::source::Source;
use crate::progress::Progress;
use crate::xrpc::sync::get_blob;

/// The blobs of one fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blobs {
    /// The number of blobs that were fetched.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether blobs of other collections were left out.
    pub leaves_out: bool,
    /// The blobs that could not be fetched, now or earlier.
    pub missing: Vec<MissingBlob>,
    /// The number of missing blobs for which `missing-blobs.json` has no room. The next pull looks for them again.
    pub unlisted: u64,
}

/// The blobs to fetch.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) uses: BTreeMap<Cid, BlobUse>,
    /// Whether blobs of other collections were left out.
    pub(super) leaves_out: bool,
}

impl Wanted {
    /// Adds the blobs of all records of the host's state that are not stored.
    pub(super) fn all(&mut self, repo: &Repo, only: &[Nsid]) -> Result<()> {
        let found = repo.on(origin()).snapshot()?.missing_blobs(repo.blobs().as_ref())?;
        found.missing.into_iter().for_each(|one| self.add(one, only));
        Ok(())
    }

    /// Adds the blobs of all records of the host's state that are not stored or damaged. Each stored one is hashed.
    pub(super) fn unsound(&mut self, repo: &Repo, only: &[Nsid]) -> Result<()> {
        let (blobs, mut known) = (repo.blobs().as_ref(), HashMap::new());
        repo.on(origin()).snapshot()?.each_blob(&mut |path, blob| {
            let Some(blob) = blob else { return Ok(()) };
            let (cid, one) = (blob.cid, BlobUse { path: path.clone(), blob });
            if !is_among(&one, only) {
                self.leaves_out = true;
                return Ok(());
            }
            let state = match known.entry(cid) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Stored::of(blobs, &cid)?),
            };
            if *state != Stored::Sound {
                self.add(one, only);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Adds a blob.
    pub(super) fn add(&mut self, one: BlobUse, only: &[Nsid]) {
        if !is_among(&one, only) {
            self.leaves_out = true;
            return;
        }
        self.uses.entry(one.blob.cid).or_insert(one);
    }
}

/// The state of a blob in a store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Sound,
    Damaged,
    Missing,
}

impl Stored {
    /// Reads and hashes a blob. One that cannot be read is damaged.
    fn of(blobs: &dyn BlobStore, cid: &Cid) -> Result<Self, BlobError> {
        let Some(mut blob) = blobs.open(cid)? else { return Ok(Self::Missing) };
        let read = io::copy(&mut blob.reader, &mut io::sink());
        Ok(if read.is_ok() { Self::Sound } else { Self::Damaged })
    }
}

/// Returns whether the record of a blob is in one of these collections. Without any, each is.
fn is_among(one: &BlobUse, only: &[Nsid]) -> bool {
    only.is_empty() || only.contains(&one.path.collection)
}

/// The state that the threads of a fetch share.
struct Work<'a> {
    source: &'a Source<'a>,
    store: &'a dyn BlobStore,
    dir: &'a Path,
    disk: Disk,
    waiting: Mutex<VecDeque<BlobUse>>,
    done: Mutex<Done>,
    fetched: AtomicU64,
    bytes: AtomicU64,
    of: u64,
    is_stopped: AtomicBool,
    /// The number of blobs in a row that the host has failed to send.
    failures: AtomicU32,
}

#[derive(Default)]
struct Done {
    failed: Vec<(BlobUse, Fault)>,
    /// The error that ends the fetch.
    error: Option<Error>,
}

/// Why one blob could not be fetched.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) status: Option<u16>,
}

/// Fetches blobs, and those that are missing since earlier fetches. Writes the new list of missing blobs.
pub(super) fn fetch(
    source: &Source<'_>,
    repo: &Repo,
    dir: &Path,
    (mut wanted, only): (Wanted, &[Nsid]),
) -> Result<Blobs> {
    let mut listed = missing::read(dir)?;
    let now = now();
    add_listed(repo, &mut listed, (&mut wanted, only), &now)?;
    let leaves_out = wanted.leaves_out;
    let waiting: VecDeque<BlobUse> = wanted.uses.into_values().collect();
    let tried: Vec<Cid> = waiting.iter().map(|one| one.blob.cid).collect();
    let work = Work::new(source, (repo.blobs().as_ref(), dir), waiting)?;
    let threads = source.client.net().options().jobs.clamp(1, MAX_THREADS).min(tried.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work.run());
        }
    });
    let done = work.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut failed: BTreeMap<Cid, MissingBlob> = BTreeMap::new();
    // Blobs that no thread has asked for share the reason of the last one, and have no further try.
    let last = done.failed.last().map(|(_, fault)| *fault);
    let rest = work.waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rest = rest.into_iter().filter_map(|one| Some((one, last?, 0)));
    for (one, fault, more) in
        done.failed.into_iter().map(|(one, fault)| (one, fault, 1)).chain(rest)
    {
        let before = listed.get(&one.blob.cid).map_or(0, |before| before.tries);
        failed.insert(one.blob.cid, entry(&one, &fault, before.saturating_add(more), &now));
    }
    if done.error.is_none() {
        tried.iter().for_each(|cid| drop(listed.remove(cid)));
    }
    for cid in listed.keys().copied().collect::<Vec<_>>() {
        if repo.blob(&cid)?.is_some() {
            listed.remove(&cid);
        }
    }
    listed.append(&mut failed);
    let unlisted = missing::write(dir, &listed)?;
    let (fetched, bytes) = (work.fetched.into_inner(), work.bytes.into_inner());
    match done.error {
        Some(error) => Err(error),
        None => Ok(Blobs {
            fetched,
            bytes,
            leaves_out,
            missing: listed.into_values().collect(),
            unlisted,
        }),
    }
}

/// Adds the blobs of the list that are due. Entries whose record no longer refers to the blob are dropped.
fn add_listed(
    repo: &Repo,
    listed: &mut BTreeMap<Cid, MissingBlob>,
    (wanted, only): (&mut Wanted, &[Nsid]),
    now: &Datetime,
) -> Result<()> {
    let mut gone = Vec::new();
    for one in listed.values() {
        match used(repo, one)? {
            None => gone.push(one.cid),
            // Those of other collections stay in the list.
            Some(used) if one.is_due(now.unix_micros()) && is_among(&used, only) => {
                wanted.add(used, &[]);
            }
            Some(_) => {}
        }
    }
    if !gone.is_empty() {
        // Another record may refer to them.
        gone.iter().for_each(|cid| drop(listed.remove(cid)));
        wanted.all(repo, only)?;
    }
    Ok(())
}

impl<'a> Work<'a> {
    fn new(
        source: &'a Source<'a>,
        (store, dir): (&'a dyn BlobStore, &'a Path),
        waiting: VecDeque<BlobUse>,
    ) -> Result<Self> {
        Ok(Self {
            source,
            store,
            dir,
            disk: disk_of(dir)?,
            of: waiting.len() as u64,
            waiting: Mutex::new(waiting),
            done: Mutex::default(),
            fetched: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            failures: AtomicU32::new(0),
        })
    }

    fn run(&self) {
        while !self.is_stopped.load(Ordering::Relaxed) {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(one) = next else { return };
            match self.fetch(&one) {
                Ok(bytes) => {
                    self.failures.store(0, Ordering::Relaxed);
                    let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
                    let done = self.fetched.fetch_add(1, Ordering::Relaxed) + 1;
                    let step = Progress::Blob { done, of: self.of, bytes };
                    if (self.source.report)(step).is_break() {
                        self.stop(Error::Stopped);
                    }
                }
                Err(error) => match fault(&error) {
                    Some(fault) => {
                        self.done().failed.push((one, fault));
                        self.count(fault.reason);
                    }
                    None => self.stop(error),
                },
            }
        }
    }

    fn fetch(&self, one: &BlobUse) -> Result<u64> {
        let (cid, client) = (one.blob.cid, self.source.client);
        // The record may name another size than the blob has. The hash decides.
        let most = client.net().options().max_blob_bytes;
        get_blob(client, (self.source.host, self.source.did), &cid, most, |body| {
            let info = BlobInfo { cid, size_bytes: most, stored_at_micros: 0 };
            // The reader fails at its end if the bytes have another hash, so that they are not stored.
            let mut blob = OpenBlob::new(info, Guarded::new(body, &self.disk));
            if self.store.open(&cid).map_err(pds::Error::from)?.is_some() {
                // A blob that is wanted and stored is damaged.
                return self.replace(&cid, &mut blob);
            }
            match self.store.put(&mut blob.reader) {
                Ok(stored) => Ok(stored.size_bytes),
                Err(BlobError::Source(error)) => Err(error.into()),
                Err(error) => Err(pds::Error::from(error).into()),
            }
        })
    }

    /// Replaces a damaged blob, once the right bytes have arrived.
    fn replace(&self, cid: &Cid, blob: &mut OpenBlob) -> Result<u64> {
        let fetch = self.dir.join(FETCH_DIRECTORY);
        let mut arrived = UnfinishedFile::private_in(&fetch, STAGING_PREFIX, "")?;
        let bytes = io::copy(&mut blob.reader, arrived.as_file())?;
        self.store.sweep(BlobSweep::Listed(&[*cid])).map_err(pds::Error::from)?;
        arrived.as_file().rewind()?;
        self.store.put(arrived.as_file()).map_err(pds::Error::from)?;
        Ok(bytes)
    }

    /// Counts a blob that the host has failed to send. A host that fails with each of many sends no other, either.
    fn count(&self, reason: Reason) {
        if reason != Reason::HostError {
            self.failures.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILED_BLOBS {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    fn stop(&self, error: Error) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.done().error.get_or_insert(error);
    }

    fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the disk of the blobs. Their directory does not exist before the first one, and may be elsewhere.
fn disk_of(dir: &Path) -> Result<Disk> {
    let blobs = dir.join(BLOB_DIRECTORY);
    Disk::of(if blobs.is_dir() { &blobs } else { dir })
}

/// Returns why one blob is missing, or `None` if the error ends the fetch.
pub(super) fn fault(error: &Error) -> Option<Fault> {
    let reason = match error {
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Reason::WrongHash,
        Error::Bound { .. } => Reason::TooLarge,
        Error::Http { status: 400 | 404, .. } => match error.host_error() {
            Some("RepoDeactivated" | "RepoTakendown" | "RepoSuspended") => Reason::Inactive,
            _ => Reason::NotFound,
        },
        Error::Stopped | Error::RateLimited { .. } | Error::Repo(_) | Error::Io(_) => return None,
        _ => Reason::HostError,
    };
    Some(Fault { reason, status: error.status() })
}

pub(super) fn entry(one: &BlobUse, fault: &Fault, tries: u32, now: &Datetime) -> MissingBlob {
    MissingBlob {
        cid: one.blob.cid,
        path: one.path.to_string(),
        size: one.blob.size_bytes,
        mime_type: missing::listed_type(&one.blob.mime_type),
        reason: fault.reason,
        status: fault.status,
        tries,
        last_try: now.clone(),
    }
}

/// Returns the reference to a missing blob, if its record still refers to it.
fn used(repo: &Repo, one: &MissingBlob) -> Result<Option<BlobUse>> {
    let Ok(path) = one.path.parse() else { return Ok(None) };
    let Some(record) = repo.on(origin()).find(&path)? else { return Ok(None) };
    let blobs = pds::data::blobs_in(record.block.bytes()).unwrap_or_default();
    let blob = blobs.into_iter().find(|blob| blob.cid == one.cid);
    Ok(blob.map(|blob| BlobUse { path, blob }))
}

/// The most threads for blobs. The limit of each host is in the options.
const MAX_THREADS: usize = 32;
