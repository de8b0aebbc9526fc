//! All readers of a file, which must agree about it.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::identity::KeyHistory;
use pds::mst::Builder;
use pds::store::MemoryStore;
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use pds::transfer::prove::verify_proof;
use pds::verify::car::verify_car;
use pds::{Code, Error, Expected, Finding, Repo, Report, Severity, Snapshot, Stage};

use super::forge::{Forged, car, did, key};
use super::peer::{Said, peer};
use crate::properties::Random;

/// The common answer of all readers.
pub(super) struct Judged {
    pub(super) report: Report,
    pub(super) findings: Vec<Finding>,
    pub(super) said: Said,
}

impl Judged {
    /// Returns the findings that are errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|found| found.severity() == Severity::Error)
    }

    /// Returns the codes of errors and warnings.
    pub(super) fn codes(&self) -> BTreeSet<&'static str> {
        let odd = self.findings.iter().filter(|found| found.severity() > Severity::Note);
        odd.map(|found| found.code().as_str()).collect()
    }

    /// Returns whether a repository may store it: only records may be invalid.
    pub(super) fn is_admitted(&self) -> bool {
        self.errors().all(|found| found.stage() == Stage::Record)
    }
}

pub(super) fn verify(file: &[u8]) -> (Report, Vec<Finding>) {
    let (mut findings, did, key) = (Vec::new(), did(), key().public_key());
    // One time for all readers: findings about revs in the future name it.
    static NOW: LazyLock<u64> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(since.as_micros()).unwrap()
    });
    let expected = Expected::default().did(&did).key(&key).now_micros(*NOW);
    let report = verify_car(Cursor::new(file), &expected, &mut |found| {
        assert!(!found.to_string().is_empty());
        findings.push(found);
    });
    (report.unwrap(), findings)
}

pub(super) fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// Asks every reader about a repository, in three orders of its blocks, and checks that the answers agree.
pub(super) fn judge(forged: &Forged, name: &str, random: &mut Random) -> Judged {
    let root = forged.commit.cid();
    let file = forged.file();
    let (report, findings) = verify(&file);
    let mut blocks = forged.blocks.clone();
    blocks.push(forged.commit.clone());
    blocks.reverse();
    let backwards = car(&[root], &blocks);
    shuffle(&mut blocks, random);
    let shuffled = car(&[root], &blocks);
    let texts = texts(&findings);
    for other in [&backwards, &shuffled] {
        let (again, others) = verify(other);
        assert_eq!(self::texts(&others), texts, "{name}: in whatever order");
        let counts = |it: &Report| (it.records, it.nodes, it.blocks, it.missing, it.unreadable);
        assert_eq!(counts(&again), counts(&report), "{name}");
    }
    let said = peer(&forged.blocks, forged.data);
    let judged = Judged { report, findings, said };
    agrees_with_peer(&judged, name);
    let exports: Vec<_> =
        [&file, &backwards, &shuffled].map(|file| imported(&judged, file, name)).into();
    assert!(exports.windows(2).all(|two| two[0] == two[1]), "{name}: one export");
    walked(&judged, forged, &shuffled, name);
    proven(&judged, &file, random, name);
    judged
}

pub(super) fn shuffle(blocks: &mut [Block], random: &mut Random) {
    for at in (1..blocks.len()).rev() {
        blocks.swap(at, random.below(at + 1));
    }
}

/// Returns findings as sorted texts. Offsets depend on the order of the blocks. And in the order of an export, a record of
/// two paths may be there twice without a note.
fn texts(findings: &[Finding]) -> Vec<String> {
    let text = |found: &Finding| {
        let mut found = found.clone();
        found.offset = None;
        found.to_string()
    };
    let same = findings.iter().filter(|found| found.code() != Code::CarDuplicates);
    let mut texts: Vec<String> = same.map(text).collect();
    texts.sort();
    texts
}

/// Checks the verdict on the tree against the second formulation.
fn agrees_with_peer(judged: &Judged, name: &str) {
    if judged.report.commit.is_none() {
        return;
    }
    let of_tree = [Code::NodeInvalid, Code::NodeUndecodable, Code::NodeMissing];
    let is_tree = judged.errors().all(|found| !of_tree.contains(&found.code()));
    match &judged.said {
        Said::Tree(entries) => {
            assert!(is_tree, "{name}: a tree is refused: {:#?}", judged.findings);
            assert_eq!(judged.report.records, entries.len() as u64, "{name}");
        }
        Said::Other(_) => assert!(!is_tree, "{name}: accepted, but not the tree of its entries"),
    }
}

