//! The blobs of clones and pulls that were interrupted, limited or tampered with, and files from elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use pds_core::data::blob_ref::BlobRef;
use pds_core::data::record_check::blobs_in;
use pds_core::data::value::Value;
use pds_e2e::home::ended;
use pds_e2e::liar::rule::Padding;
use pds_e2e::{Forged, Lie, Rule};

use super::Mirror;

#[test]
fn the_blobs_of_a_pull_that_failed_are_fetched_by_the_next_one() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("blobs", &["3", "500"]);
    // The new state is stored, and then the identity cannot be written.
    let identity = mirror.home.path("copy/identity");
    fs::rename(&identity, mirror.home.path("kept")).unwrap();
    symlink("/nonexistent", &identity).unwrap();
    let failed = mirror.pull();
    assert!(failed.code.is_some_and(|code| code != 0), "{failed:?}");
    assert_eq!(mirror.info()["commit"], mirror.account.head().0);
    fs::remove_file(&identity).unwrap();
    fs::rename(mirror.home.path("kept"), &identity).unwrap();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_pull_of_one_collection_leaves_the_other_blobs_to_the_next_one() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("blobs", &["3", "500"]);
    let limited = ["-R", "copy", "pull", "--collection", "com.example.other"];
    mirror.liar.reset();
    ended(&mut mirror.command(&limited), b"").with(0);
    assert_eq!(mirror.liar.seen("getBlob").len(), 0);
    mirror.pull().with(0);
    assert_eq!(mirror.liar.seen("getBlob").len(), 3);
    mirror.assert_equal();
}

#[test]
fn listed_blobs_that_are_not_wanted_stay_in_the_list() {
    let Some(mirror) = Mirror::new("5", "2") else { return };
    mirror.liar.add(Rule::nth(1, "getBlob", Lie::error(400, "BlobNotFound")));
    mirror.clone().with(6);
    let listed = || fs::read_to_string(mirror.home.path("copy/missing-blobs.json")).unwrap();
    let before = listed();
    mirror.liar.reset();
    let limited = ["-R", "copy", "pull", "--collection", "com.example.other"];
    ended(&mut mirror.command(&limited), b"").with(6);
    // As if the clone had been killed while it fetched blobs.
    let upstream = mirror.home.path("copy/upstream.json");
    let text = fs::read_to_string(&upstream).unwrap();
    let unfinished = text.replace("\"complete\": true", "\"complete\": false");
    assert_ne!(unfinished, text);
    fs::write(&upstream, unfinished).unwrap();
    let without = ["clone", &mirror.account.handle, "copy", "--no-blobs"];
    ended(&mut mirror.command(&without), b"").with(0);
    assert_eq!(mirror.liar.seen("getBlob").len(), 0);
    assert_eq!(listed(), before);
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_list_of_missing_blobs_that_was_removed_is_made_again() {
    let Some(mirror) = Mirror::new("5", "4") else { return };
    mirror.liar.add(Rule::nth(1, "getBlob", Lie::error(400, "BlobNotFound")));
    mirror.clone().with(6);
    fs::remove_file(mirror.home.path("copy/missing-blobs.json")).unwrap();
    mirror.liar.reset();
    mirror.pull().with(0);
    assert_eq!(mirror.liar.seen("getBlob").len(), 1);
    mirror.assert_equal();
}

#[test]
fn a_blob_that_is_cut_is_asked_for_again() {
    let Some(mirror) = Mirror::new("5", "3") else { return };
    mirror.liar.add(Rule::first(2, "getBlob", Lie::CutAfter(700)));
    mirror.clone().with(0);
    assert_eq!(mirror.liar.seen("getBlob").len(), 5);
    mirror.assert_equal();
}

#[test]
fn a_host_that_fails_with_many_blobs_is_not_asked_for_the_rest() {
    let Some(mirror) = Mirror::new("5", "60") else { return };
    // Not one that is tried again, so that the test is short.
    mirror.liar.add(Rule::every("getBlob", Lie::error(403, "Forbidden")));
    mirror.clone().with(6);
    let asked = mirror.liar.seen("getBlob").len();
    assert!((20..40).contains(&asked), "{asked}");
    let listed = fs::read_to_string(mirror.home.path("copy/missing-blobs.json")).unwrap();
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.len(), 60);
    assert!(listed.iter().all(|blob| blob["reason"] == "host-error"), "{listed:?}");
    let tried = listed.iter().filter(|blob| blob["tries"] == 1).count();
    assert_eq!(tried, asked, "{listed:?}");
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn files_of_a_fetch_that_are_no_regular_files_are_refused() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("bulk", &["3"]);
    let at = |name: &str| mirror.home.path(name);
    fs::write(at("victim"), "not a file of the copy").unwrap();
    let state = format!("{{\"did\": \"{}\"}}", mirror.account.did);
    for (name, is_pipe) in [("0.car.part", false), ("0.car", false), ("0.car", true)] {
        fs::create_dir(at("copy/fetch")).unwrap();
        fs::write(at("copy/fetch/state.json"), &state).unwrap();
        let path = at("copy/fetch").join(name);
        match is_pipe {
            true => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            false => symlink(at("victim"), &path).unwrap(),
        }
        mirror.pull().with(3);
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "not a file of the copy");
        fs::remove_dir_all(at("copy/fetch")).unwrap();
    }
    // Numbers that no fetch gives are not its own files.
    fs::create_dir(at("copy/fetch")).unwrap();
    fs::write(at("copy/fetch/state.json"), &state).unwrap();
    fs::write(at("copy/fetch/18446744073709551615.car"), "").unwrap();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_stored_log_that_cannot_be_read_is_not_replaced() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    mirror.account.act("bulk", &["3"]);
    let log = mirror.home.path("copy/identity/plc.json");
    let good = fs::read(&log).unwrap();
    fs::write(&log, "garbage").unwrap();
    mirror.pull().with(3);
    assert_eq!(fs::read_to_string(&log).unwrap(), "garbage");
    fs::write(&log, good).unwrap();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_ref_that_was_removed_is_set_again() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    mirror.home.pds(["-R", "copy", "ref", "rm", "origin"]).with(0);
    mirror.account.act("bulk", &["3"]);
    mirror.pull().with(0);
    mirror.assert_equal();
}

