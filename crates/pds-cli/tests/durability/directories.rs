//! A directory of files is synced before it gets its name, and its name is synced before the answer comes.

use std::process::Command;

use crate::common::{TestRepo, say};

/// The calls of a run that sync or rename something, in their order.
fn calls(repo: &TestRepo, args: &str) -> Option<Vec<String>> {
    let listed = repo.home.dir().join("calls.txt");
    let traced = "trace=syncfs,fsync,rename,renameat,renameat2,write";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", traced, "-o"]).arg(&listed);
    strace.arg(env!("CARGO_BIN_EXE_pds")).args(args.split(' ')).current_dir(repo.home.dir());
    let run = strace.output().ok()?;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    if said.contains("ptrace") {
        return None;
    }
    assert!(run.status.success(), "{args}: {said}");
    let text = std::fs::read_to_string(&listed).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[cfg(target_os = "linux")]
#[test]
fn directories_of_files_are_durable_before_they_are_acknowledged() {
    let repo = TestRepo::with_notes();
    repo.export("a.car");
    for (args, place) in [
        ("-R alice unpack new/out", "new/out"),
        ("recover a.car recovered/out", "recovered/out"),
        ("-R alice export --format csv -o tables/", "tables"),
    ] {
        let Some(calls) = calls(&repo, args) else {
            say("skipped: strace cannot trace");
            return;
        };
        let find = |what: &str, and: &str| {
            let is_it = |line: &String| line.contains(what) && line.contains(and);
            calls
                .iter()
                .rposition(is_it)
                .unwrap_or_else(|| panic!("{args}: {what} {and} {calls:#?}"))
        };
        let (synced, renamed) = (find("syncfs(", ""), find("rename", place));
        let (named, answered) = (find("fsync(", ""), find("write(", "<pipe:"));
        assert!(synced < renamed && renamed < named && named < answered, "{args}: {calls:#?}");
    }
}
