//! The records of a directory, as `pds unpack` and `goat repo unpack` write it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::vec;

use anyhow::{Context, Result};
use pds::Write;
use pds::data::limits::MAX_WRITTEN_RECORD_BYTES;
use pds::syntax::{Did, Nsid, RecordKey, RecordPath};

use crate::failures::exit::Stated;
use crate::failures::partial::note_left_out;
use crate::input::json_input::json_from;
use crate::input::record_envelope::record_of;
use crate::process::text::say;
use crate::records::portable_name::{CONTINUED, portable, unescaped};
use crate::records::record_files::{COMMIT_CBOR, COMMIT_JSON};

/// Reads the records of one account in key order. Links are never followed.
pub(crate) struct RecordDirectory {
    collections: VecDeque<(Nsid, PathBuf)>,
    /// The collection that is being read, with its files.
    current: Option<(Nsid, PathBuf, vec::IntoIter<RecordFile>)>,
}

/// The file of a record. Its path follows from these fields.
struct RecordFile {
    rkey: RecordKey,
    is_portable: bool,
    ending: &'static str,
}

/// An entry of a directory. A long name is joined from those of several directories.
struct NamedEntry {
    name: String,
    path: PathBuf,
    is_dir: bool,
}

impl RecordDirectory {
    /// Finds the collections in the directory of an account, or in a directory of accounts.
    pub(crate) fn open(dir: &Path, account: &Did) -> Result<Self> {
        let Found { accounts, mut collections, mut has_commit } = found_in(dir)?;
        if !accounts.is_empty() {
            if !collections.is_empty() {
                let message = format!("{} has accounts next to collections", dir.display());
                return Stated::bad_input(message).hint(ONE_ACCOUNT).fail();
            }
            let dir = of_account(dir, accounts, account)?;
            collections = found_in(&dir)?.collections;
            has_commit = true;
        } else if let Ok(dir) = dir.canonicalize()
            && let Some(name) = dir.file_name().and_then(|name| name.to_str())
            && let Some(did) = did_of(name).filter(|did| did != account)
        {
            let message = format!("this is the repository of {account}, not of {did}");
            return Stated::no("wrong-did", message).hint(ANOTHER_ACCOUNT).fail();
        }
        // The directory of an empty repository is no error.
        if collections.is_empty() && !has_commit {
            let message = format!("{} has no records", dir.display());
            return Stated::bad_input(message).hint(LAYOUT).fail();
        }
        // The order of keys: a slash follows the name of a collection.
        collections.sort_by_key(|(name, _)| format!("{name}/"));
        check_once(collections.iter().map(|(name, _)| name), dir)?;
        Ok(Self { collections: collections.into(), current: None })
    }

    /// Returns the write of the next file, or `None` at the end.
    pub(crate) fn next_write(&mut self) -> Result<Option<Write>> {
        loop {
            if let Some((collection, dir, files)) = &mut self.current
                && let Some(file) = files.next()
            {
                let path = RecordPath::new(collection.clone(), file.rkey.clone());
                let from = file.path(dir);
                let write = write_of(path, &from, file.ending);
                return write.map(Some).with_context(|| from.display().to_string());
            }
            let Some((collection, dir)) = self.collections.pop_front() else { return Ok(None) };
            let files = files_in(&dir)?.into_iter();
            self.current = Some((collection, dir, files));
        }
    }
}

impl RecordFile {
    fn path(&self, collection: &Path) -> PathBuf {
        let Self { rkey, is_portable, ending } = self;
        match is_portable {
            true => portable(collection, rkey.as_str(), ending),
            false => collection.join(format!("{rkey}{ending}")),
        }
    }
}

/// The directories of accounts and of collections in a directory.
#[derive(Default)]
struct Found {
    accounts: Vec<(Did, PathBuf)>,
    collections: Vec<(Nsid, PathBuf)>,
    has_commit: bool,
}

fn found_in(dir: &Path) -> Result<Found> {
    let (mut found, mut unread) = (Found::default(), 0);
    for NamedEntry { name, path, is_dir } in entries(dir)? {
        let nsid = || unescaped(&name)?.parse::<Nsid>().ok();
        if is_dir && let Some(did) = did_of(&name) {
            found.accounts.push((did, path));
        } else if is_dir && let Some(nsid) = nsid() {
            found.collections.push((nsid, path));
        } else if !is_dir && (name == COMMIT_JSON || name == COMMIT_CBOR) {
            found.has_commit = true;
        } else {
            unread += 1;
            if unread <= MAX_NAMED {
                say(&format!("{} is not read: it is no collection", path.display()));
            }
        }
    }
    if unread > MAX_NAMED {
        say(&format!("{} more are not read", unread - MAX_NAMED));
    }
    Ok(found)
}

/// Returns the account that the name of a directory stands for. DIDs have colons, which portable names lack.
fn did_of(name: &str) -> Option<Did> {
    match name.contains(':') {
        true => name.parse().ok(),
        false => unescaped(name)?.parse().ok(),
    }
}

