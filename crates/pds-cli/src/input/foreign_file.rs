//! The kind of a file, decided by its first bytes, and the messages about files that are no CAR file.

use std::path::Path;

use anyhow::Result;
use pds::blob::sniff;
use pds::car::CarReader;
use pds::data::limits::{MAX_CAR_HEADER_BYTES, MAX_VARINT_BYTES};
use serde_json::Value;

use crate::failures::exit::Stated;
use crate::process::text::name_of;

/// The number of bytes at the start of a file that decide on its kind: the longest header of a CAR file.
pub(crate) const START_BYTES: usize = MAX_CAR_HEADER_BYTES + MAX_VARINT_BYTES;

/// The kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A CAR file of version 1.
    Car,
    /// Bytes that match no known kind. They may be a damaged CAR file.
    Unknown,
    Empty,
    Gzip,
    CarVersion2,
    /// The database of a repository of `pds`.
    Store,
    /// The SQLite database of another program.
    Database,
    /// An HTML or XML page.
    Page,
    /// The answer of a server that failed, with its error.
    ServerError(String),
    Json,
    /// A response of a server with its headers.
    Response,
    /// Text in UTF-16, with its byte order mark.
    Utf16,
    Text,
    /// An archive, an image, a video or another known format, as a media type.
    Media(&'static str),
}

impl Kind {
    /// Returns the kind of a file with these first bytes.
    pub(crate) fn of(start: &[u8]) -> Self {
        if start.is_empty() {
            return Self::Empty;
        }
        if CarReader::new(start).is_ok() {
            return Self::Car;
        }
        let begins = |mark: &[u8]| start.starts_with(mark);
        if begins(&GZIP) {
            return Self::Gzip;
        }
        if begins(&CAR_VERSION_2) {
            return Self::CarVersion2;
        }
        if begins(SQLITE) {
            let is_ours = start.get(STORE_MARK_AT..).is_some_and(|at| at.starts_with(STORE_MARK));
            return if is_ours { Self::Store } else { Self::Database };
        }
        if UTF_16.iter().any(|mark| begins(mark)) {
            return Self::Utf16;
        }
        if begins(b"HTTP/") {
            return Self::Response;
        }
        Self::of_text(without_mark(start)).unwrap_or_else(|| match sniff(start) {
            "text/plain" if start.len() > 1 => Self::Text,
            "text/plain" | "application/octet-stream" => Self::Unknown,
            "text/html" | "text/xml" => Self::Page,
            media => Self::Media(media),
        })
    }

