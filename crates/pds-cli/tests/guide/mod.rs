//! `docs/guide.md` and the README: their commands are run, and print what the pages say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pds_e2e::page;

use super::server;

/// Tells whether the machine has `jq`, which some commands of the guide use.
fn has_jq() -> bool {
    let has = Command::new("jq").arg("--version").output().is_ok_and(|it| it.status.success());
    if !has {
        assert!(std::env::var_os("PDS_JQ_REQUIRED").is_none(), "jq is not installed");
        eprintln!("skipped: the guide needs jq, which is not installed");
    }
    has
}

#[test]
fn the_guide_says_what_happens() {
    if !has_jq() {
        return;
    }
    let home = home_of_the_guide();
    let commands = run("docs/guide.md", home.path(), &|command| command, &spoil_a_record);
    assert!(commands > 30, "there is something on the page");
}

#[test]
fn the_guide_says_what_happens_with_a_store_in_postgres() {
    let Some(server) = server::shared().filter(|_| has_jq()) else { return };
    let (home, address) = (home_of_the_guide(), server.database());
    let variable = |mut command: Command| {
        // A database has each account once, so a copy of a directory is in files.
        let is_copy = command.get_args().any(|arg| {
            let line = arg.to_string_lossy();
            line.contains("pds clone") && !line.contains("earlier.car")
        });
        if !is_copy {
            command.env("PDS_STORE", address.to_string());
        }
        command
    };
    let spoil = |_: &Path| {
        let sql =
            "UPDATE pds.block SET bytes = '\\x00' WHERE position('a draft'::bytea IN bytes) > 0";
        assert_eq!(server.client(&address).execute(sql, &[]).unwrap(), 1);
    };
    let commands = run("docs/guide.md", home.path(), &variable, &spoil);
    assert!(commands > 30, "there is something on the page");
    assert!(
        home.path().join("notes/store").is_file() && !home.path().join("notes/pds.db").exists()
    );
}

fn home_of_the_guide() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let files = [("sample-earlier.car", "earlier.car"), ("sample.car", "backup.car")];
    let others = ["avatar.png", "plot.png", "did.json"].map(|name| (name, name));
    let of_bob = [
        ("plc/bob.car", "bob.car"),
        ("plc/bob-2025-04.car", "bob-2025-04.car"),
        ("plc/bob.did.json", "bob.did.json"),
        ("plc/bob.plc.json", "bob.plc.json"),
        ("plc/bob-2025-04.plc.json", "bob-2025-04.plc.json"),
    ];
    for (from, to) in files.into_iter().chain(others).chain(of_bob) {
        fs::copy(root().join("testdata").join(from), home.path().join(to)).unwrap();
    }
    make_server(home.path());
    home
}

/// Makes the database of a server, with the tables of the reference implementation that matter.
fn make_server(home: &Path) {
    let database = rusqlite::Connection::open(home.join("server.sqlite")).unwrap();
    let tables = "CREATE TABLE repo_root (did TEXT PRIMARY KEY, cid TEXT, rev TEXT);
                  CREATE TABLE repo_block (cid TEXT PRIMARY KEY, repoRev TEXT, size INTEGER, content BLOB);";
    database.execute_batch(tables).unwrap();
    let car = fs::File::open(home.join("backup.car")).unwrap();
    for block in pds::car::CarReader::new(car).unwrap() {
        let block = block.unwrap();
        let row = (block.cid().to_string(), "3lsq7c3kyd37q", block.bytes());
        database.execute("INSERT INTO repo_block VALUES (?1, ?2, length(?3), ?3)", row).unwrap();
    }
}

#[test]
fn the_readme_says_what_happens() {
    let home = tempfile::tempdir().unwrap();
    for file in ["sample.car", "sample-earlier.car", "did.json"] {
        fs::copy(root().join("testdata").join(file), home.path().join(file)).unwrap();
    }
    let commands = run("README.md", home.path(), &|command| command, &spoil_a_record);
    assert!(commands > 10, "there is something on the page");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the commands of a page in a directory, and returns how many there are. `spoil` damages the record of the page in
/// the repository in a directory.
fn run(
    name: &str,
    home: &Path,
    prepare: &dyn Fn(Command) -> Command,
    spoil_record: &dyn Fn(&Path),
) -> usize {
    let text = fs::read_to_string(root().join(name)).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_pds")).parent().unwrap();
    let path = std::env::join_paths(
        [binary.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut here = home.to_owned();
    let steps = page::steps(&text);
    let count = steps.len();
    for step in steps {
        if step.spoil {
            spoil_record(&here);
        }
        if let Some(dir) = step.command.strip_prefix("cd ") {
            here = here.join(dir);
            continue;
        }
        step.run(&here, &|mut shell| {
            shell.env("PATH", &path);
            prepare(shell)
        });
    }
    count
}

fn spoil_a_record(dir: &Path) {
    let store = rusqlite::Connection::open(dir.join("pds.db")).unwrap();
    let sql = "UPDATE blocks SET bytes = x'00' WHERE instr(bytes, CAST('a draft' AS BLOB)) > 0";
    assert_eq!(store.execute(sql, []).unwrap(), 1);
}
