//! The damage matrix of CAR files: each kind of block with each kind of damage.

use std::collections::BTreeSet;

use pds::car::CarReader;
use pds::data::{Cid, Codec};
use serde_json::Value;

use super::repair::{KINDS, NOTES, listed, pick};
use crate::common::TestRepo;

/// The last two are about what follows: another block in its place, and nothing at all.
const HARMS: [&str; 7] =
    ["flipped", "truncated", "missing", "emptied", "wrong-name", "replaced", "cut"];

/// A file with one damaged block, and the place of that block.
fn harmed(file: &[u8], harmed: &str, how: &str) -> (Vec<u8>, usize) {
    let mut reader = CarReader::new(file).unwrap();
    let header = usize::try_from(reader.offset()).unwrap();
    let (mut out, mut at) = (file[..header].to_vec(), 0);
    while let Some(section) = reader.next_section().unwrap() {
        let (mut cid, mut bytes) = (section.block.cid(), section.block.bytes().to_vec());
        if cid.to_string() == harmed {
            at = out.len();
            match how {
                "flipped" => bytes[3] ^= 1,
                "truncated" => bytes.truncate(bytes.len() - 1),
                "missing" => continue,
                "emptied" => bytes = b"\xa0".to_vec(),
                "wrong-name" => cid = Cid::of(Codec::Cbor, b"elsewhere"),
                "replaced" => (cid, bytes) = (Cid::of(Codec::Cbor, b"\x80"), b"\x80".to_vec()),
                _ => {
                    let section = &file[usize::try_from(section.offset).unwrap()..];
                    out.extend_from_slice(&section[..40]);
                    return (out, at);
                }
            }
        }
        let mut len = cid.as_bytes().len() + bytes.len();
        while len >= 0x80 {
            out.push(0x80 | u8::try_from(len & 0x7f).unwrap());
            len >>= 7;
        }
        out.push(u8::try_from(len).unwrap());
        out.extend_from_slice(cid.as_bytes());
        out.extend_from_slice(&bytes);
    }
    (out, at)
}

/// A repository, its file, and the checks for each kind of damage.
fn each(check: impl Fn(&TestRepo, &str, &str, &str, usize)) {
    let repo = TestRepo::with_many_notes(NOTES);
    repo.export("good.car");
    let good = repo.home.read("good.car");
    for kind in KINDS {
        let cid = pick(&repo, kind);
        for how in HARMS {
            let (bad, at) = harmed(&good, &cid, how);
            repo.home.write("bad.car", bad);
            check(&repo, kind, how, &cid, at);
        }
    }
}