    /// Returns the kind of a text that has a structure.
    fn of_text(start: &[u8]) -> Option<Self> {
        let start = start.trim_ascii_start();
        let (first, rest) = start.split_first()?;
        let second = rest.trim_ascii_start().first();
        match (first, second) {
            (b'<', Some(b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z')) => Some(Self::Page),
            (b'{', Some(b'"' | b'}')) => Some(server_error(start).unwrap_or(Self::Json)),
            (b'[', Some(b'{' | b'[' | b'"' | b']' | b'0'..=b'9')) => Some(Self::Json),
            _ => None,
        }
    }

    /// Tells whether the bytes of blocks may be in such a file.
    pub(crate) fn may_have_blocks(&self) -> bool {
        !matches!(
            self,
            Self::Empty | Self::Page | Self::ServerError(_) | Self::Json | Self::Utf16 | Self::Text
        )
    }

    /// Tells whether a CAR file was expected and this is certainly another kind of file.
    pub(crate) fn is_foreign(&self) -> bool {
        !matches!(self, Self::Car | Self::Unknown | Self::Gzip)
    }

    /// Returns the failure of a verb that needs another kind of file; `wanted` has its article.
    pub(crate) fn refusal(&self, path: &Path, wanted: &str) -> Stated {
        let name = name_of(path);
        let is = |what: &str| Stated::foreign_file(format!("{name} is {what}, not {wanted}"));
        let stated = match self {
            Self::Empty => Stated::foreign_file(format!("{name} is empty")),
            Self::ServerError(error) => is(&format!("the JSON error of a server ({error})")),
            Self::CarVersion2 if wanted == CAR_FILE => {
                Stated::foreign_file(format!("{name} is a CAR file of version 2, not of version 1"))
            }
            Self::CarVersion2 => is("a CAR file of version 2"),
            Self::Store => is("the database of a repository"),
            Self::Database => is("the SQLite database of another program"),
            Self::Page => is("an HTML or XML page"),
            Self::Json => is("a JSON file"),
            Self::Response => is("an HTTP response with its headers"),
            Self::Utf16 => is("text in UTF-16"),
            Self::Text => is("a text file"),
            Self::Gzip => is("compressed with gzip"),
            Self::Car => is("a CAR file"),
            Self::Media(media) => is(&format!("a file of type {media}")),
            Self::Unknown => Stated::foreign_file(format!("{name} is not {wanted}")),
        };
        match self.remedy() {
            Some(hint) => stated.hint(hint),
            None => stated,
        }
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Empty => "the command that wrote it may have failed; get the file again",
            Self::ServerError(_) => {
                "the download failed; get the file again from the server that the DID document names"
            }
            Self::Page => {
                "a server or a proxy answered with a page; check the address of the download"
            }
            Self::CarVersion2 => "pds recover FILE -o NEW.car extracts its blocks",
            Self::Store => "name the directory of the repository instead",
            Self::Database => "pds recover FILE finds the blocks of a repository in it",
            Self::Json => "pds put reads the JSON of a record, pds apply that of many writes",
            Self::Response => "save its body alone; pds recover FILE finds the blocks in it",
            Self::Utf16 => "save it as UTF-8",
            Self::Media(media) if ARCHIVES.contains(media) => {
                "unpack it first; pds reads only gzip"
            }
            Self::Gzip => "decompress it with gunzip first",
            Self::Car | Self::Unknown | Self::Text | Self::Media(_) => return None,
        })
    }
}

/// Refuses input for a JSON parser that is certainly no JSON, and removes a byte order mark.
pub(crate) fn json_text(mut input: Vec<u8>, path: Option<&Path>) -> Result<Vec<u8>> {
    let kind = Kind::of(input.get(..START_BYTES).unwrap_or(&input));
    if !matches!(kind, Kind::Json | Kind::ServerError(_) | Kind::Text | Kind::Unknown) {
        return kind.refusal(path.unwrap_or(Path::new("-")), "JSON").fail();
    }
    if input.starts_with(MARK) {
        input.drain(..MARK.len());
    }
    Ok(input)
}

/// Returns text without the mark that some editors write before it.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Tells whether a directory has the layout of the reference server: that of the server, or that of an account.
pub(crate) fn is_reference_server(dir: &Path) -> bool {
    let has = |name: &str| dir.join(name).exists();
    has("actors") && (has("account.sqlite") || has("sequencer.sqlite")) || has("store.sqlite")
}

/// The next step for the directory of a reference server.
pub(crate) const REFERENCE_SERVER: &str = "this is a directory of the reference server (PDS); pds clone DIR --did DID copies an account, and pds recover DIR/store.sqlite reads a damaged database";

/// Returns the error that a server answered, if the text is such an answer.
fn server_error(start: &[u8]) -> Option<Kind> {
    let answer: Value = serde_json::from_slice(start).ok()?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let shown = |text: &str| text.chars().take(MAX_SHOWN_CHARS).collect::<String>();
    let error = text("error")?;
    Some(Kind::ServerError(match text("message") {
        Some(message) => format!("{}: {}", shown(error), shown(message)),
        None => shown(error),
    }))
}

/// A CAR file, in messages.
pub(crate) const CAR_FILE: &str = "a CAR file";

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

