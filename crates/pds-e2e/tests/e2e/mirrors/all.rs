//! Pulls of several mirrors at once.

use std::os::unix::fs::symlink;

use pds_e2e::home::ended;
use pds_e2e::{Account, Lie, Rule};
use serde_json::Value as Json;

use super::Mirror;

#[test]
fn requests_are_counted_for_each_mirror() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    let other = Account::create(mirror.servers, 1);
    other.act("bulk", &["20"]);
    let clone = ["clone", &other.handle, "other"].into_iter();
    let network = other.network();
    let network = || network.iter().map(String::as_str);
    mirror.home.pds(clone.chain(network())).with(0);
    let pull_all = |code| {
        let arguments = ["pull", "--all", ".", "--json"].into_iter();
        let ended = mirror.home.pds(arguments.chain(network()));
        let mut lines: Vec<Json> =
            ended.with(code).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| line["dir"].to_string());
        (lines, ended.stderr)
    };

    let (idle, _) = pull_all(0);
    let requests: Vec<&Json> = idle.iter().map(|line| &line["requests"]).collect();
    assert_eq!(requests, [1, 1], "{idle:?}");

    // One large blob, which the host of the other account does not give.
    mirror.account.act("blobs", &["1", "100000"]);
    other.act("bulk", &["1"]);
    mirror.liar.reset();
    let (pulled, _) = pull_all(0);
    let bytes = |line: &Json| line["bytesReceived"].as_u64().unwrap();
    assert!(bytes(&pulled[0]) > 100_000 && bytes(&pulled[1]) < 50_000, "{pulled:?}");
    assert!(pulled[0]["requests"].as_u64() >= Some(mirror.liar.seen("").len() as u64));

    mirror.account.act("blobs", &["1", "500"]);
    mirror.liar.add(Rule::every("getBlob", Lie::error(400, "BlobNotFound")));
    let (_, warnings) = pull_all(6);
    assert!(warnings.contains("warning: ./copy: blob "), "{warnings}");
}

#[test]
fn a_mirror_without_its_store_fails_and_the_others_are_pulled() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    let upstream = mirror.home.path("copy/upstream.json");
    let at = |name: &str| {
        let dir = mirror.home.path(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::copy(&upstream, dir.join("upstream.json")).unwrap();
        dir
    };
    symlink("nowhere", at("dangling").join("pds.db")).unwrap();
    std::fs::create_dir(at("directory").join("pds.db")).unwrap();
    std::fs::create_dir(at("unfinished").join("fetch")).unwrap();
    let pulled = ended(&mut mirror.command(&["pull", "--all", "."]), b"");
    pulled.with(6);
    let lines = [
        "warning: ./dangling: ./dangling cannot be used: it has no store",
        "warning: ./directory: ./directory cannot be used: it has no store",
        "warning: ./unfinished: ./unfinished cannot be used: the clone is not finished",
        "4 mirrors: 0 pulled, 1 unchanged, 3 failed",
    ];
    for line in lines {
        assert!(pulled.stderr.contains(line), "{line}: {}", pulled.stderr);
    }
}