/// Makes the account have one record, which refers to blobs.
fn refer_to(mirror: &Mirror, truth: &Forged, blobs: &[BlobRef]) {
    let blobs = Value::from_iter(blobs.iter().map(BlobRef::to_value));
    let record = Value::from([("$type", Value::from("com.example.blobs")), ("blobs", blobs)]);
    let (key, path) = (mirror.account.signing_key(), "com.example.blobs/a");
    truth.clone().with_record(&key, path, &record).show_on(&mirror.liar);
}

/// Returns the blobs that the records of a repository refer to.
fn blobs_of(truth: &Forged) -> Vec<BlobRef> {
    truth.blocks().iter().flat_map(|block| blobs_in(block.bytes()).unwrap_or_default()).collect()
}

#[test]
fn the_hash_of_a_blob_decides_and_not_the_size_in_its_record() {
    let Some(mirror) = Mirror::new("1", "2") else { return };
    let truth = Forged::of(&mirror.account.sync("getRepo", "").body);
    let mut blobs = blobs_of(&truth);
    (blobs[0].size_bytes, blobs[1].size_bytes) = (Some(10), Some(1 << 50));
    refer_to(&mirror, &truth, &blobs);
    let padding = Padding { after: 2000, bytes: vec![7; 1000].into() };
    mirror.liar.add(Rule::every(&blobs[1].cid.to_string(), Lie::Endless(padding)));
    let clone = ["clone", &mirror.account.handle, "copy", "--max-blob", "1000000", "--json"];
    let cloned = ended(&mut mirror.command(&clone), b"");
    let answer: serde_json::Value = serde_json::from_str(cloned.with(6)).unwrap();
    assert_eq!(answer["blobs"]["fetched"], 1, "{answer}");
    let expected =
        format!("blob {} of com.example.blobs/a was not fetched: too-large", blobs[1].cid);
    assert!(cloned.stderr.contains(&expected), "{}", cloned.stderr);
    assert!(mirror.liar.bytes(&blobs[1].cid.to_string()) < 10_000_000);
}

#[test]
fn lost_and_damaged_blobs_are_fetched_again() {
    let Some(mirror) = Mirror::new("5", "3") else { return };
    mirror.clone().with(0);
    let blobs = mirror.home.path("copy/blobs/ba");
    let files = || {
        let entries = fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.collect();
        files.sort();
        files
    };
    let damage = || {
        fs::remove_file(&files()[0]).unwrap();
        fs::write(&files()[0], "other bytes").unwrap();
    };
    damage();
    mirror.pull().with(0);
    mirror.home.pds(["-R", "copy", "verify", "--blobs"]).with(1);
    let again = || ended(&mut mirror.command(&["-R", "copy", "pull", "--blobs"]), b"");
    mirror.liar.reset();
    assert!(again().with(0).contains("unchanged\t2 blobs"));
    assert_eq!(mirror.liar.seen("getBlob").len(), 2);
    mirror.assert_equal();

    // A host that does not have them any more: they are missing, and a later pull finds them.
    damage();
    mirror.liar.add(Rule::every("getBlob", Lie::error(400, "BlobNotFound")));
    again().with(6);
    // The damaged one stays until the right bytes are here.
    assert_eq!(files().len(), 2);
    mirror.liar.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}
