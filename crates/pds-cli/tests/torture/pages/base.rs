//! The repositories that are damaged, and all that is known of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pds::data::Cid;
use rusqlite::Connection;

use crate::common::{Home, TestRepo, creations, log_rows};

/// The files of a repository directory, by their path in it.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The records of a state: the CID of each, by path.
pub(super) type Records = BTreeMap<String, Cid>;

pub(super) const DATABASE: &str = "pds.db";
pub(super) const WAL: &str = "pds.db-wal";

/// A repository, and all that is known of it.
pub(super) struct Base {
    pub(super) name: &'static str,
    /// Has the sound sources of a repair: `good.car` and the directory `good`.
    home: Home,
    pub(super) files: Files,
    /// The database some writes before the last one.
    pub(super) earlier: Vec<u8>,
    pub(super) states: BTreeMap<Cid, Records>,
    /// The commits that HEAD pointed to, the oldest first.
    pub(super) heads: Vec<Cid>,
    pub(super) refs: BTreeMap<String, Cid>,
    pub(super) blobs: BTreeMap<Cid, Vec<u8>>,
}

impl Base {
    /// A few dozen records: most pages have rows of the small tables.
    pub(super) fn small() -> Self {
        let repo = written(40);
        let earlier = repo.home.read("alice/pds.db");
        change(&repo);
        Self::of("small", repo, earlier, None)
    }

    /// Several hundred records: most pages have blocks.
    pub(super) fn medium() -> Self {
        let repo = written(500);
        let earlier = repo.home.read("alice/pds.db");
        repo.pds(["apply"]).stdin(updates(500, 7)).ok();
        change(&repo);
        Self::of("medium", repo, earlier, None)
    }

    /// So many blocks that the index has most of them.
    pub(super) fn indexed() -> Self {
        let repo = written(9_000);
        let earlier = repo.home.read("alice/pds.db");
        repo.pds(["apply"]).stdin(updates(9_000, 90)).ok();
        change(&repo);
        Self::of("indexed", repo, earlier, None)
    }

    /// The small repository, whose last writes are in the write-ahead log only.
    pub(super) fn with_wal() -> Self {
        let repo = written(40);
        let earlier = repo.home.read("alice/pds.db");
        let open = Connection::open(repo.home.path("alice/pds.db")).unwrap();
        // As long as a connection is open, no process moves the log into the database.
        open.query_row("SELECT count(*) FROM refs", [], |row| row.get::<_, i64>(0)).unwrap();
        change(&repo);
        Self::of("with a write-ahead log", repo, earlier, Some(open))
    }

    fn of(name: &'static str, repo: TestRepo, earlier: Vec<u8>, open: Option<Connection>) -> Self {
        let files = files(&repo.home.dir().join("alice"));
        assert_eq!(files.contains_key(WAL), open.is_some());
        drop(open);
        repo.export("good.car");
        repo.home.pds(["clone", "alice", "good", "--with-key"]).ended().done();
        let opened = pds::local::open::open_without_key(repo.home.path("alice")).unwrap();
        let refs = opened.history().refs().unwrap();
        let rows = log_rows(&opened);
        let moves = rows.iter().filter(|row| row.name.as_str() == "HEAD");
        let heads = moves.filter_map(|row| row.after).collect();
        let commits = rows.iter().flat_map(|row| [row.before, row.after]).flatten();
        let states = commits.map(|commit| (commit, records(&opened, commit))).collect();
        let blobs = repo.pds(["blob", "ls"]).ok();
        let blobs = blobs.lines().map(|line| line.split('\t').next().unwrap().trim());
        let blob = |cid: &str| repo.pds(["blob", "get", cid]).ended().stdout;
        let blobs = blobs.map(|cid| (cid.parse().unwrap(), blob(cid))).collect();
        let refs = refs.into_iter().map(|(name, cid)| (name.to_string(), cid)).collect();
        Self { name, home: repo.home, files, earlier, states, heads, refs, blobs }
    }

    /// The commit that HEAD points to.
    pub(super) fn head(&self) -> Cid {
        self.refs["HEAD"]
    }

    /// A sound source for a repair: the CAR file, or the directory.
    pub(super) fn source(&self, is_file: bool) -> String {
        self.home.path(if is_file { "good.car" } else { "good" })
    }

    /// The CAR file of the present state.
    pub(super) fn car(&self) -> Vec<u8> {
        self.home.read("good.car")
    }
}

/// A first part of the history: notes, another ref, a change of the key, and blobs.
fn written(notes: usize) -> TestRepo {
    let repo = TestRepo { home: Home::in_memory() };
    repo.home.pds(["init", "alice", "--did", crate::common::DID]).ok();
    for name in ["a", "b", "c"] {
        repo.put(name, name);
    }
    repo.pds(["apply"]).stdin(creations(0..notes)).ok();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    repo.pds(["key", "rotate"]).ended().done();
    for text in ["one", "two", "three"] {
        let blob = repo.pds(["blob", "put", "-"]).stdin(text.repeat(2_000)).ok();
        let path = format!("com.example.file/{text}");
        repo.pds(["put", &path]).stdin(format!("{{\"file\":{blob}}}")).ok();
    }
    repo
}

/// The rest of the history.
fn change(repo: &TestRepo) {
    repo.put("a", "another a");
    repo.pds(["rm", "com.example.note/b"]).ok();
    repo.put("d", "d");
    repo.pds(["ref", "set", "late", "HEAD"]).ok();
    repo.put("e", "e");
}

fn updates(notes: usize, step: usize) -> String {
    creations((0..notes).step_by(step)).replace("create", "update").replace("note ", "other ")
}

fn records(repo: &pds::Repo, commit: Cid) -> Records {
    let snapshot = repo.checkout(&commit.into()).unwrap();
    let records = snapshot.records().map(Result::unwrap);
    records.map(|record| (record.path.to_string(), record.cid)).collect()
}

fn files(dir: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(dir).unwrap() {
        let (path, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name().into_string().unwrap())
        };
        if path.is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else if !name.ends_with("-shm") {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

/// Writes files to the directory `alice` of a new home in memory.
pub(super) fn write(files: &Files) -> TestRepo {
    let home = Home::in_memory();
    write_to(files, &home.dir().join("alice"));
    TestRepo { home }
}

pub(super) fn write_to(files: &Files, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        if name.starts_with("key") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}