/// Returns the directory of an account among those of several.
fn of_account(dir: &Path, accounts: Vec<(Did, PathBuf)>, account: &Did) -> Result<PathBuf> {
    let (own, others): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|(did, _)| did == account);
    match (&own[..], &others[..]) {
        ([(_, own)], others) => {
            for (_, other) in others {
                say(&format!("{} is not read: it is another account", other.display()));
            }
            Ok(own.clone())
        }
        ([], [(did, _), ..]) => {
            let message = format!("{} has records of {did}, not of {account}", dir.display());
            Stated::no("wrong-did", message).hint(ANOTHER_ACCOUNT).fail()
        }
        _ => {
            let message = format!("{} has two directories for {account}", dir.display());
            Stated::bad_input(message).hint(ONE_ACCOUNT).fail()
        }
    }
}

/// Returns the files of the records in the directory of a collection, in the order of their keys.
fn files_in(dir: &Path) -> Result<Vec<RecordFile>> {
    let mut files = Vec::new();
    for NamedEntry { name, path, is_dir } in entries(dir)? {
        let of_file = || {
            let ending = ENDINGS.into_iter().find(|ending| name.ends_with(ending))?;
            let stem = name.strip_suffix(ending)?;
            let rkey: RecordKey = unescaped(stem)?.parse().ok()?;
            // A long name goes on in a directory, even without an escape.
            let is_portable = stem.contains(CONTINUED) || path.parent() != Some(dir);
            Some(RecordFile { rkey, is_portable, ending })
        };
        match of_file().filter(|file| !is_dir && file.path(dir) == path) {
            Some(file) => files.push(file),
            None => {
                say(&format!("{} is not read: it is no record", path.display()));
                // Systems and programs put hidden files everywhere.
                if !name.starts_with('.') {
                    note_left_out();
                }
            }
        }
    }
    files.sort_unstable_by(|a, b| a.rkey.cmp(&b.rkey));
    check_once(files.iter().map(|file| &file.rkey), dir)?;
    Ok(files)
}

/// Refuses two files or directories of the same name.
fn check_once<T: PartialEq + ToString>(sorted: impl Iterator<Item = T>, dir: &Path) -> Result<()> {
    let mut last = None;
    for name in sorted {
        if last.as_ref() == Some(&name) {
            let message = format!("{} has {} twice", dir.display(), name.to_string());
            return Stated::bad_input(message).hint("remove one of the two files").fail();
        }
        last = Some(name);
    }
    Ok(())
}

/// Lists a directory, with those in which long names go on. Refuses links and everything else that is neither a file
/// nor a directory.
fn entries(dir: &Path) -> Result<Vec<NamedEntry>> {
    let mut found = Vec::new();
    let mut waiting = vec![(dir.to_owned(), String::new())];
    while let Some((dir, before)) = waiting.pop() {
        let unread = || format!("cannot read {}", dir.display());
        for entry in fs::read_dir(&dir).with_context(unread)? {
            let entry = entry.with_context(unread)?;
            let (path, kind) = (entry.path(), entry.file_type().with_context(unread)?);
            if !kind.is_dir() && !kind.is_file() {
                let what = if kind.is_symlink() { "a link" } else { "not a file" };
                let message = format!("{} is {what}; records are read from files", path.display());
                return Stated::bad_input(message).hint(REMOVE_IT).fail();
            }
            let Ok(name) = entry.file_name().into_string() else {
                say(&format!("{} is not read: its name is not UTF-8", path.display()));
                continue;
            };
            let name = format!("{before}{name}");
            match name.strip_suffix(CONTINUED) {
                Some(start) if kind.is_dir() && start.len() <= MAX_NAME_BYTES => {
                    waiting.push((path, start.to_owned()));
                }
                _ => found.push(NamedEntry { name, path, is_dir: kind.is_dir() }),
            }
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Reads a record.
fn write_of(path: RecordPath, from: &Path, ending: &str) -> Result<Write> {
    let mut file = open_file_only(from)?;
    if ending == CBOR {
        let mut bytes = Vec::new();
        let limit = MAX_WRITTEN_RECORD_BYTES as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).context("cannot read")?;
        return Ok(Write::put_bytes(path, bytes));
    }
    Ok(Write::put(path, record_of(json_from(&mut file, Some(from))?)?))
}

/// Opens a file that is neither a link nor a pipe, even if it was replaced since it was listed.
fn open_file_only(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path).context("cannot read")?;
    let is_file = file.metadata().context("cannot read")?.is_file();
    if is_file { Ok(file) } else { Err(io::Error::from(io::ErrorKind::InvalidInput).into()) }
}

const JSON: &str = ".json";
const CBOR: &str = ".cbor";
const ENDINGS: [&str; 2] = [JSON, CBOR];

/// The longest name of an account, a collection or a record, with its escapes.
const MAX_NAME_BYTES: usize = 3 * 2_048;

/// How many entries that are not read are named.
const MAX_NAMED: usize = 10;

const REMOVE_IT: &str = "remove it, or copy the file that it points to";

const ONE_ACCOUNT: &str = "name the directory of one account: DIR/<did>";

const ANOTHER_ACCOUNT: &str =
    "to copy the records of another account, rename its directory to the DID of this one";

const LAYOUT: &str = "expected DIR/<did>/<collection>/<rkey>.json, or the directory of one account";
