//! Hosts that answer nothing useful: exit code 4, and a copy that is as before.

use std::time::Duration;

use pds_core::data::block::Block;
use pds_core::data::cid::Codec;
use pds_e2e::liar::rule::Padding;
use pds_e2e::{Home, Liar, Lie, Rule, car};

use super::Mirror;

/// Lies about any answer, and a part of what is said about them.
fn lies(other: &Liar) -> Vec<(Lie, &'static str)> {
    // In a CAR file, blocks that nothing refers to. The header of the file has 59 bytes.
    let file = car::file(&[], &[Block::new(Codec::Raw, vec![7; 1000])]);
    let bytes = file[car::file(&[], &[]).len()..].into();
    let padding = Padding { after: 59, bytes };
    let bomb = |layers| Lie::GzipBomb { layers, padding: padding.clone() };
    let elsewhere = other.url().replace("localhost", "127.0.0.1");
    vec![
        (Lie::rate_limited("99999999"), "limits requests until"),
        (Lie::answer(200, "text/html", &[], "<html>no</html>"), "an HTML page"),
        (Lie::redirect(&elsewhere), "was not contacted: the address is private"),
        (Lie::Endless(padding.clone()), "the limit"),
        (bomb(1), "the limit"),
        (bomb(2), "its encoding is neither gzip nor identity"),
        (Lie::EndlessHeaders, "too many headers"),
    ]
}

/// Lies that are tried again, with pauses of seconds.
fn slow_lies() -> Vec<(Lie, &'static str)> {
    let error = || (Lie::error(503, "NotEnoughResources"), "NotEnoughResources: a lie");
    let page = || (Lie::answer(502, "text/html", &[], "<html>no</html>"), "502");
    if super::is_full() { vec![error(), page()] } else { vec![error()] }
}

#[test]
fn a_pull_ends_with_4_and_leaves_the_store_as_it_is() {
    let Some(mirror) = Mirror::new("300", "1") else { return };
    mirror.clone().with(0);
    let (mut wrong, other) = (Vec::new(), Liar::before(&mirror.account.host().url));
    let database = || std::fs::read(mirror.home.path("copy/pds.db")).unwrap();
    mirror.account.act("change", &["10", "1"]);
    let before = database();
    for path in ["getLatestCommit", "getRepo"] {
        for (lie, text) in lies(&other).into_iter().chain(slow_lies()) {
            mirror.liar.reset();
            let what = format!("{path} {lie:?}");
            // An export without end is completed by CID, up to the bound, from answers that have no end either.
            let is_export = path == "getRepo" && text == "the limit";
            mirror.liar.add(Rule::every(path, lie.clone()));
            mirror.liar.add(Rule::every("getBlocks", lie));
            let pulled = mirror.pull();
            eprintln!("{what}: {:?} {}", pulled.code, pulled.stderr.trim());
            let is_named = pulled.stderr.contains(text)
                || is_export && pulled.stderr.contains("a section too short");
            if pulled.code != Some(4) || !is_named {
                wrong.push(format!("{what}: {:?} {}", pulled.code, pulled.stderr.trim()));
            }
            assert!(database() == before, "{what}: the repository has changed");
            assert_no_repeats(&pulled.stderr);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(other.seen("").is_empty(), "a redirect was followed: {:?}", other.seen(""));
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}

/// Checks that no line is printed twice, next to the first one or later.
fn assert_no_repeats(stderr: &str) {
    let mut lines: Vec<&str> = stderr.lines().collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "a line is repeated: {stderr}");
}

#[test]
fn waits_of_parallel_requests_are_printed_once() {
    let Some(mirror) = Mirror::new("5", "4") else { return };
    mirror.liar.add(Rule::first(12, "getBlob", Lie::error(503, "NotEnoughResources")));
    let cloned = mirror.clone();
    cloned.with(0);
    let waits = cloned.stderr.lines().filter(|line| line.starts_with("asking ")).count();
    assert!(waits >= 4, "{}", cloned.stderr);
    assert_no_repeats(&cloned.stderr);
    mirror.assert_equal();
}

#[test]
fn a_clone_ends_with_4_and_the_next_one_finishes() {
    let Some(mut mirror) = Mirror::new("300", "1") else { return };
    let (mut wrong, other) = (Vec::new(), Liar::before(&mirror.account.host().url));
    for (lie, text) in lies(&other) {
        mirror.home = Home::new();
        mirror.liar.reset();
        let what = format!("{lie:?}");
        mirror.liar.add(Rule::every("/xrpc/", lie));
        let cloned = mirror.clone();
        eprintln!("{what}: {:?} {}", cloned.code, cloned.stderr.trim());
        if cloned.code != Some(4) || !cloned.stderr.contains(text) {
            wrong.push(format!("{what}: {:?} {}", cloned.code, cloned.stderr.trim()));
            continue;
        }
        mirror.liar.reset();
        mirror.clone().with(0);
        mirror.assert_equal();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(other.seen("").is_empty(), "a redirect was followed: {:?}", other.seen(""));
}

#[test]
fn a_host_that_stalls_or_drips_is_left() {
    let Some(mirror) = Mirror::new("30", "1") else { return };
    let drip = Lie::Slowly { bytes: 1, pause: Duration::from_millis(20) };
    for lie in [Lie::StallAfter(0), Lie::StallAfter(200), drip] {
        mirror.liar.reset();
        mirror.liar.add(Rule::every("/xrpc/", lie.clone()));
        let cloned = mirror.impatiently("clone");
        eprintln!("{lie:?}: {:?} {}", cloned.code, cloned.stderr.trim());
        cloned.with(4);
        assert!(cloned.stderr.contains(" within "), "{lie:?}: {}", cloned.stderr);
    }
    mirror.liar.reset();
    mirror.impatiently("clone").with(0);
    mirror.assert_equal();
    mirror.account.act("change", &["5", "1"]);
    mirror.liar.add(Rule::every("getLatestCommit", Lie::StallAfter(0)));
    mirror.impatiently("pull").with(4);
    mirror.liar.reset();
    mirror.impatiently("pull").with(0);
    mirror.assert_equal();
}

#[test]
fn an_export_without_end_is_left_at_the_bound() {
    let Some(mirror) = Mirror::new("30", "1") else { return };
    let file = car::file(&[], &[Block::new(Codec::Raw, vec![7; 1000])]);
    let bytes = file[car::file(&[], &[]).len()..].into();
    let padding = Padding { after: u64::MAX, bytes };
    mirror.liar.add(Rule::every("getRepo", Lie::Endless(padding)));
    for _ in 0..2 {
        let refused = mirror.clone();
        refused.with(4);
        assert!(refused.stderr.contains("more than 4000000 bytes"), "{}", refused.stderr);
        assert_eq!(mirror.fetched_bytes(), 0, "nothing of it stays");
    }
    // The bound is four megabytes, and the buffers of the network have some more.
    assert!(mirror.liar.bytes("getRepo") < 2 * 8_000_000, "{}", mirror.liar.bytes("getRepo"));
    mirror.liar.reset();
    mirror.clone().with(0);
    mirror.assert_equal();
}
