//! Repositories whose store is an account in a PostgreSQL database.

use std::fs;

use pds_postgres::store::PostgresStore;

use crate::common::{DID, Home};
use crate::server::{Server, shared};

/// A database, and a home with a CAR file of the account.
struct Database {
    home: Home,
    address: String,
    server: &'static Server,
}

impl Database {
    fn new() -> Option<Self> {
        let server = shared()?;
        let (home, address) = (Home::new(), server.database().to_string());
        home.pds(["init", "source", "--did", DID]).ok();
        let note = |name: &str| format!("com.example.note/{name}");
        home.pds(["-R", "source", "put", &note("a")]).stdin("{\"text\":\"a\"}").ok();
        home.pds(["-R", "source", "export", "-o", "source.car"]).ended().done();
        Some(Self { home, address, server })
    }

    /// The address of the account.
    fn account(&self) -> String {
        format!("{}#{DID}", self.address)
    }

    fn rows(&self, sql: &str) -> i64 {
        self.server.client(&self.address.parse().unwrap()).query_one(sql, &[]).unwrap().get(0)
    }
}

#[test]
fn init_makes_a_directory_with_the_key_and_the_address() {
    let Some(Database { home, address, .. }) = Database::new() else { return };
    home.pds(["init", "alice", "--did", DID, "--store", &address]).ok();
    assert_eq!(home.list("alice"), ["key", "store"]);
    assert_eq!(home.read("alice/store"), format!("{address}#{DID}\nown\n").as_bytes());
    let said = home.pds(["-R", "alice", "put", "com.example.note/b"]).stdin("{}").ok();
    assert!(said.starts_with("at://did:web:alice.example.com/com.example.note/b"), "{said}");
    assert!(home.pds(["-R", "alice", "verify", "--history"]).ok().starts_with("ok: "));
    // The nearest directory upwards is found, too.
    fs::create_dir(home.path("alice/below")).unwrap();
    let listed = home.pds(["ls"]).within(home.path("alice/below")).ok();
    assert_eq!(listed, "com.example.note\t1\n");
}

#[test]
fn clone_brings_a_file_into_a_database_and_another_directory_out_of_it() {
    let Some(database) = Database::new() else { return };
    let Database { home, address, .. } = &database;
    home.pds(["clone", "source.car", "mirror", "--store", address]).ok();
    assert_eq!(home.list("mirror"), ["store"]);
    home.pds(["-R", "mirror", "export", "-o", "copy.car"]).ended().done();
    assert_eq!(home.read("copy.car"), home.read("source.car"));
    home.pds(["clone", &database.account()]).ok();
    assert_eq!(home.list("did:web:alice.example.com"), ["pds.db"]);
    home.pds(["-R", "did:web:alice.example.com", "verify"]).ok();
}

#[test]
fn clone_copies_the_history_and_blobs_of_a_directory_into_a_database_and_back() {
    let Some(Database { home, address, .. }) = Database::new() else { return };
    let blob = home.pds(["-R", "source", "blob", "put", "-"]).stdin("a blob").ok();
    let record = format!("{{\"file\":{blob}}}");
    home.pds(["-R", "source", "put", "com.example.note/blob"]).stdin(record).ok();
    home.pds(["-R", "source", "ref", "set", "draft", "HEAD"]).ok();
    home.pds(["-R", "source", "rm", "com.example.note/a"]).ok();
    home.pds(["clone", "source", "there", "--store", &address, "--with-key"]).ok();
    assert_eq!(home.list("there"), ["blobs", "key", "store"]);
    home.pds(["clone", "there", "back", "--with-key"]).ok();
    home.pds(["clone", &format!("{address}#{DID}"), "alone"]).ended().done();
    let answers = |dir: &str| {
        let verbs: [&[&str]; 3] = [&["log", "--json"], &["ref", "ls"], &["verify", "--history"]];
        verbs.map(|verb| home.pds(["-R", dir].iter().chain(verb).copied()).ok())
    };
    for dir in ["there", "back", "alone"] {
        assert_eq!(answers(dir), answers("source"), "{dir}");
    }
    for dir in ["there", "back"] {
        home.pds(["-R", dir, "verify", "--history", "--blobs"]).ok();
        home.pds(["-R", dir, "put", "com.example.note/b"]).stdin("{}").ok();
    }
    // A clone that fails leaves neither a directory nor an account with records.
    let said = home.pds(["clone", "source", "again", "--store", &address]).fails(1);
    assert!(said.contains("already has the account"), "{said}");
    assert!(!home.list(".").contains(&"again".to_owned()));
}

#[test]
fn the_address_of_an_account_is_read_without_a_directory() {
    let Some(database) = Database::new() else { return };
    let (home, account) = (&database.home, &*database.account());
    home.pds(["clone", "source.car", "mirror", "--store", &database.address]).ok();
    assert_eq!(home.pds(["-R", account, "ls"]).ok(), "com.example.note\t1\n");
    home.pds(["ls"]).env("PDS_REPO", account).ok();
    assert_eq!(home.pds(["-R", "source", "diff", "HEAD", account]).ok(), "");
    assert!(home.pds(["-R", account, "verify"]).ok().starts_with("ok: "));
    for write in [
        ["put", "com.example.note/b"].as_slice(),
        &["gc"],
        &["import", "source.car"],
        &["forget", "--yes", "com.example.note/a"],
        &["key", "rotate"],
        &["key", "import", "source/key"],
        &["ref", "set", "copy", "HEAD"],
    ] {
        let args = ["-R", account].into_iter().chain(write.iter().copied());
        let said = home.pds(args).stdin("{}").fails(1);
        assert!(said.starts_with("error: the address of a database is read-only\n"), "{said}");
    }
    let said = home.pds(["-R", &database.address, "ls"]).fails(3);
    assert!(said.contains("it names no account; add #DID"), "{said}");
    let said = home.pds(["-R", &account.replace("alice", "bob"), "ls"]).fails(3);
    assert!(said.starts_with("error: no repository at postgres://"), "{said}");
}