const SQLITE: &[u8] = b"SQLite format 3\0";

/// The place and the value of the number in an SQLite file that names the program of its format.
const STORE_MARK_AT: usize = 68;
const STORE_MARK: &[u8] = b"atpr";

/// The first bytes of a CAR file of version 2: the header of version 1 with another number and no roots.
const CAR_VERSION_2: [u8; 11] = *b"\x0a\xa1\x67version\x02";

/// The media types of archives and of compressed files.
const ARCHIVES: [&str; 7] = [
    "application/zip",
    "application/x-tar",
    "application/zstd",
    "application/x-xz",
    "application/x-bzip2",
    "application/x-7z-compressed",
    "application/vnd.rar",
];

/// How much of a server's text a message repeats.
const MAX_SHOWN_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_on_the_kind() {
        let mut store = b"SQLite format 3\0".to_vec();
        assert_eq!(Kind::of(&store), Kind::Database);
        store.resize(STORE_MARK_AT, 0);
        store.extend(STORE_MARK);
        let mut tar = vec![b'a'];
        tar.resize(257, 0);
        tar.extend(b"ustar\0");
        for (start, kind) in [
            (&b""[..], Kind::Empty),
            (b"\x1f\x8b\x08\0", Kind::Gzip),
            (b"\x0a\xa1\x67version\x02rest", Kind::CarVersion2),
            (&store, Kind::Store),
            (b"<!DOCTYPE html><html>", Kind::Page),
            (b"\n <html>", Kind::Page),
            (b"<?xml version=\"1.0\"?>", Kind::Page),
            (b"\xef\xbb\xbf{\"a\": 1}", Kind::Json),
            (b"{}", Kind::Json),
            (b"[{\"a\":", Kind::Json),
            (b"{\"error\":\"X\"}", Kind::ServerError("X".to_owned())),
            (b"{\"error\":\"X\",\"message\":\"no y\"}", Kind::ServerError("X: no y".to_owned())),
            (b"HTTP/1.1 200 OK\r\n", Kind::Response),
            (b"\xff\xfe{\0", Kind::Utf16),
            (b"plain words", Kind::Text),
            (b"PK\x03\x04", Kind::Media("application/zip")),
            (&tar, Kind::Media("application/x-tar")),
            (b"\x28\xb5\x2f\xfd", Kind::Media("application/zstd")),
            (b"\0\0\0\x18ftypmp42", Kind::Media("video/mp4")),
            (&[0; 600], Kind::Unknown),
            (b"\x3a\xa2\x65roots", Kind::Unknown),
        ] {
            assert_eq!(Kind::of(start), kind, "{start:?}");
        }
    }

    #[test]
    fn a_car_file_with_a_damaged_header_is_not_taken_for_another_kind() {
        let root = pds::data::Cid::of(pds::data::Codec::Cbor, b"");
        let writer = pds::car::CarWriter::new(Vec::new(), &[root]).and_then(|car| car.finish());
        let mut file = writer.unwrap_or_default();
        file.resize(600, 0x71);
        assert_eq!(Kind::of(&file), Kind::Car);
        for at in 0..59 {
            for byte in 0..=u8::MAX {
                let mut damaged = file.clone();
                damaged[at] = byte;
                assert!(!Kind::of(&damaged).is_foreign(), "{at} {byte:#x}");
            }
        }
        for len in 1..59 {
            assert!(!Kind::of(&file[..len]).is_foreign() || len == 1, "{len}");
            assert!(!Kind::of(&file[len..]).is_foreign(), "{len}");
        }
    }

    #[test]
    fn a_long_error_of_a_server_is_shown_in_part() {
        let long = format!("{{\"error\":\"{}\",\"message\":7}}", "x".repeat(1_000));
        assert_eq!(Kind::of(long.as_bytes()), Kind::ServerError("x".repeat(MAX_SHOWN_CHARS)));
    }
}
