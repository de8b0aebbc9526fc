//! `pds repair` on damaged repositories.

use std::collections::BTreeSet;

use pds::data::{Block, Cid, Codec};
use serde_json::Value;

use super::rows::sql;
use super::{PAGE_BYTES, assert_mended, damage};
use crate::common::{DID, TestRepo, creations, masked};

pub(super) const KINDS: [&str; 5] = ["commit", "root", "inner", "leaf", "record"];

const HARMS: [&str; 5] = ["flipped", "truncated", "missing", "replaced", "wrong-key"];

pub(super) const NOTES: usize = 80;

/// The block of a kind in a repository of many notes.
pub(super) fn pick(repo: &TestRepo, kind: &str) -> String {
    let info = repo.json(["info"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let below = |cid: &str| -> Vec<String> {
        let node = repo.json(["show", cid]);
        let entries = node["e"].as_array().unwrap().iter().map(|entry| &entry["t"]);
        let links = [&node["l"]].into_iter().chain(entries);
        links.filter_map(|link| link["$link"].as_str().map(str::to_owned)).collect()
    };
    let root = text(&info["data"]);
    match kind {
        "commit" => text(&info["commit"]),
        "root" => root,
        "record" => text(&repo.json(["get", "com.example.note/n000040"])["cid"]),
        kind => {
            let inner = below(&root).into_iter().find(|cid| !below(cid).is_empty()).unwrap();
            let mut leaf = inner.clone();
            while let Some(next) = below(&leaf).into_iter().next() {
                leaf = next;
            }
            if kind == "inner" { inner } else { leaf }
        }
    }
}

fn harm(repo: &TestRepo, cid: &str, harm: &str) {
    let sql = sql(repo);
    let cid: Cid = cid.parse().unwrap();
    let (name, elsewhere) = (cid.as_bytes().as_slice(), Cid::of(Codec::Cbor, b"elsewhere"));
    let bytes: Vec<u8> =
        sql.query_row("SELECT bytes FROM blocks WHERE cid = ?1", [name], |row| row.get(0)).unwrap();
    let set = "UPDATE blocks SET bytes = ?2 WHERE cid = ?1";
    let done = match harm {
        "flipped" => {
            let mut bytes = bytes;
            bytes[3] ^= 1;
            sql.execute(set, (name, bytes))
        }
        "truncated" => sql.execute(set, (name, &bytes[..bytes.len() - 1])),
        "missing" => sql.execute("DELETE FROM blocks WHERE cid = ?1", [name]),
        "replaced" => sql.execute(set, (name, Block::new(Codec::Cbor, *b"\xa0").bytes())),
        _ => {
            let other = elsewhere.as_bytes().as_slice();
            sql.execute("UPDATE blocks SET cid = ?2 WHERE cid = ?1", (name, other))
        }
    };
    assert_eq!(done.unwrap(), 1);
}

pub(super) fn listed(repo: &TestRepo) -> BTreeSet<String> {
    repo.pds(["ls", "--all"]).ended().text().lines().map(str::to_owned).collect()
}

fn each(check: impl Fn(&TestRepo, &str, &str, &str)) {
    for kind in KINDS {
        for how in HARMS {
            let repo = TestRepo::with_many_notes(NOTES);
            let cid = pick(&repo, kind);
            repo.export("good.car");
            harm(&repo, &cid, how);
            check(&repo, kind, how, &cid);
        }
    }
}

#[test]
fn each_harm_is_named_and_a_good_copy_undoes_it() {
    each(|repo, kind, how, cid| {
        let what = format!("{kind} {how}");
        let verify = repo.pds(["verify"]).ended();
        assert_eq!(verify.code(), if kind == "commit" { 3 } else { 1 }, "{what}");
        let code = match kind {
            "commit" => "commit-missing",
            "record" => "record-missing com.example.note/n000040",
            _ => "node-missing",
        };
        let text = verify.text();
        assert!(text.contains(&format!("error {code} {cid}: ")), "{what}: {text}");
        let is_damaged = !matches!(how, "missing" | "wrong-key");
        let damaged = format!("error block-damaged {cid}: ");
        assert_eq!(text.contains(&damaged), is_damaged, "{what}: {text}");
        if kind == "record" {
            repo.pds(["get", "com.example.note/n000041"]).ok();
            assert_eq!(listed(repo).len(), NOTES, "{what}: it is listed, and cannot be read");
        }

        // Records outside that subtree can still be read.
        let mut read = 0;
        for n in (0..NOTES).step_by(9) {
            let get = repo.pds(["get", &format!("com.example.note/n{n:06}")]).ended();
            match get.code() {
                0 => read += 1,
                code => assert!(code == 3 && get.stderr.contains(cid), "{what}: {}", get.stderr),
            }
        }
        let hides_all = matches!(kind, "commit" | "root");
        assert!(read >= if hides_all { 0 } else { 6 }, "{what}: {read}");

        let survey = repo.pds(["repair"]).ended();
        assert_eq!(survey.code(), 1, "{what}: {}", survey.stderr);
        assert!(survey.text().contains(cid), "{what}: {}", survey.text());
        let good = repo.home.path("good.car");
        let plan = repo.pds(["repair", "--from", &good, "--dry-run"]).ended();
        assert!(plan.text().contains(&format!("found {cid} in ")), "{what}: {}", plan.text());
        assert_eq!((plan.code(), repo.pds(["verify"]).ended().text()), (1, text), "{what}");

        let mended = repo.pds(["repair", "--from", &good]).ok();
        assert!(mended.lines().last().unwrap().starts_with("ok: "), "{what}: {mended}");
        repo.assert_whole();
        assert_eq!(repo.pds(["export"]).ended().stdout, repo.home.read("good.car"), "{what}");
        assert_eq!(repo.home.dir().join("alice/quarantine").exists(), how != "missing", "{what}");
        assert!(repo.pds(["repair"]).ok().starts_with("ok: "), "{what}");
    });
}

#[test]
fn without_a_copy_exactly_what_was_harmed_is_lost_and_named() {
    let whole = listed(&TestRepo::with_many_notes(NOTES));
    each(|repo, kind, how, cid| {
        let what = format!("{kind} {how}");
        let ended = repo.pds(["repair", "--rebuild", "--json"]).ended();
        let answer: Value = serde_json::from_str(&ended.text()).unwrap();
        repo.assert_whole();
        let left = listed(repo);
        let gone: Vec<&String> = whole.difference(&left).collect();
        assert!(left.is_subset(&whole), "{what}");
        if how == "wrong-key" || kind == "commit" {
            assert!(gone.is_empty(), "{what}: {gone:?}");
            assert_eq!((ended.code(), &answer["ok"]), (0, &Value::Bool(true)), "{what} {answer}");
            return;
        }
        assert_eq!((ended.code(), &answer["ok"]), (6, &Value::Bool(false)), "{what} {answer}");
        assert!(!gone.is_empty() && gone.len() < NOTES / 2, "{what}: {gone:?}");
        let lost = answer["lost"].as_array().unwrap();
        assert!(lost.iter().all(|lost| lost["cid"] == cid), "{what} {answer}");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        for line in gone {
            let path = line.split('\t').next().unwrap().to_owned();
            let named = lost.iter().any(|lost| match text(&lost["path"]) {
                Some(lost) => lost == path,
                None => {
                    text(&lost["after"]).is_none_or(|after| after < path)
                        && text(&lost["before"]).is_none_or(|before| path < before)
                }
            });
            assert!(named, "{what}: {path} {answer}");
        }
        assert_eq!(answer["commit"]["cid"], repo.head().0.as_str(), "{what}");
    });
}

#[test]
fn losses_are_reported_in_words() {
    let repo = TestRepo::with_notes();
    let record = repo.json(["get", "com.example.note/b"])["cid"].as_str().unwrap().to_owned();
    damage(&repo, &record);
    let survey = repo.pds(["repair"]).ended();
    assert_eq!(survey.code(), 1);
    assert_eq!(
        masked(&survey.text()),
        format!(
            "damaged <cid 1>: the bytes hash to {}\n\
             lost com.example.note/b of HEAD: <cid 1>\n\
             FAILED: 13 blocks, 1 damaged, 0 found, 1 lost\n",
            survey.text().lines().next().unwrap().rsplit(' ').next().unwrap()
        )
    );
    assert!(survey.stderr.starts_with("nothing was changed; --here repairs "), "{}", survey.stderr);
    let rebuilt = repo.pds(["repair", "--rebuild"]).ended();
    assert_eq!((rebuilt.code(), &*rebuilt.stderr), (6, ""));
    let text = rebuilt.text();
    let last = masked(text.lines().last().unwrap());
    assert_eq!(
        last,
        "partly repaired: 13 blocks, 1 damaged, 0 found, 1 lost; 0 added, 1 quarantined; \
         new commit <cid 1> rev <tid 1> with 2 records"
    );
    repo.assert_whole();
    assert_eq!(repo.home.list("alice/quarantine"), [record]);
    // The state with the loss is a past state now.
    let survey = repo.pds(["repair"]).ok();
    assert!(survey.starts_with("lost com.example.note/b of commit "), "{survey}");
    assert!(
        survey.ends_with("ok: 15 blocks, 0 damaged, 0 found, 0 lost, 1 lost from past states\n"),
        "{survey}"
    );
}

#[test]
fn other_repositories_and_damaged_files_are_sources_too() {
    let repo = TestRepo::with_many_notes(NOTES);
    let good = repo.export("good.car");
    repo.home.pds(["clone", &good, "copy"]).ended().done();
    let (root, record) = (pick(&repo, "root"), pick(&repo, "record"));
    for cid in [&root, &record] {
        harm(&repo, cid, "missing");
    }
    // Without its first bytes it is not a CAR file, but it has all missing blocks.
    let cut = repo.home.read("good.car").split_off(70);
    let cut = repo.home.write("cut.car", cut);
    let mended = repo.pds(["repair", "--from", &cut]).ended();
    assert_eq!(mended.code(), 0, "{}{}", mended.text(), mended.stderr);
    repo.assert_whole();
    for cid in [&root, &record] {
        harm(&repo, cid, "flipped");
    }
    let copy = repo.home.path("copy");
    repo.pds(["repair", "--from", &copy]).ok();
    repo.assert_whole();
    // A block under a wrong name is found.
    harm(&repo, &record, "wrong-key");
    assert_eq!(repo.pds(["repair"]).ended().code(), 1);
    repo.home.pds(["repair", "--from", "."]).within(repo.home.dir().join("alice")).ok();
    repo.assert_whole();
}

#[test]
fn a_mirror_is_not_rebuilt_and_nothing_changes_without_a_key() {
    let repo = TestRepo::with_many_notes(NOTES);
    let good = repo.export("good.car");
    repo.home.pds(["clone", &good, "mirror"]).ended().done();
    let said = repo.home.pds(["-R", "mirror", "repair", "--rebuild"]).fails(1);
    assert!(said.contains("no signing key") && said.contains("pds key import"), "{said}");
    let said = repo.home.pds(["-R", &good, "repair"]).fails(2);
    assert!(said.contains("pds recover"), "{said}");
    let said = repo.home.pds(["-R", "nowhere", "repair"]).fails(3);
    assert!(said.contains("no repository in nowhere"), "{said}");
    let said = repo.pds(["repair", "--from", "nowhere.car"]).fails(3);
    assert!(said.contains("no file nowhere.car"), "{said}");
    repo.home.write("empty.car", "");
    let empty = repo.pds(["repair", "--from", &repo.home.path("empty.car")]).fails(3);
    assert!(empty.contains(" is empty"), "{empty}");
}

#[test]
fn a_page_of_the_database_that_is_gone_is_made_up_for() {
    let repo = TestRepo::with_many_notes(300);
    let good = repo.export("good.car");
    let whole = repo.home.read("alice/pds.db");
    let mut pages = [0, 0];
    for page in 0..whole.len() / PAGE_BYTES {
        let mut store = whole.clone();
        store[page * PAGE_BYTES..][..PAGE_BYTES].fill(0);
        repo.home.write("alice/pds.db", store);
        let before = repo.pds(["repair"]).ended();
        let after = repo.pds(["repair", "--from", &good]).ended();
        assert_eq!(before.code(), 1, "{page}: {}{}", before.text(), before.stderr);
        assert!(before.text().starts_with("database: "), "{page}: {}", before.text());
        assert_mended(&after, page);
        pages[usize::from(after.code() == 0)] += 1;
        repo.assert_whole();
        assert_eq!(repo.pds(["export"]).ended().stdout, repo.home.read("good.car"), "{page}");
        assert!(repo.home.list("alice").iter().all(|name| !name.starts_with(".pds")), "{page}");
    }
    // The first page leads to all tables; the missing blocks are known.
    assert!(pages[0] >= 3 && pages[1] > pages[0], "{pages:?}");
}

/// For any damage of the file, each verb names the next step, and the last step works.
#[test]
fn a_file_that_was_cut_emptied_or_overwritten_has_a_way_out() {
    let repo = TestRepo::with_many_notes(300);
    let good = repo.export("good.car");
    let whole = repo.home.read("alice/pds.db");
    let cut = |len: usize| whole[..len].to_vec();
    let mut overwritten = whole.clone();
    overwritten[..PAGE_BYTES].fill(b'x');
    let files = [
        ("most", cut(whole.len() * 4 / 5)),
        ("all but a page", cut(whole.len() - PAGE_BYTES)),
        ("one page", cut(PAGE_BYTES)),
        ("some bytes", cut(50)),
        ("nothing", Vec::new()),
        ("overwritten", overwritten),
        ("zeros", vec![0; whole.len()]),
        ("text", b"not a database\n".repeat(1_000)),
    ];
    for (what, file) in files {
        repo.home.write("alice/pds.db", &file);
        for args in [&["verify"][..], &["ls"], &["log"], &["put", "com.example.note/x"]] {
            let said = repo.pds(args.iter().copied()).stdin("{}").fails(3);
            assert!(
                said.ends_with("hint: pds repair lists the damage and what can be repaired\n"),
                "{what}: {said}"
            );
        }
        let survey = repo.pds(["repair"]).ended();
        if survey.code() == 3 {
            assert!(
                survey.stderr.contains("no block in the file can be read"),
                "{what}: {survey:?}"
            );
            assert!(
                survey.stderr.contains("hint: start over from a copy: pds clone COPY.car NEWDIR, "),
                "{what}"
            );
            assert_eq!(repo.pds(["repair", "--from", &good]).ended().code(), 3, "{what}");
            assert_eq!(repo.home.read("alice/pds.db"), file, "{what}: it is as it was");
            let _ = std::fs::remove_dir_all(repo.home.dir().join("new"));
            repo.home.pds(["clone", &good, "new"]).ended().done();
            repo.home.pds(["-R", "new", "key", "import", "alice/key"]).ok();
            repo.home.pds(["-R", "new", "put", "com.example.note/x"]).stdin("{}").ok();
            repo.home.pds(["-R", "new", "verify"]).ok();
        } else {
            assert_eq!(survey.code(), 1, "{what}: {survey:?}");
            assert!(survey.stderr.contains("--here repairs"), "{what}: {survey:?}");
            let mended = repo.pds(["repair", "--from", &good]).ended();
            assert_mended(&mended, what);
            repo.assert_whole();
            let export = repo.pds(["export"]).ended().stdout;
            assert_eq!(export, repo.home.read("good.car"), "{what}");
        }
        let is_lost = !matches!(what, "most" | "all but a page" | "overwritten");
        assert_eq!(survey.code() == 3, is_lost, "{what}: {survey:?}");
    }
}

#[test]
fn a_block_that_is_stored_twice_is_noticed_and_then_stored_once() {
    let repo = TestRepo::with_many_notes(NOTES);
    let (record, root) = (pick(&repo, "record"), pick(&repo, "root"));
    let twice = "INSERT INTO blocks (cid, bytes) SELECT cid, bytes FROM blocks WHERE cid = ?1";
    let sql = sql(&repo);
    for cid in [&record, &root] {
        let name = cid.parse::<Cid>().unwrap().as_bytes().to_vec();
        assert_eq!(sql.execute(twice, [name]).unwrap(), 1);
    }
    drop(sql);
    // The check of the present state finds the sound one of the two.
    repo.assert_whole();
    let verify = repo.pds(["verify", "--history"]).ended();
    let said = "error store-damaged: the database is damaged: 2 blocks are stored more than once\n";
    assert!(verify.code() == 1 && verify.text().contains(said), "{verify:?}");
    let survey = repo.pds(["repair"]).ended();
    let said = "database: 2 blocks are stored more than once\n";
    assert!(survey.code() == 1 && survey.text().starts_with(said), "{survey:?}");
    repo.pds(["repair", "--here"]).ok();
    repo.assert_whole();
    assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
}

#[cfg(unix)]
#[test]
fn a_database_that_is_a_link_is_mended_where_it_is() {
    let repo = TestRepo::with_many_notes(NOTES);
    let home = repo.home.dir();
    std::fs::create_dir(home.join("linked")).unwrap();
    std::os::unix::fs::symlink("../alice/pds.db", home.join("linked/pds.db")).unwrap();
    let mut file = repo.home.read("alice/pds.db");
    file[..PAGE_BYTES].fill(1);
    repo.home.write("alice/pds.db", &file);
    assert_mended(&repo.home.pds(["-R", "linked", "repair", "--here"]).ended(), "linked");
    assert!(home.join("linked/pds.db").is_symlink());
    assert_eq!(repo.home.read("linked/quarantine/pds.db.damaged"), file);
    repo.assert_whole();
    assert_eq!(repo.home.list("alice"), ["key", "pds.db"]);
}

#[test]
fn where_the_database_is_gone_the_key_is_not_forgotten() {
    let repo = TestRepo::with_notes();
    std::fs::remove_file(repo.home.dir().join("alice/pds.db")).unwrap();
    for args in [&["verify"][..], &["repair"], &["ls"]] {
        let said = repo.pds(args.iter().copied()).fails(3);
        assert!(
            said.contains(
                "no repository in alice\nhint: start over from a copy: pds clone COPY.car NEWDIR, "
            ),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_is_no_database_stays_as_it_is() {
    let repo = TestRepo::new();
    repo.pds(["apply"]).stdin(creations(0..3)).ok();
    let good = repo.export("good.car");
    repo.home.write("alice/pds.db", "not a database\n".repeat(1_000));
    let said = repo.pds(["repair", "--from", &good]).fails(3);
    assert!(said.contains("no block in the file can be read"), "{said}");
    assert_eq!(repo.home.read("alice/pds.db").len(), 15_000);
    assert_eq!(repo.home.list("alice"), ["key", "pds.db"], "{DID}");
}