#[test]
fn each_harm_in_a_file_is_named_with_its_place_and_hides_nothing_elsewhere() {
    let elsewhere = Cid::of(Codec::Cbor, b"elsewhere").to_string();
    each(|repo, kind, how, cid, at| {
        let what = format!("{kind} {how}");
        let bad = repo.home.path("bad.car");
        let verify = repo.home.pds(["verify", &bad, "--json"]).ended();
        let report: Value = serde_json::from_str(&verify.text()).unwrap();
        // Without a commit there is no repository.
        assert_eq!(verify.code(), if kind == "commit" { 3 } else { 1 }, "{what}: {report}");
        let findings = report["findings"].as_array().unwrap();
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        let errors: Vec<&Value> = errors.collect();
        let find = |code: &str, cid: &str| -> Option<&Value> {
            errors.iter().copied().find(|f| f["code"] == code && f["cid"] == cid)
        };
        let code = match kind {
            "commit" => "commit-missing",
            "record" => "record-missing",
            _ => "node-missing",
        };
        let missing = find(code, cid).unwrap_or_else(|| panic!("{what}: {report}"));
        if kind == "record" {
            assert_eq!(missing["path"], "com.example.note/n000040", "{what}");
        }
        let name = if how == "wrong-name" { &elsewhere } else { cid };
        match how {
            "missing" | "replaced" => assert_eq!(errors.len(), 1, "{what}: {report}"),
            "cut" => {
                let cut = errors.iter().find(|finding| finding["code"] == "car-truncated");
                assert_eq!(cut.unwrap()["offset"], at, "{what}: {report}");
            }
            _ => {
                let damaged = find("block-damaged", name).unwrap();
                assert_eq!((&damaged["offset"], errors.len()), (&Value::from(at), 2), "{what}");
            }
        }

        let ls = repo.home.pds(["-R", &bad, "ls", "--all"]).ended();
        let named = if how == "cut" { "the file ends" } else { name };
        let is_said = !matches!(how, "missing" | "replaced");
        let hides_more = kind != "record";
        assert_eq!(ls.stderr.contains(named), is_said || hides_more, "{what}: {}", ls.stderr);
        match kind {
            "commit" => assert_eq!((ls.code(), ls.text()), (3, String::new()), "{what}"),
            "record" if how != "cut" => {
                assert_eq!((ls.code(), ls.text().lines().count()), (0, NOTES), "{what}");
            }
            _ => {
                assert_eq!(ls.code(), 6, "{what}: {}", ls.stderr);
                let text = ls.text();
                let whole = listed(repo);
                assert!(text.lines().all(|line| whole.contains(line)), "{what}: {text}");
            }
        }
        if kind == "commit" || how == "cut" {
            return;
        }
        let mut read = 0;
        for n in (0..NOTES).step_by(9) {
            let get = repo.home.pds(["-R", &bad, "get", &format!("com.example.note/n{n:06}")]);
            let get = get.ended();
            match get.code() {
                0 => read += 1,
                code => assert!(code == 3 && get.stderr.contains(cid), "{what}: {}", get.stderr),
            }
        }
        let expected = if kind == "root" { 0 } else { 6 };
        assert!(read >= expected, "{what}: {read}");
    });
}

#[test]
fn a_recovered_file_lacks_only_the_damaged_blocks_and_none_with_a_good_copy() {
    each(|repo, kind, how, cid, _| {
        let what = format!("{kind} {how}");
        let [bad, good] = ["bad.car", "good.car"].map(|name| repo.home.path(name));
        let whole = listed(repo);
        let args = ["recover", &bad, "--from", &good, "-o", "mended.car", "--force"];
        let mended = repo.home.pds(args).ended();
        // The odd block is kept.
        let is_same = how != "replaced";
        assert_eq!(mended.code(), if is_same { 0 } else { 6 }, "{what}: {}", mended.text());
        let written = repo.home.read("mended.car");
        assert_eq!(written == repo.home.read("good.car"), is_same, "{what}");
        assert!(mended.text().ends_with(" 0 lost\n"), "{what}: {}", mended.text());

        let ended = repo.home.pds(["recover", &bad]).ended();
        let text = ended.text();
        if (kind, how) == ("commit", "cut") {
            return assert_eq!((ended.code(), &*text), (3, ""), "{what}: nothing is left");
        }
        assert_eq!(ended.code(), 6, "{what}: {text}");
        let records = text.lines().filter(|line| line.contains('\t') && !line.contains(' '));
        let left: BTreeSet<String> = records.map(str::to_owned).collect();
        assert!(left.is_subset(&whole), "{what}: {text}");
        if how == "cut" {
            // The blocks after it are lost as well; the length is still in its place.
            assert!(text.contains("lost "), "{what}: {text}");
            return;
        }
        let gone = whole.difference(&left).count();
        assert!(text.contains(&format!(": {cid}\n")), "{what}: {text}");
        match kind {
            "commit" => assert_eq!(gone, 0, "{what}: {text}"),
            "record" => {
                assert_eq!(gone, 1, "{what}: {text}");
                assert!(text.contains("lost com.example.note/n000040: "), "{what}: {text}");
            }
            // The records of the node are stored, but their keys are unknown.
            _ => {
                let nameless = text.lines().filter(|line| line.starts_with("without-path "));
                let odd = usize::from(how == "replaced");
                assert!(gone > 0, "{what}: {text}");
                assert_eq!(nameless.count(), gone + odd, "{what}: {text}");
            }
        }
        let clean = repo.home.pds(["recover", &bad, "-o", "left.car", "--force"]).ended();
        assert_eq!(clean.code(), 6, "{what}");
        let verify = repo.home.pds(["verify", "left.car"]).ended().text();
        assert!(
            !verify.contains("block-damaged") && !verify.contains("error car-"),
            "{what}: {verify}"
        );
    });
}

