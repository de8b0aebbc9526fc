//! The homes in which the commands run.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::common::{DID, Home, TestRepo, creations};
use crate::damage::damage;

/// The text of the records and the blob to forget.
pub(super) const MARKER: &str = "what-is-to-be-forgotten";

const SECRET: &str = "com.example.note/secret";

/// A home that the tests share while one of them uses it.
struct Shared(Mutex<Weak<Home>>);

impl Shared {
    const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    fn get(&self, make: fn() -> Home) -> Arc<Home> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let home = Arc::new(make());
            *shared = Arc::downgrade(&home);
            home
        })
    }
}

/// A repository with several states and refs, an old record, a record with a blob to forget, and a blob of no record;
/// next to it, files and repositories to take states from.
pub(super) fn history() -> Arc<Home> {
    static HOME: Shared = Shared::new();
    HOME.get(|| {
        let repo = repository();
        files_beside(&repo);
        repo.home
    })
}

fn repository() -> TestRepo {
    let home = Home::in_memory();
    home.pds(["init", "alice", "--did", DID]).ok();
    let repo = TestRepo { home };
    repo.pds(["apply"]).stdin(creations(0..30)).ok();
    repo.put("a", "first");
    let blob = repo.pds(["blob", "put", "-"]).stdin(MARKER).ok();
    for version in ["one", "two"] {
        let record = format!("{{\"text\":\"{MARKER} {version}\",\"file\":{blob}}}");
        repo.pds(["put", SECRET]).stdin(record).ok();
        repo.put("a", version);
        repo.pds(["ref", "set", &format!("draft-{version}"), "HEAD"]).ok();
    }
    repo.put("b", "last");
    repo
}

/// Writes what the commands read, and what they overwrite.
fn files_beside(repo: &TestRepo) {
    let home = &repo.home;
    repo.export("older.car");
    let phone = TestRepo { home: home.copied() };
    phone.put("phone", "of the phone");
    phone.pds(["export", "--chain", "-o", "phone.car"]).ended().done();
    home.write("phone.car", phone.home.read("phone.car"));
    repo.pds(["put", "--ref", "draft-two", "com.example.note/d"]).stdin("{\"text\":\"d\"}").ok();
    repo.pds(["blob", "put", "-"]).stdin("a blob of no record").ok();
    repo.put("c", "last");
    let newer = TestRepo { home: home.copied() };
    newer.pds(["apply"]).stdin(creations(30..50)).ok();
    newer.put("a", "newer");
    newer.pds(["export", "--chain", "-o", "newer.car"]).ended().done();
    home.write("newer.car", newer.home.read("newer.car"));
    home.write("writes.ndjson", creations(60..70).replace("create", "put"));
    home.write("record.json", "{\"text\":\"edited\"}");
    home.write("one.txt", "the first blob");
    home.write("two.txt", "the second blob");
    home.write("out.car", "another file");
    let car = home.read("older.car");
    home.write("cut.car", &car[..car.len() * 3 / 4]);
    home.pds(["clone", "alice", "mirror"]).ended().done();
    home.pds(["key", "new", "spare.key"]).ok();
    std::fs::create_dir(home.path("tmp")).unwrap();
    std::fs::create_dir(home.path("empty")).unwrap();
}

/// The same, with damage in a record of the present state.
pub(super) fn damaged_record() -> Arc<Home> {
    static HOME: Shared = Shared::new();
    HOME.get(|| {
        damaged(|repo| repo.json(["get", "com.example.note/b"])["cid"].as_str().unwrap().to_owned())
    })
}

/// The same, with damage in the root of the tree.
pub(super) fn damaged_root() -> Arc<Home> {
    static HOME: Shared = Shared::new();
    HOME.get(|| damaged(|repo| repo.json(["info"])["data"].as_str().unwrap().to_owned()))
}

fn damaged(block: fn(&TestRepo) -> String) -> Home {
    let repo = TestRepo { home: history().copied() };
    repo.export("good.car");
    repo.home.pds(["clone", "alice", "good"]).ended().done();
    damage(&repo, &block(&repo));
    repo.home
}

/// The same, with a database that has lost its first page.
pub(super) fn damaged_database() -> Arc<Home> {
    static HOME: Shared = Shared::new();
    HOME.get(|| {
        let home = history().copied();
        let mut store = home.read("alice/pds.db");
        store[100..600].fill(0);
        home.write("alice/pds.db", store);
        home
    })
}
