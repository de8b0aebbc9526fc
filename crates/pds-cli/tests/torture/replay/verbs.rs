//! Power cuts in verbs that change a repository.

use super::judge::{State, next_write, repository};
use super::scenario::Scenario;
use super::{FULL, SAMPLE, is_available, prepared};
use crate::common::{TestRepo, creations};

const MARKER: &str = "what-is-to-be-forgotten";
const SECRET: &str = "com.example.note/secret";
const PUT: &[&str] = &["-R", "alice", "put", "com.example.note/x"];

/// Replays commands on `alice`.
fn replay(name: &'static str, repo: &TestRepo, commands: &[(&[&str], &str)], states: usize) {
    let scenario = Scenario {
        name,
        home: &repo.home,
        commands,
        states,
        judge: &|home| repository(home, "alice"),
        next: &|home| next_write(home, "alice"),
    };
    scenario.traced().replay(SAMPLE, FULL);
}

#[test]
fn records_survive_power_cuts() {
    if !is_available() {
        return;
    }
    let rm = ["-R", "alice", "rm", "com.example.note/b"];
    let commands: [(&[&str], &str); 3] =
        [(PUT, "{\"text\":\"1\"}"), (PUT, "{\"text\":\"2\"}"), (&rm, "")];
    replay("put, put, rm", &prepared(), &commands, 4);
}

#[test]
fn batches_survive_power_cuts() {
    if !is_available() {
        return;
    }
    let (batches, more) = (creations(20..32), creations(40..80));
    let apply = ["-R", "alice", "apply"];
    let commands: [(&[&str], &str); 2] =
        [(&["-R", "alice", "apply", "--batch", "3"], &batches), (&apply, &more)];
    replay("apply --batch 3, apply", &prepared(), &commands, 6);
}

#[test]
fn an_import_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let phone = TestRepo { home: repo.home.copied() };
    phone.pds(["apply"]).stdin(creations(40..80)).ok();
    phone.put("a", "phone");
    phone.pds(["export", "--chain", "-o", "newer.car"]).ended().done();
    repo.home.write("newer.car", phone.home.read("newer.car"));
    let import = ["-R", "alice", "import", "newer.car"];
    replay("import, put", &repo, &[(&import, ""), (PUT, "{}")], 3);
}

#[test]
fn moved_refs_survive_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    repo.export("state.car");
    repo.put("a", "second");
    let commands: [(&[&str], &str); 4] = [
        (&["-R", "alice", "reset", "HEAD~1"], ""),
        (&["-R", "alice", "reset", "@{1}"], ""),
        (&["-R", "alice", "ref", "set", "draft", "HEAD~2"], ""),
        (&["-R", "alice", "reset", "state.car"], ""),
    ];
    replay("reset, reset, ref set, reset FILE", &repo, &commands, 5);
}

#[test]
fn merges_survive_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let phone = TestRepo { home: repo.home.copied() };
    phone.pds(["apply"]).stdin(creations(40..60)).ok();
    phone.pds(["export", "--chain", "-o", "phone.car"]).ended().done();
    repo.home.write("phone.car", phone.home.read("phone.car"));
    repo.put("here", "x");
    let commands: [(&[&str], &str); 2] =
        [(&["-R", "alice", "merge", "phone.car"], ""), (&["-R", "alice", "revert", "HEAD~1"], "")];
    replay("merge FILE, revert", &repo, &commands, 3);
}

#[test]
fn a_collection_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    repo.pds(["apply"]).stdin(creations(40..80)).ok();
    repo.pds(["reset", "HEAD~1"]).ok();
    let gc = ["-R", "alice", "gc", "--keep", "1"];
    replay("put, gc --keep 1, put", &repo, &[(PUT, "{}"), (&gc, ""), (PUT, "{\"text\":\"2\"}")], 4);
}

#[test]
fn a_purge_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let blob = repo.pds(["blob", "put", "-"]).stdin(MARKER).ok();
    for version in ["one", "two"] {
        let record = format!("{{\"text\":\"{MARKER} {version}\",\"file\":{blob}}}");
        repo.pds(["put", SECRET]).stdin(record).ok();
    }
    repo.put("b", "later");
    let forget = ["-R", "alice", "forget", "--yes", SECRET];
    let scenario = Scenario {
        name: "forget, put",
        home: &repo.home,
        commands: &[(&forget, ""), (PUT, "{}")],
        states: 3,
        judge: &|home| {
            let State { name, .. } = repository(home, "alice")?;
            // The blobs are the end of the name, and their files are deleted after the records.
            let (name, blobs) = name.rsplit_once(" [").unwrap_or((&name, ""));
            let files = home.files_with("", MARKER);
            let is_purged = home.pds(["-R", "alice", "get", SECRET]).ended().code() != 0;
            let rest = is_purged && (!files.is_empty() || blobs != "]");
            let rest = rest.then(|| format!("what was purged is in {files:?}, blobs [{blobs}"));
            Ok(State { name: name.to_owned(), rest })
        },
        next: &|home| next_write(home, "alice"),
    };
    scenario.traced().replay(SAMPLE, FULL);
}

#[test]
fn a_rotation_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let rotate = ["-R", "alice", "key", "rotate"];
    replay("key rotate, put", &prepared(), &[(&rotate, ""), (PUT, "{}")], 3);
    let discard = ["-R", "alice", "key", "rotate", "--discard-old"];
    replay("key rotate --discard-old", &prepared(), &[(&discard, "")], 2);
}

#[test]
fn a_blob_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let large = "0123456789abcdef".repeat(1_500);
    let cid = TestRepo { home: repo.home.copied() }.pds(["blob", "put", "-"]).stdin(&*large).ok();
    let record = format!("{{\"file\":{cid}}}");
    let blob = ["-R", "alice", "blob", "put", "-"];
    let commands: [(&[&str], &str); 3] = [(&blob, &large), (PUT, &record), (&blob, "small")];
    replay("blob put, put, blob put", &repo, &commands, 4);
}