#[test]
fn a_good_copy_gives_a_repository_of_a_harmed_file() {
    let repo = TestRepo::with_many_notes(NOTES);
    let good = repo.export("good.car");
    let (bad, _) = harmed(&repo.home.read("good.car"), &pick(&repo, "inner"), "emptied");
    let bad = repo.home.write("bad.car", bad);
    let said = repo.home.pds(["clone", &bad, "copy"]).fails(3);
    assert!(said.contains(" is damaged: ") && said.contains("pds verify FILE"), "{said}");
    repo.home.pds(["recover", &bad, "--from", &good, "-o", "mended.car"]).ended();
    repo.home.pds(["clone", "mended.car", "copy"]).ended().done();
    repo.home.pds(["-R", "copy", "verify"]).ok();
    let export = repo.home.pds(["-R", "copy", "export"]).ended();
    assert_eq!(export.stdout, repo.home.read("good.car"));
}

#[test]
fn the_log_of_a_file_names_a_commit_that_is_damaged_or_missing() {
    let repo = TestRepo::new();
    for text in ["one", "two", "three"] {
        repo.put("a", text);
    }
    repo.pds(["export", "--history", "-o", &repo.home.path("good.car")]).ended().done();
    let rows = repo.json_lines(["log"]);
    let cids: Vec<&str> = rows.iter().map(|row| row["cid"].as_str().unwrap()).collect();
    let good = repo.home.read("good.car");
    for (how, code, listed, unknown) in
        [("flipped", 6, vec![0, 1, 2, 3], vec![0, 1]), ("missing", 0, vec![0, 2, 3], vec![0])]
    {
        repo.home.write("bad.car", harmed(&good, cids[1], how).0);
        let bad = repo.home.path("bad.car");
        let log = repo.home.pds(["log", &bad, "--json"]).ended();
        assert_eq!(log.code(), code, "{how}: {}", log.stderr);
        let text = log.text();
        let rows: Vec<Value> = text.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let found: Vec<&str> = rows.iter().map(|row| row["cid"].as_str().unwrap()).collect();
        assert_eq!(found, listed.iter().map(|at| cids[*at]).collect::<Vec<_>>(), "{how}");
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(row["updated"].is_null(), unknown.contains(&at), "{how}: {row}");
        }
        assert_eq!(log.stderr.contains(cids[1]), how == "flipped", "{}", log.stderr);
        for (back, cid) in found.iter().enumerate() {
            let shown = repo.home.pds(["-R", &bad, "log", &format!("HEAD~{back}")]).ended();
            let is_lost = how == "flipped" && back == 1;
            assert!(is_lost || shown.text().contains(cid), "{how}: {shown:?}");
        }
        assert_eq!(repo.home.pds(["-R", &bad, "log", "HEAD~4"]).ended().code(), 1, "{how}");

        let versions = repo.home.pds(["log", &bad, "com.example.note/a", "--json"]).ended();
        assert_eq!(versions.code(), code, "{how}: {}", versions.stderr);
        let text = versions.text();
        let rows: Vec<Value> = text.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let seen: Vec<_> = rows.iter().map(|row| (&row["commit"]["cid"], &row["action"])).collect();
        let [newest, .., oldest] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!((oldest.0, oldest.1), (&Value::from(cids[2]), &Value::from("create")), "{how}");
        // The change of a damaged commit first shows in the commit after it.
        let lost = Value::from(if how == "flipped" { cids[1] } else { cids[0] });
        assert_eq!((newest.0, newest.1), (&lost, &Value::from("unknown")), "{how}");
    }
}
