//! Clones from hosts that cut, tear or change what they send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pds_e2e::{Account, Lie, Rule, Servers, car};

use super::Mirror;

#[test]
fn a_clone_has_every_kind_of_record_and_blob() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    let blobs = account.act("fill", &[]);
    let mirror = Mirror::of(account, servers);
    mirror.clone().with(0);
    mirror.assert_equal();
    mirror.home.pds(["-R", "copy", "blob", "export", "blobs"]).with(0);
    for blob in blobs.as_array().unwrap() {
        let cid = blob["ref"]["$link"].as_str().unwrap();
        let more = format!("&cid={cid}");
        let host = mirror.account.sync("getBlob", &more).body;
        let file = format!("blobs/{}_blobs/{cid}", mirror.account.did);
        assert_eq!(std::fs::read(mirror.home.path(&file)).unwrap(), host);
        assert_eq!(mirror.liar.seen(&more).len(), 1, "fetched twice: {cid}");
    }
    assert_eq!(mirror.liar.seen("getRepo").len(), 1);
}

#[test]
fn a_large_account_is_fetched_once() {
    let (notes, blobs) = if super::is_full() { ("20000", "200") } else { ("800", "25") };
    let Some(mut mirror) = Mirror::new(notes, blobs) else { return };
    mirror.max_repo = "100000000";
    mirror.clone().with(0);
    mirror.assert_equal();
    assert_eq!(mirror.liar.seen("getRepo").len(), 1);
    assert_eq!(mirror.liar.seen("getBlob").len().to_string(), blobs);
    assert_eq!(mirror.liar.bytes("getBlob"), blobs.parse::<u64>().unwrap() * 2000);
}

#[test]
fn a_clone_finishes_behind_a_proxy_that_ends_every_answer() {
    let Some(mut mirror) = Mirror::new("2000", "3") else { return };
    assert!(mirror.account.sync("getRepo", "").body.len() > 400_000);
    for lie in [Lie::CutAfter, Lie::EndAfter] {
        mirror.liar.reset();
        mirror.liar.add(Rule::every("/xrpc/", lie(128 << 10)));
        mirror.clone_again().with(0);
        mirror.assert_equal();
    }
}

#[test]
fn a_torn_export_is_completed() {
    let Some(mut mirror) = Mirror::new("600", "1") else { return };
    for (round, part) in [1, 2, 3].into_iter().enumerate() {
        mirror.liar.reset();
        let (account, seed) = (mirror.account.clone(), (round + 1).to_string());
        let is_torn = Arc::new(AtomicBool::new(false));
        let seen = is_torn.clone();
        // While the host reads its blocks from the newest to the oldest, writes replace some that it has not read.
        let lie = Lie::change(move |before| {
            account.act("change", &["30", &seed]);
            let (roots, mut blocks) = car::blocks(&before);
            let (_, after) = car::blocks(&account.sync("getRepo", "").body);
            let (all, read) = (blocks.len(), blocks.len() * part / 4);
            let mut number = 0;
            blocks.retain(|block| {
                number += 1;
                number <= read || after.contains(block)
            });
            seen.store(blocks.len() < all, Ordering::Relaxed);
            car::file(&roots, &blocks)
        });
        mirror.liar.add(Rule::nth(0, "getRepo", lie));
        mirror.clone_again().with(0);
        assert!(is_torn.load(Ordering::Relaxed));
        mirror.assert_equal();
    }
}

#[test]
fn a_clone_while_the_host_writes_is_whole() {
    for _ in 0..if super::is_full() { 20 } else { 1 } {
        let Some(mirror) = Mirror::new("600", "1") else { return };
        mirror.liar.add(Rule::every("getRepo", slowly()));
        let change = |account: &Account<'_>, seed: u32| {
            account.act("change", &["20", &seed.to_string()]);
        };
        mirror.account.while_acting(change, || mirror.clone()).with(0);
        mirror.home.pds(["-R", "copy", "verify", "--blobs"]).with(0);
        mirror.liar.reset();
        mirror.pull().with(0);
        mirror.assert_equal();
    }
}

fn slowly() -> Lie {
    Lie::Slowly { bytes: 4 << 10, pause: Duration::from_millis(30) }
}

#[test]
fn changed_bits_and_blocks_are_refetched() {
    let Some(mut mirror) = Mirror::new("200", "1") else { return };
    let export = mirror.account.sync("getRepo", "").body;
    let (_, blocks) = car::blocks(&export);
    for number in [0, 1, blocks.len() / 2, blocks.len() - 1] {
        let (block, other) = (blocks[number].clone(), blocks[(number + 7) % blocks.len()].clone());
        let at = car::offset(&export, &block) as u64;
        let replaced = Lie::change(move |car| car::with_bytes_of(&car, &block, &other));
        for lie in [Lie::FlipBit(at), replaced] {
            eprintln!("{lie:?} in block {number}");
            mirror.liar.reset();
            mirror.liar.add(Rule::nth(0, "getRepo", lie));
            mirror.clone_again().with(0);
            mirror.assert_equal();
        }
    }
}

#[test]
fn blobs_with_other_bytes_are_listed_and_fetched_later() {
    let Some(mut mirror) = Mirror::new("5", "4") else { return };
    let lies = [
        Lie::change(|blob| [&*blob, b"x"].concat()),
        Lie::change(|blob| blob[1..].to_vec()),
        Lie::change(|blob| vec![0; blob.len()]),
        Lie::error(400, "BlobNotFound"),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        eprintln!("{lie:?}");
        mirror.liar.reset();
        mirror.liar.add(Rule::nth(number as u64, "getBlob", lie));
        mirror.clone_again().with(6);
        mirror.home.pds(["-R", "copy", "verify"]).with(0);
        let listed = std::fs::read_to_string(mirror.home.path("copy/missing-blobs.json")).unwrap();
        assert_eq!(listed.matches("\"cid\"").count(), 1, "{listed}");
        let missing = mirror.home.pds(["-R", "copy", "verify", "--blobs"]);
        assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    }
}
