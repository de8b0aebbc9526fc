//! No output and no file has a signing key, except the key files, which only their owner can read.

mod kills;
mod verbs;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use pds::crypto::{Curve, SigningKey};

use crate::common::Home;

/// The secret of the tests: known bytes that look like no other ones.
const SECRET: [u8; 32] = [
    0x1d, 0x9c, 0x52, 0xe7, 0x38, 0xb4, 0x6f, 0xa1, 0x0e, 0xc3, 0x95, 0x7a, 0xd8, 0x26, 0x4b, 0xf0,
    0x63, 0x8d, 0x17, 0xba, 0xc9, 0x34, 0xee, 0x50, 0x7f, 0xa6, 0x0b, 0xd1, 0x82, 0x49, 0xf5, 0x2c,
];

/// The length of the piece of a secret that is looked for, in bytes of any encoding.
const PIECE: usize = 16;

/// The account of the repositories.
const DID: &str = "did:web:alice.example.com";

fn multikey() -> String {
    SigningKey::from_bytes(Curve::K256, &SECRET).unwrap().to_multikey().to_string()
}

/// All pieces of all encodings of the known secrets.
struct Search {
    pieces: HashSet<[u8; PIECE]>,
    /// Whether a piece begins with these two bytes.
    starts: Vec<bool>,
    known: BTreeSet<String>,
    /// The files that were searched, with their times and lengths.
    seen: BTreeMap<PathBuf, (SystemTime, u64)>,
    /// The bytes that were searched.
    searched: u64,
}

impl Search {
    fn new() -> Self {
        let (pieces, starts) = (HashSet::new(), vec![false; 1 << 16]);
        let (known, seen) = (BTreeSet::new(), BTreeMap::new());
        let mut new = Self { pieces, starts, known, seen, searched: 0 };
        new.learn(&multikey());
        new
    }

    /// Adds the secret of a text in the form of key files.
    fn learn(&mut self, text: &str) {
        if SigningKey::from_multikey(text).is_err() || !self.known.insert(text.to_owned()) {
            return;
        }
        // The two bytes before the secret name the kind of the key.
        let with_kind = base58(&text[1..]);
        let raw = &with_kind[2..];
        let mut reversed = raw.to_vec();
        reversed.reverse();
        let mut forms: Vec<Vec<u8>> = vec![raw.to_vec(), reversed, text.as_bytes().to_vec()];
        for bytes in [raw, &with_kind, text.as_bytes()] {
            forms.extend([HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)].map(String::into_bytes));
            let base32 = BASE32_NOPAD.encode(bytes);
            forms.extend([base32.to_lowercase(), base32].map(String::into_bytes));
            // Inside other bytes, base64 has three forms. Their ends depend on what is beside them.
            for before in 0..3 {
                let bytes = &[&vec![0; before], bytes, &[0; 2]].concat()[..];
                for text in [BASE64.encode(bytes), BASE64URL.encode(bytes)] {
                    let text = text.trim_end_matches('=').as_bytes();
                    forms.push(text[2 * before..text.len() - 4].to_vec());
                }
            }
            forms.push(format!("{bytes:?}").into_bytes());
            forms.push(bytes.escape_ascii().to_string().into_bytes());
        }
        for piece in forms.iter().flat_map(|form| form.windows(PIECE)) {
            self.starts[usize::from(u16::from_be_bytes([piece[0], piece[1]]))] = true;
            self.pieces.insert(piece.try_into().unwrap());
        }
    }

    /// Returns whether bytes have a piece of a secret.
    fn is_in(&mut self, bytes: &[u8]) -> bool {
        self.searched += bytes.len() as u64;
        let is_start =
            |piece: &&[u8]| self.starts[usize::from(u16::from_be_bytes([piece[0], piece[1]]))];
        bytes.windows(PIECE).filter(is_start).any(|piece| self.pieces.contains(piece))
    }

    /// Searches all files of a home. Only key files may have a secret, and the files that a user has made: `given`.
    fn files(&mut self, home: &Home, given: &[&str], what: &str) {
        let mut files = Vec::new();
        list(home.dir(), &mut files);
        let key_files = files.iter().filter(|path| is_key_file(path));
        for path in key_files.clone() {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{what}: {}", path.display());
            if let Ok(text) = fs::read_to_string(path) {
                self.learn(text.trim());
            }
        }
        for path in &files {
            let metadata = fs::metadata(path).unwrap();
            let state = (metadata.modified().unwrap(), metadata.len());
            let name = path.strip_prefix(home.dir()).unwrap();
            if is_key_file(path) || given.iter().any(|given| name == Path::new(given)) {
                continue;
            }
            if self.seen.insert(path.clone(), state) != Some(state) {
                let is_in = self.is_in(&fs::read(path).unwrap());
                assert!(!is_in, "{what}: a secret is in {}", name.display());
            }
            let is_in_name = self.is_in(name.as_os_str().as_encoded_bytes());
            assert!(!is_in_name, "{what}: a secret is in the name {}", name.display());
        }
    }
}

