//! A separate home for every test, and runs of the binary in it.

mod cars;
mod directory;
mod masked;
mod run;
pub(crate) mod torture;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) use self::cars::{Car, node, note, with_root, without};
pub(crate) use self::directory::Directory;
pub(crate) use self::masked::masked;
pub(crate) use self::run::{Ended, Lines, Run};

/// The account of the repositories in tests.
pub(crate) const DID: &str = "did:web:alice.example.com";

/// The hint of every error about a state that does not exist.
pub(crate) const FORMS: &str = "hint: pds help revisions lists the forms of a revision\n";

/// A directory in which the binary runs, with nothing inherited but `PATH`.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A home on the memory file system, or on disk where the system has none that is writable.
    pub(crate) fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::new(), |dir| Self { dir })
    }

    /// Another home in memory with copies of all files.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::in_memory();
        copy_all(self.dir(), copy.dir());
        copy
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file in this home, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.dir().join(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir().join(name)).unwrap()
    }

    /// The sorted names in a directory of this home.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir().join(name)).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// The sorted paths of the files in a directory and below it that have some bytes.
    pub(crate) fn files_with(&self, dir: &str, marker: &str) -> Vec<String> {
        let (mut found, mut waiting) = (Vec::new(), vec![self.dir().join(dir)]);
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else if contains(&fs::read(&path).unwrap(), marker) {
                    found.push(path.strip_prefix(self.dir()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// The binary with some arguments.
    pub(crate) fn pds<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_pds"));
        command.args(args.into_iter().map(Into::into));
        Run::new(command)
    }

    /// A line of shell, in which `pds` is the binary.
    pub(crate) fn sh(&self, line: &str) -> Run {
        let mut command = self.command("sh");
        command.arg("-c").arg(line);
        Run::new(command)
    }

    /// Any program in this home.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut path = PathBuf::from(env!("CARGO_BIN_EXE_pds")).parent().unwrap().into();
        if let Some(inherited) = std::env::var_os("PATH") {
            let paths = [path].into_iter().chain(std::env::split_paths(&inherited));
            path = std::env::join_paths(paths).unwrap().into();
        }
        let mut command = Command::new(program);
        command.env_clear().env("PATH", path).env("HOME", self.dir()).current_dir(self.dir());
        command
    }
}

/// Tells whether some bytes have a text.
pub(crate) fn contains(bytes: &[u8], marker: &str) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
}

/// A repository with a key in a home, at `alice`.
pub(crate) struct TestRepo {
    pub(crate) home: Home,
}

impl TestRepo {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        home.pds(["init", "alice", "--did", DID]).ok();
        Self { home }
    }

    /// The notes `a`, `b` and `c`, each by a commit of its own.
    pub(crate) fn with_notes() -> Self {
        let repo = Self::new();
        for name in ["a", "b", "c"] {
            repo.put(name, name);
        }
        repo
    }

    /// A repository with many notes, made by one commit.
    pub(crate) fn with_many_notes(count: usize) -> Self {
        let repo = Self::new();
        repo.pds(["apply"]).stdin(creations(0..count)).ok();
        repo
    }

    /// The binary on this repository.
    pub(crate) fn pds<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        self.home.pds(["-R", "alice"].into_iter().chain(args))
    }

    /// Writes the note of a name and returns its CID.
    pub(crate) fn put(&self, name: &str, text: &str) -> String {
        let json = format!("{{\"text\":\"{text}\"}}");
        // After a kill, it says what it has removed.
        let put = self.pds(["put", &format!("com.example.note/{name}")]).stdin(json);
        let line = put.ended().done();
        line.trim_end().split_once('\t').unwrap().1.to_owned()
    }

    /// The present commit and its rev.
    pub(crate) fn head(&self) -> (String, String) {
        let info: Value = self.json(["info"]);
        (info["commit"].as_str().unwrap().to_owned(), info["rev"].as_str().unwrap().to_owned())
    }

    /// The answer of a command as one JSON value.
    pub(crate) fn json<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Value {
        let answer = self.pds(args.into_iter().chain(["--json"])).ok();
        serde_json::from_str(&answer).unwrap()
    }

    /// The answer of a command as JSON, a value a line.
    pub(crate) fn json_lines<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
        let answer = self.pds(args.into_iter().chain(["--json"])).ok();
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Exports to a file of the home and returns its path.
    pub(crate) fn export(&self, name: &str) -> String {
        self.pds(["export", "-o", &self.home.path(name)]).ended().done();
        self.home.path(name)
    }

    /// Checks that nothing is wrong with the repository, its blobs included.
    pub(crate) fn assert_whole(&self) {
        self.pds(["verify", "--blobs"]).ok();
    }
}

/// Lines for `apply` that create numbered notes.
pub(crate) fn creations(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().fold(String::new(), |mut lines, n| {
        lines.push_str(&creation(&format!("n{n:06}"), &format!("note {n}")));
        lines
    })
}

/// A line for `apply` that creates a note.
pub(crate) fn creation(rkey: &str, text: &str) -> String {
    format!(
        "{{\"action\":\"create\",\"collection\":\"com.example.note\",\"rkey\":\"{rkey}\",\
         \"value\":{{\"text\":\"{text}\"}}}}\n"
    )
}

/// Prints a line past the output capture of the test harness.
pub(crate) fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Copies the files of a directory and of those below it, with their permissions.
fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// The directory of other people's test data: `PDS_FIXTURES`, or `../shared/fixtures` beside the
/// checkout. With `PDS_FIXTURES_REQUIRED` set it must be there.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let path = std::env::var_os("PDS_FIXTURES").map_or_else(beside, PathBuf::from);
    if path.join("README.md").exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("PDS_FIXTURES_REQUIRED").is_none(),
        "no test data at {}",
        path.display()
    );
    eprintln!("skipped: no test data at {} (set PDS_FIXTURES)", path.display());
    None
}

/// Every row of the log, oldest first.
pub(crate) fn log_rows(repo: &pds::Repo) -> Vec<pds::store::LogEntry> {
    let mut rows = Vec::new();
    let query = pds::store::LogQuery::oldest_first();
    let read = repo.store().view().unwrap().log(&query, &mut |row| {
        rows.push(row);
        std::ops::ControlFlow::Continue(())
    });
    read.unwrap();
    rows
}