#[test]
fn a_failed_creation_leaves_nothing_behind() {
    let Some(database) = Database::new() else { return };
    let Database { home, address, .. } = &database;
    let whole = home.read("source.car");
    home.write("broken.car", &whole[..whole.len() - 10]);
    let said = home.pds(["clone", "broken.car", "mirror", "--store", address]).fails(3);
    assert!(said.starts_with("error: cannot read broken.car: "), "{said}");
    assert!(!home.dir().join("mirror").exists());
    assert_eq!(database.rows("SELECT count(*) FROM pds.block"), 0);
    home.pds(["clone", "source.car", "mirror", "--store", address]).ok();

    // The account has a repository now.
    let said = home.pds(["init", "again", "--did", DID, "--store", address]).fails(1);
    assert!(said.contains("already has the account did:web:alice.example.com"), "{said}");
    fs::create_dir(home.path("used")).unwrap();
    home.write("used/file", "kept");
    let other = "did:web:bob.example.com";
    home.pds(["init", "used", "--did", other, "--store", address]).fails(1);
    assert_eq!(database.rows("SELECT count(*) FROM pds.account"), 1);
    assert_eq!(home.list("."), ["broken.car", "mirror", "source", "source.car", "used"]);
}

#[test]
fn one_of_two_creations_of_an_account_leaves_a_directory() {
    let Some(Database { home, address, .. }) = Database::new() else { return };
    for n in 0..5 {
        let names = [format!("one{n}"), format!("other{n}")];
        let did = format!("did:web:race{n}.example.com");
        let ends = std::thread::scope(|scope| {
            let create = |name| {
                let command = home.pds(["init", name, "--did", &did, "--store", &address]);
                scope.spawn(move || command.ended())
            };
            names.each_ref().map(|name| create(name)).map(|creation| creation.join().unwrap())
        });
        for (name, end) in names.iter().zip(ends) {
            assert_eq!(home.dir().join(name).exists(), end.code() == 0, "{}", end.stderr);
        }
    }
}

#[test]
fn an_interrupted_creation_is_completed_by_the_next_write() {
    let Some(database) = Database::new() else { return };
    let Database { home, address, .. } = &database;
    // The directory was made, and the first commit was not stored.
    PostgresStore::create(&address.parse().unwrap(), &DID.parse().unwrap()).unwrap();
    fs::create_dir(home.path("alice")).unwrap();
    fs::copy(home.path("source/key"), home.path("alice/key")).unwrap();
    // In a mirror, the first commit comes from a file.
    home.write("alice/store", format!("{}\n", database.account()));
    home.pds(["-R", "alice", "put", "com.example.note/b"]).stdin("{}").fails(1);
    home.write("alice/store", format!("{}\nown\n", database.account()));
    let said = home.pds(["-R", "alice", "ls"]).fails(1);
    assert!(said.starts_with("error: the repository has no commits"), "{said}");
    home.pds(["-R", "alice", "put", "com.example.note/b"]).stdin("{}").ok();
    let log = home.pds(["-R", "alice", "log"]).ok();
    assert!(log.lines().count() == 2 && log.trim_end().ends_with("init"), "{log}");
}

#[test]
fn other_files_of_that_name_make_no_repository() {
    let home = Home::new();
    for content in ["", "a list of things to buy\n", "http://example.com\n"] {
        home.write("store", content);
        let said = home.pds(["ls"]).fails(3);
        assert!(said.starts_with("error: no repository in "), "{said}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_never_printed() {
    let Some(Database { home, address, .. }) = Database::new() else { return };
    let secret = address.replace("pds@", "pds:hunter2@");
    for args in [
        ["init", "alice", "--did", DID, "--store", &secret].as_slice(),
        &["-R", &format!("{secret}#{DID}"), "ls"],
        &["clone", &format!("{secret}#{DID}"), "copy"],
        &["-R", "source", "diff", "HEAD", &secret],
        &["-R", "source", "merge", &secret],
        &["-R", "source", "repair", "--from", &secret],
    ] {
        let said = home.pds(args.iter().copied()).fails(3);
        assert!(said.contains("PGPASSWORD") && !said.contains("hunter2"), "{said}");
    }
    assert!(!home.dir().join("alice").exists());
    let said = home.pds(["verify", &secret]).fails(3);
    assert!(said.contains("not a file") && !said.contains("hunter2"), "{said}");
    assert!(!home.pds(["--help"]).env("PDS_REPO", &secret).ok().contains("hunter2"));
}

#[test]
fn a_server_that_does_not_answer_has_an_exit_code_of_its_own() {
    let home = Home::new();
    let address = "postgres://pds@127.0.0.1:1/repos";
    let said = home.pds(["init", "alice", "--did", DID, "--store", address]).fails(4);
    assert!(said.contains("Connection refused") && said.contains("hint: "), "{said}");
    home.pds(["-R", &format!("{address}#{DID}"), "ls"]).fails(4);
    home.pds(["-R", &format!("postgres://pds@host.invalid/repos#{DID}"), "ls"]).fails(4);
    assert_eq!(home.list("."), Vec::<String>::new());
}