/// Imports a file, which must be refused or be stored as what it says. Returns its export.
fn imported(judged: &Judged, file: &[u8], name: &str) -> Option<Vec<u8>> {
    let repo = empty();
    let public = key().public_key();
    let answer = repo.transfer().import_file(Cursor::new(file), Some(&public));
    if !judged.is_admitted() || judged.report.commit.is_none() {
        let error = answer.expect_err(name);
        assert!(error.is_corrupt() || matches!(error, Error::WrongDid { .. }), "{name}: {error}");
        assert_eq!(repo.head().unwrap(), None, "{name}");
        let blocks = repo.store().maintain().unwrap().block_count().unwrap();
        assert_eq!(blocks, 0, "{name}: a refused file leaves nothing");
        return None;
    }
    let imported = answer.unwrap_or_else(|error| panic!("{name}: {error}: {:#?}", judged.findings));
    assert_eq!(imported.records, judged.report.records, "{name}");
    let mut export = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut export, &mut |_| {}).unwrap();
    let (again, findings) = verify(&export);
    assert_eq!((again.records, again.errors), (judged.report.records, judged.report.errors));
    assert!(findings.iter().all(|found| found.stage() != Stage::Car), "{findings:#?}");
    Some(export)
}

/// Walks the records of a file as a checkout does. The walk ends without an error exactly if the tree is one.
fn walked(judged: &Judged, forged: &Forged, file: &[u8], name: &str) {
    let Ok(car) = CarFile::open(Cursor::new(file.to_vec())) else { return };
    let Ok(snapshot) = Snapshot::open(Arc::new(car), forged.commit.cid()) else { return };
    let listed: Result<Vec<_>, _> = snapshot.records().collect();
    let Said::Tree(entries) = &judged.said else {
        assert!(listed.is_err(), "{name}: a walk of what is not a tree");
        return;
    };
    // A path that is not one is an error of the walk, too.
    let paths = entries.keys().map(|key| RecordPath::from_bytes(key));
    let Ok(paths) = paths.collect::<Result<Vec<_>, _>>() else {
        assert!(listed.is_err(), "{name}: a walk over an invalid path");
        return;
    };
    let listed = listed.unwrap_or_else(|error| panic!("{name}: {error}"));
    let both = listed.iter().map(|entry| (&entry.path, entry.cid));
    assert!(both.eq(paths.iter().zip(entries.values().copied())), "{name}");
    let mut tree = Builder::default();
    for (key, value) in entries {
        tree.push(key, *value, |_| {}).unwrap();
    }
    assert_eq!(tree.finish(|_| {}), forged.data, "{name}");
    let stored: MemoryBlocks = forged.blocks.iter().cloned().collect();
    for entry in &listed {
        match snapshot.find(&entry.path) {
            Ok(record) => assert_eq!(record.unwrap().block.cid(), entry.cid, "{name}"),
            Err(error) => assert!(!stored.contains(&entry.cid), "{name}: {error}"),
        }
    }
}

/// Proves some paths from the file, and by a proof of its own. What is proven must be in the tree.
fn proven(judged: &Judged, file: &[u8], random: &mut Random, name: &str) {
    let keys: KeyHistory = key().public_key().into();
    let listed: Vec<(Vec<u8>, Cid)> = match &judged.said {
        Said::Tree(entries) => entries.clone().into_iter().collect(),
        Said::Other(found) => found.clone(),
    };
    let mut paths = vec!["com.example.note/absent".parse().unwrap()];
    if !listed.is_empty() {
        let any = &listed[random.below(listed.len())].0;
        paths.extend(RecordPath::from_bytes(any));
    }
    let car = CarFile::open(Cursor::new(file.to_vec()));
    let snapshot = car.ok().and_then(|car| {
        let root = *car.roots().first()?;
        Snapshot::open(Arc::new(car), root).ok()
    });
    for path in paths {
        let by_file = verify_proof(Cursor::new(file), &path, &keys);
        if judged.is_admitted()
            && let Said::Tree(entries) = &judged.said
        {
            let expected = entries.get(&path.to_key()).copied();
            let found = by_file.as_ref().unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
            assert_eq!(found.record.as_ref().map(|record| record.block.cid()), expected);
        }
        if let Ok(found) = &by_file
            && let Some(record) = &found.record
        {
            assert!(judged.said.has(&path.to_key(), record.block.cid()), "{name}: {path}");
        }
        let Some(Ok(proof)) = snapshot.as_ref().map(|snapshot| snapshot.prove(&path)) else {
            continue;
        };
        let mut short = Vec::new();
        proof.write_car(&mut short).unwrap();
        // A proof that can be written is refused only for its signature, and then the file is too.
        let by_proof = verify_proof(Cursor::new(&short), &path, &keys);
        assert_eq!(by_proof.is_ok(), by_file.is_ok(), "{name}: {path}");
        let record = |proven: &pds::transfer::prove::Proven| {
            proven.record.as_ref().map(|record| record.block.clone())
        };
        if let (Ok(one), Ok(other)) = (by_proof, by_file) {
            assert_eq!(record(&one), record(&other), "{name}: {path}");
        }
    }
}
