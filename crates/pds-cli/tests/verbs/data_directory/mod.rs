//! `clone` from the data directory of a PDS.

mod copies;
mod faults;
mod hostile;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pds::car::CarReader;
use pds::data::{Cid, Codec};
use rusqlite::Connection;

use crate::common::{DID, Home, Run};

/// The directory of the server, which the tests make as the server does, and the repository in it, at `alice`.
struct Server {
    home: Home,
    /// The blobs of the records: two references with the right size.
    blobs: Vec<String>,
}

impl Server {
    /// Makes the data directory `pds` of a server with one account.
    fn new() -> Self {
        let home = Home::new();
        home.write("secret", SECRET);
        home.pds(["init", "alice", "--did", DID, "--key", "secret"]).ok();
        let mut blobs = Vec::new();
        for (rkey, bytes) in [("a", "first blob"), ("b", "second blob")] {
            let blob = home.pds(["-R", "alice", "blob", "put", "-"]).stdin(bytes).ok();
            let record = format!("{{\"$type\":\"com.example.note\",\"blob\":{blob}}}");
            home.pds(["-R", "alice", "put", &format!("com.example.note/{rkey}")])
                .stdin(record)
                .ok();
            blobs.push(Cid::of(Codec::Raw, bytes.as_bytes()).to_string());
        }
        let server = Self { home, blobs };
        fs::create_dir_all(server.actor("")).unwrap();
        fs::write(server.actor("key"), key_bytes()).unwrap();
        for (cid, bytes) in server.blobs.iter().zip(["first blob", "second blob"]) {
            fs::create_dir_all(server.blob("")).unwrap();
            fs::write(server.blob(cid), bytes).unwrap();
        }
        let accounts = Connection::open(server.home.path("pds/account.sqlite")).unwrap();
        let actor = "CREATE TABLE actor (did varchar primary key, handle varchar);
            CREATE TABLE account (did varchar primary key, passwordScrypt varchar);";
        accounts.execute_batch(actor).unwrap();
        accounts.execute("INSERT INTO actor VALUES (?1, 'Alice.test')", [DID]).unwrap();
        server.fill();
        server.age();
        server
    }

    /// Writes the present state of the repository into the database of the account.
    fn fill(&self) {
        self.home.pds(["-R", "alice", "export", "-o", "export.car", "--force"]).ended().done();
        let mut car = CarReader::new(Cursor::new(self.home.read("export.car"))).unwrap();
        let root = car.roots()[0].to_string();
        let store = self.store();
        store.execute_batch(SCHEMA).unwrap();
        let sql = "INSERT INTO repo_root VALUES (?1, ?2, '3kservers2222', 'now')";
        store.execute(sql, [DID, &root]).unwrap();
        while let Some(section) = car.next_section().unwrap() {
            let (cid, bytes) = (section.block.cid().to_string(), section.block.bytes());
            let sql = "INSERT INTO repo_block VALUES (?1, '3kservers2222', ?2, ?3)";
            store.execute(sql, rusqlite::params![cid, bytes.len() as u64 as i64, bytes]).unwrap();
        }
    }

    fn store(&self) -> Connection {
        Connection::open(self.actor("store.sqlite")).unwrap()
    }

    /// A file of the account.
    fn actor(&self, name: &str) -> PathBuf {
        self.home.dir().join("pds/actors/f9").join(DID).join(name)
    }

    /// A file of a blob.
    fn blob(&self, name: &str) -> PathBuf {
        self.home.dir().join("pds/blocks").join(DID).join(name)
    }

    /// The clone to `copy`, without the network.
    fn clone(&self) -> Run {
        self.age();
        self.home.pds(["clone", "./pds", "copy", "--did", DID, "--offline"])
    }

    /// Says that the database was written long ago, so that no clone waits for its server.
    fn age(&self) {
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        let path = self.actor("store.sqlite");
        if path.symlink_metadata().is_ok_and(|file| file.is_file()) {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
    }

    fn head(&self, dir: &str) -> String {
        self.home.pds(["-R", dir, "ref", "ls"]).ok()
    }
}

/// Returns the files below a directory, with their bytes. Pipes are listed without.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else {
            let is_file = entry.file_type().unwrap().is_file();
            found.insert(path.clone(), if is_file { fs::read(path).unwrap() } else { Vec::new() });
        }
    }
    found
}

fn key_bytes() -> Vec<u8> {
    data_encoding::HEXLOWER.decode(SECRET.as_bytes()).unwrap()
}

const SECRET: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

const SCHEMA: &str = "
    DROP TABLE IF EXISTS repo_root; DROP TABLE IF EXISTS repo_block; DROP TABLE IF EXISTS blob;
    CREATE TABLE repo_root (did varchar primary key, cid varchar not null, rev varchar not null, indexedAt varchar not null);
    CREATE TABLE repo_block (cid varchar primary key, repoRev varchar not null, size integer not null, content blob not null);
    CREATE INDEX repo_block_repo_rev_idx ON repo_block (repoRev, cid);
    CREATE TABLE blob (cid varchar primary key, mimeType varchar not null, size integer not null, tempKey varchar);";
