//! A repository whose blocks are known, and harms to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::PathBuf;

use pds::Finding;
use pds::car::{CarFile, CarReader};
use pds::data::{Block, Blocks, Cid, Codec};
use pds::local::layout::STORE_FILE;
use pds::mst::{Step, walk};
use pds::{Repo, Write};
use pds_rescue::{Lost, Part, Quarantine, Rebuilt};
use rusqlite::Connection;

use super::{did, note, path};

/// A repository with enough records for three levels of tree, made by one commit.
pub(super) struct Account {
    _home: tempfile::TempDir,
    pub(super) dir: PathBuf,
    pub(super) head: Cid,
    /// The nodes with the records of their own entries, the root first.
    pub(super) nodes: Vec<Place>,
    pub(super) records: BTreeMap<String, Cid>,
    pub(super) car: Vec<u8>,
}

pub(super) struct Place {
    pub(super) cid: Cid,
    pub(super) level: u8,
    pub(super) keys: BTreeSet<String>,
}

impl Account {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = Repo::create(&dir, &did()).unwrap();
        let writes: Vec<Write> = (0..RECORDS).map(|n| put(n, &format!("note {n}"))).collect();
        repo.write(&writes).unwrap();
        let snapshot = repo.snapshot().unwrap();
        let (mut nodes, mut records) = (Vec::new(), BTreeMap::new());
        for step in walk(snapshot.blocks(), snapshot.commit().data()) {
            match step.unwrap() {
                Step::Node { block, node } => {
                    let keys = node.entries().map(|entry| text(entry.key)).collect();
                    nodes.push(Place { cid: block.cid(), level: node.level(), keys });
                }
                Step::Entry { key, value } => drop(records.insert(text(key.as_bytes()), value)),
            }
        }
        let mut car = Vec::new();
        repo.transfer().export(&"HEAD".parse().unwrap(), &mut car).unwrap();
        let head = repo.head().unwrap().unwrap();
        Self { _home: home, dir, head, nodes, records, car }
    }

    pub(super) fn open(&self) -> Repo {
        Repo::open(&self.dir).unwrap()
    }

    pub(super) fn sql(&self) -> Connection {
        Connection::open(self.dir.join(STORE_FILE)).unwrap()
    }

    /// Returns a block of this kind, and the records that are lost with it.
    pub(super) fn pick(&self, kind: Kind) -> (Cid, BTreeSet<String>) {
        let top = self.nodes[0].level;
        let node = |fits: &dyn Fn(&Place) -> bool| {
            let place = self.nodes.iter().find(|place| fits(place)).unwrap();
            (place.cid, place.keys.clone())
        };
        match kind {
            Kind::Commit => (self.head, BTreeSet::new()),
            Kind::Root => node(&|place| place.level == top),
            Kind::Inner => node(&|place| place.level < top && place.level > 0),
            Kind::Leaf => node(&|place| place.level == 0),
            Kind::Record => {
                let (path, cid) = self.records.iter().nth(RECORDS / 2).unwrap();
                (*cid, BTreeSet::from([path.clone()]))
            }
        }
    }

    /// Returns the records in a node or below it.
    pub(super) fn reached_through(&self, cid: Cid) -> BTreeSet<String> {
        let repo = self.open();
        let whole = CarFile::open(Cursor::new(&self.car)).unwrap();
        let is_node = self.nodes.iter().any(|place| place.cid == cid);
        drop(repo);
        if !is_node {
            return BTreeSet::new();
        }
        let mut keys = BTreeSet::new();
        let mut waiting = vec![cid];
        while let Some(cid) = waiting.pop() {
            let place = self.nodes.iter().find(|place| place.cid == cid).unwrap();
            keys.extend(place.keys.iter().cloned());
            let block = whole.get(&cid).unwrap().unwrap();
            let links = pds::data::links(block.bytes()).unwrap();
            waiting.extend(links.into_iter().filter(|l| self.nodes.iter().any(|p| p.cid == *l)));
        }
        keys
    }

    pub(super) fn harm(&self, cid: Cid, harm: Harm) {
        let sql = self.sql();
        let name = cid.as_bytes().as_slice();
        let bytes: Vec<u8> =
            sql.query_row("SELECT bytes FROM blocks WHERE cid = ?1", [name], |r| r.get(0)).unwrap();
        let set = |bytes: &[u8]| {
            sql.execute("UPDATE blocks SET bytes = ?2 WHERE cid = ?1", (name, bytes)).unwrap()
        };
        let changed = match harm {
            Harm::FlippedBit => {
                let mut bytes = bytes;
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                set(&bytes)
            }
            Harm::Truncated => set(&bytes[..bytes.len() / 2]),
            Harm::Missing => sql.execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap(),
            Harm::Replaced => set(Block::new(Codec::Cbor, *b"\xa0").bytes()),
            Harm::WrongKey => {
                let other = elsewhere();
                let other = other.as_bytes().as_slice();
                sql.execute("UPDATE blocks SET cid = ?2 WHERE cid = ?1", (name, other)).unwrap()
            }
        };
        assert_eq!(changed, 1);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Commit,
    Root,
    Inner,
    Leaf,
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Harm {
    FlippedBit,
    Truncated,
    Missing,
    Replaced,
    WrongKey,
}

pub(super) const KINDS: [Kind; 5] =
    [Kind::Commit, Kind::Root, Kind::Inner, Kind::Leaf, Kind::Record];

pub(super) const HARMS: [Harm; 5] =
    [Harm::FlippedBit, Harm::Truncated, Harm::Missing, Harm::Replaced, Harm::WrongKey];

pub(super) const RECORDS: usize = 120;

pub(super) fn put(n: usize, text: &str) -> Write {
    Write::put(path(&format!("com.example.note/n{n:04}")), note(text))
}

pub(super) fn text(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap()
}

/// Returns the CID of a block that does not exist anywhere.
pub(super) fn elsewhere() -> Cid {
    Cid::of(Codec::Cbor, b"elsewhere")
}

pub(super) fn findings(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    repo.verify().present(&Default::default(), &mut |finding| found.push(finding)).unwrap();
    found
}

pub(super) fn assert_clean(repo: &Repo, what: &str) {
    assert_eq!(findings(repo), [], "{what}");
}

pub(super) fn records(repo: &Repo) -> BTreeMap<String, Cid> {
    let snapshot = repo.snapshot().unwrap();
    let records = snapshot.records().map(|entry| entry.unwrap());
    records.map(|entry| (entry.path.to_string(), entry.cid)).collect()
}

pub(super) fn rebuild(account: &Account) -> (Repo, Rebuilt) {
    let repo = account.open();
    let quarantine = Quarantine::of(&account.dir);
    let rebuilt = pds_rescue::Rescue::of(&repo)
        .rebuild(&mut |block, bytes| quarantine.keep(block, bytes))
        .unwrap();
    (repo, rebuilt)
}

/// Returns whether a path is reported as lost, by itself or in a range.
pub(super) fn is_named(lost: &[Lost], path: &str) -> bool {
    lost.iter().any(|lost| covers(&lost.part, path))
}

pub(super) fn covers(part: &Part, path: &str) -> bool {
    let path = path.as_bytes();
    match part {
        Part::Commit => false,
        Part::Record { key } => key.as_bytes() == path,
        Part::Records { after, before } => {
            after.as_ref().is_none_or(|after| after.as_bytes() < path)
                && before.as_ref().is_none_or(|before| path < before.as_bytes())
        }
    }
}

pub(super) fn each(check: impl Fn(Kind, Harm, &Account)) {
    for kind in KINDS {
        for harm in HARMS {
            let account = Account::new();
            account.harm(account.pick(kind).0, harm);
            check(kind, harm, &account);
        }
    }
}

impl Account {
    /// Returns the exported file with one damaged block, and the place of that block.
    pub(super) fn harmed_car(&self, harmed: Cid, harm: Harm) -> (Vec<u8>, u64) {
        let mut reader = CarReader::new(&self.car[..]).unwrap();
        let header = usize::try_from(reader.offset()).unwrap();
        let (mut file, mut at) = (self.car[..header].to_vec(), 0);
        while let Some(section) = reader.next_section().unwrap() {
            let (mut cid, mut bytes) = (section.block.cid(), section.block.bytes().to_vec());
            if cid == harmed {
                at = file.len() as u64;
                let middle = bytes.len() / 2;
                match harm {
                    Harm::FlippedBit => bytes[middle] ^= 0x10,
                    Harm::Truncated => bytes.truncate(middle),
                    Harm::Missing => continue,
                    Harm::Replaced => bytes = b"\xa0".to_vec(),
                    Harm::WrongKey => cid = elsewhere(),
                }
            }
            let mut len = cid.as_bytes().len() + bytes.len();
            while len >= 0x80 {
                file.push(0x80 | u8::try_from(len & 0x7f).unwrap());
                len >>= 7;
            }
            file.push(u8::try_from(len).unwrap());
            file.extend_from_slice(cid.as_bytes());
            file.extend_from_slice(&bytes);
        }
        (file, at)
    }
}