/// Returns whether a file has the name of a key file, complete or not.
fn is_key_file(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_old = |rest: &str| rest.is_empty() || rest.starts_with('.');
    name == "key"
        || name == "key.next"
        || name.strip_prefix("key.old").is_some_and(is_old)
        || name.starts_with("key.unused-")
        || (name.starts_with(".key.") && name.ends_with(".tmp"))
        || name.ends_with(".key")
}

fn list(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap().file_type() {
            kind if kind.is_dir() => list(&path, into),
            kind if kind.is_file() => into.push(path),
            _ => {}
        }
    }
}

/// Decodes base58.
fn base58(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for letter in text.chars() {
        let mut carry = ALPHABET.find(letter).unwrap();
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry /= 256;
        }
        while carry > 0 {
            bytes.insert(0, carry.to_le_bytes()[0]);
            carry /= 256;
        }
    }
    bytes
}

/// Writes the files that a user has: the key in its three forms, and scripts that show what a child process gets.
fn prepare(home: &Home) {
    let files: [(&str, Vec<u8>, u32); 5] = [
        ("secret.txt", format!("{}\n", multikey()).into_bytes(), 0o600),
        ("secret.hex", HEXLOWER.encode(&SECRET).into_bytes(), 0o600),
        ("secret.bin", SECRET.to_vec(), 0o600),
        ("child", CHILD.as_bytes().to_vec(), 0o755),
        ("editor", EDITOR.as_bytes().to_vec(), 0o755),
    ];
    for (name, content, mode) in files {
        let path = home.write(name, content);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(home.dir().join("tmp")).unwrap();
}

/// The files with a secret that a user has made.
const GIVEN: [&str; 3] = ["secret.txt", "secret.hex", "secret.bin"];

/// A pager that keeps its arguments, its environment, the command line of its parent, and its input.
const CHILD: &str = "#!/bin/sh
{ echo \"$@\"; env; cat /proc/$PPID/cmdline /proc/$PPID/environ; cat; } >> children 2>&1
";

/// An editor that does the same and changes the text.
const EDITOR: &str = "#!/bin/sh
{ echo \"$@\"; env; cat /proc/$PPID/cmdline /proc/$PPID/environ \"$1\"; } >> children 2>&1
echo \"{\\\"text\\\": \\\"edited $$\\\"}\" > \"$1\"
";

#[test]
fn the_search_finds_every_form_of_a_secret() {
    let mut search = Search::new();
    let text = multikey();
    let nested = BASE64.encode(format!("ab{text}").as_bytes());
    for form in [
        text.clone(),
        format!("did:key:{text}"),
        format!("key = {:?}", &SECRET[4..20]),
        HEXLOWER.encode(&SECRET[8..]),
        HEXUPPER.encode(&SECRET),
        BASE64.encode(&SECRET),
        BASE64URL.encode(&[&[7], &SECRET[..], &[7]].concat()),
        BASE32_NOPAD.encode(&SECRET),
        nested,
        text[20..].to_owned(),
    ] {
        let printed = format!("some words, {form}, and more of them");
        assert!(search.is_in(printed.as_bytes()), "{form}");
    }
    assert!(search.is_in(&[&[0; 100], &SECRET[10..], &[0; 100]].concat()));
    let public = SigningKey::from_bytes(Curve::K256, &SECRET).unwrap().public_key();
    assert!(!search.is_in(format!("{public} {text}", text = &text[..15]).as_bytes()));
}
