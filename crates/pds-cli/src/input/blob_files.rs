//! Blobs as files: `<did>_blobs/<cid>`, as goat writes them, with or without an extension.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::blob::{BlobInfo, BlobStore};
use pds::data::{Cid, Codec};
use pds::syntax::Did;
use sha2::{Digest, Sha256};

use crate::failures::partial::note_left_out;
use crate::input::stream::STANDARD_STREAM;
use crate::process::text::say;

/// Calls `call` with every blob, until the first error.
pub(crate) fn each(
    blobs: &dyn BlobStore,
    call: &mut dyn FnMut(BlobInfo) -> Result<()>,
) -> Result<()> {
    let mut called = Ok(());
    blobs.list(&mut |info| {
        called = call(info);
        if called.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    called
}

/// Returns the name of the directory with the blobs of an account.
pub(crate) fn directory_of_blobs(did: &Did) -> String {
    format!("{did}{ENDING}")
}

/// Returns the CID and the length of bytes of any size.
pub(crate) fn cid_of(from: &mut dyn Read) -> io::Result<(Cid, u64)> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0_u64;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok((Cid::from_digest(Codec::Raw, hash.finalize().into()), bytes)),
            Ok(count) => {
                hash.update(chunk.get(..count).unwrap_or_default());
                bytes = bytes.saturating_add(count as u64);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the CID that the name of a file claims, if it is the CID of a blob, with or without an extension.
pub(crate) fn claimed_cid(file: &Path) -> Option<Cid> {
    let name = file.file_name()?.to_str()?;
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    stem.parse::<Cid>().ok().filter(|cid| cid.codec() == Codec::Raw)
}

/// Tells whether the bytes of a file match a CID.
pub(crate) fn is_whole(file: &Path, cid: &Cid) -> io::Result<bool> {
    Ok(cid_of(&mut File::open(file)?)?.0 == *cid)
}

/// Lists the files that an argument means: itself, or the files of a directory in the order of their names. The
/// directories of blobs in a directory, as an export writes them, are meant as well.
pub(crate) fn files_of(argument: &Path) -> Result<Vec<PathBuf>> {
    match argument == Path::new(STANDARD_STREAM) || !argument.is_dir() {
        true => Ok(vec![argument.to_owned()]),
        false => files_in(argument, true),
    }
}

fn files_in(dir: &Path, has_directories: bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(dir);
    for entry in entries.with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let of_blobs = has_directories && name.as_encoded_bytes().ends_with(ENDING.as_bytes());
        // A link may lead to a file that was never meant to be published.
        let what = match entry.file_type() {
            Ok(kind) if kind.is_file() => {
                files.push(path);
                continue;
            }
            Ok(kind) if kind.is_dir() && of_blobs => {
                files.extend(files_in(&path, false)?);
                continue;
            }
            Ok(kind) if kind.is_dir() => "is a directory",
            Ok(kind) if kind.is_symlink() => "is a link",
            _ => "is not a file",
        };
        say(&format!("{} is left out: it {what}", path.display()));
        note_left_out();
    }
    files.sort();
    Ok(files)
}

/// Returns the extension of files of a media type; empty if there is no usual one.
pub(crate) fn extension_of(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/avif" => ".avif",
        "image/heif" | "image/heic" => ".heic",
        "image/svg+xml" => ".svg",
        "video/mp4" => ".mp4",
        "video/webm" => ".webm",
        "video/quicktime" => ".mov",
        "audio/mpeg" => ".mp3",
        "audio/mp4" | "audio/m4a" => ".m4a",
        "audio/ogg" => ".ogg",
        "application/pdf" => ".pdf",
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/vtt" => ".vtt",
        _ => "",
    }
}

/// The ending of the name of a directory with blobs.
const ENDING: &str = "_blobs";

const CHUNK_BYTES: usize = 64 * 1024;
