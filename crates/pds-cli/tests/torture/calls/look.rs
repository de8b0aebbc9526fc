//! What a home has, as the binary prints it, to compare the one before and the one after.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use pds::local::key_file;
use serde_json::Value;

use crate::common::{Ended, Home};

/// A part of a home that a command may change.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// Account, key, refs, log and records of a repository. Its blobs may also be partly old and partly new.
    Repository(&'static str),
    /// The blobs of a repository.
    Blobs(&'static str),
    /// The findings of `verify` in a damaged repository.
    Findings(&'static str),
    /// The bytes of a file.
    File(&'static str),
    /// The files of a directory.
    Directory(&'static str),
    /// A file with a key.
    Key(&'static str),
}

/// The parts by name, and the blobs that a repository has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) parts: BTreeMap<String, String>,
    pub(super) blobs: BTreeSet<String>,
}

impl Look {
    pub(super) fn at(home: &Home, parts: &[Part]) -> Self {
        let mut look = Self { parts: BTreeMap::new(), blobs: BTreeSet::new() };
        for part in parts {
            match part {
                Part::Repository(dir) => look.add_repository(home, dir),
                Part::Blobs(dir) => look.add(dir, "blobs", answer(home, dir, &["blob", "ls"])),
                Part::Findings(dir) => {
                    let findings = answer(home, dir, &["verify", "--history", "--blobs"]);
                    look.add(dir, "findings", findings);
                }
                Part::File(file) => look.add(file, "bytes", file_text(&home.dir().join(file))),
                Part::Directory(dir) => look.add(dir, "files", files(home, dir)),
                Part::Key(file) => look.add(file, "key", key_text(&home.dir().join(file))),
            }
        }
        look
    }

    fn add(&mut self, place: &str, name: &str, text: String) {
        self.parts.insert(format!("{place}: {name}"), text);
    }

    fn add_repository(&mut self, home: &Home, dir: &str) {
        if !home.dir().join(dir).join("pds.db").exists() {
            let is_there = home.dir().join(dir).is_dir();
            let text = if is_there { "no repository" } else { "no directory" };
            return self.add(dir, "files", text.to_owned());
        }
        let info = answer(home, dir, &["info", "--json"]);
        let info = match serde_json::from_str::<Value>(&info) {
            Ok(info) => format!("{} {}", info["did"], info["commit"]),
            Err(_) => info,
        };
        self.add(dir, "account and HEAD", info);
        self.add(dir, "key", answer(home, dir, &["key", "show"]));
        self.add(dir, "records", answer(home, dir, &["ls", "--all"]));
        let refs = answer(home, dir, &["ref", "ls"]);
        let without_rev = |line: &str| line.split('\t').take(2).collect::<Vec<_>>().join("\t");
        self.add(dir, "refs", refs.lines().map(without_rev).collect::<Vec<_>>().join("\n"));
        let log = answer(home, dir, &["reflog", "--json"]);
        let entry = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(line) => format!("{} {} {}", line["after"], line["event"], line["message"]),
            Err(_) => line.to_owned(),
        };
        self.add(dir, "log", log.lines().map(entry).collect::<Vec<_>>().join("\n"));
        self.blobs.extend(answer(home, dir, &["blob", "ls"]).lines().map(str::to_owned));
    }

    /// The same with commits, revs and keys masked that another one does not have: every run makes new ones.
    pub(super) fn masked(&self, old: &Self) -> Self {
        let is_made = |word: &&str| {
            let is_rev = word.len() == 13 && word.starts_with('3');
            is_rev || word.starts_with("bafyrei") || word.starts_with("did:key:")
        };
        let words = |look: &Self| -> HashSet<String> {
            let texts = look.parts.values();
            let words = texts.flat_map(|text| text.split(|c: char| !is_word(c)).filter(is_made));
            words.map(str::to_owned).collect()
        };
        let mut masked = self.clone();
        for new in words(self).difference(&words(old)) {
            for text in masked.parts.values_mut() {
                *text = text.replace(new.as_str(), "<new>");
            }
        }
        masked
    }

    /// Tells whether another look has the same repositories.
    pub(super) fn has_repositories_of(&self, other: &Self) -> bool {
        let log = |look: &Self| -> Vec<String> {
            let parts = look.parts.iter().filter(|(name, _)| name.ends_with(": log"));
            parts.map(|(_, text)| text.clone()).collect()
        };
        log(self) == log(other)
    }

    /// The records of a repository.
    pub(super) fn records(&self, dir: &str) -> Vec<&str> {
        self.parts.get(&format!("{dir}: records")).map_or(Vec::new(), |text| text.lines().collect())
    }

    /// The first part that differs from another look.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let differs = |(name, text): (&String, &String)| {
            let others = other.parts.get(name);
            (others != Some(text)).then(|| format!("{name} is {text:?} and not {others:?}"))
        };
        let differing = self.parts.iter().find_map(differs);
        let missing = || other.parts.keys().find(|name| !self.parts.contains_key(*name));
        differing.or_else(|| missing().map(|name| format!("no part {name}")))
    }
}

/// The answer of a command, or its exit code.
fn answer(home: &Home, dir: &str, args: &[&str]) -> String {
    let ended: Ended = home.pds(["-R", dir].iter().chain(args).copied()).ended();
    match ended.code() {
        0 => ended.text(),
        code => format!("exit code {code}: {}", ended.text()),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// The bytes of a file as a short text.
fn file_text(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            format!("{} bytes, {hash:016x}", bytes.len())
        }
        Err(error) => error.kind().to_string(),
    }
}

/// The files of a directory and of those below it.
fn files(home: &Home, dir: &str) -> String {
    if !home.dir().join(dir).is_dir() {
        return "no directory".to_owned();
    }
    let names = names(home, dir);
    names.iter().fold(String::new(), |text, name| {
        text + name + " " + &file_text(&home.dir().join(name)) + "\n"
    })
}

/// The sorted paths of all files and directories below a directory of a home.
pub(super) fn names(home: &Home, dir: &str) -> BTreeSet<String> {
    let (mut names, mut waiting) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(dir) = waiting.pop() {
        for name in home.list(&dir) {
            let path = if dir == "." { name } else { format!("{dir}/{name}") };
            if home.dir().join(&path).is_dir() {
                waiting.push(path.clone());
            }
            names.insert(path);
        }
    }
    names
}

/// A file that has a key, has something else, or is absent.
fn key_text(path: &Path) -> String {
    match key_file::read(path) {
        Ok(Some(key)) => key.public_key().did_key(),
        Ok(None) => "absent".to_owned(),
        Err(error) => error.to_string(),
    }
}
