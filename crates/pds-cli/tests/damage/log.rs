//! A log that cannot be read in full: refs do not move, and the lost rows are reported.

use std::fs;

use serde_json::Value;

use super::PAGE_BYTES;
use super::history::lose;
use super::rows::{set_ref, sql};
use crate::common::{Home, TestRepo, creations};

/// Where the page of the database begins that a table, or what finds its rows, starts at.
fn root_of(repo: &TestRepo, name: &str) -> usize {
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = sql(repo).query_row(page, [name], |row| row.get(0)).unwrap();
    (page as usize - 1) * PAGE_BYTES
}

fn last_page_of_the_log(repo: &TestRepo) -> usize {
    let (page, file) = (root_of(repo, "log"), repo.home.read("alice/pds.db"));
    assert_eq!(file[page], 5, "the log has several pages");
    let last: [u8; 4] = file[page + 8..][..4].try_into().unwrap();
    (u32::from_be_bytes(last) - 1) as usize * PAGE_BYTES
}

fn two_bytes(file: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([file[at], file[at + 1]]))
}

/// Flips a bit of the number of the newest row of a log that is one page.
fn flip_newest_row(repo: &TestRepo) {
    let newest: u8 = sql(repo).query_row("SELECT max(seq) FROM log", [], |r| r.get(0)).unwrap();
    let (page, mut file) = (root_of(repo, "log"), repo.home.read("alice/pds.db"));
    assert_eq!(file[page], 13, "a leaf");
    let rows = two_bytes(&file, page + 3);
    let mut at = page + two_bytes(&file, page + 6 + 2 * rows);
    while file[at] & 0x80 != 0 {
        at += 1;
    }
    assert_eq!(file[at + 1], newest);
    file[at + 1] ^= 4;
    repo.home.write("alice/pds.db", file);
}

/// Makes a page read as zeros.
fn zero(repo: &TestRepo, page: usize) {
    let mut file = repo.home.read("alice/pds.db");
    file[page..][..PAGE_BYTES].fill(0);
    repo.home.write("alice/pds.db", file);
}

/// Cuts the database to some per cent of its length.
fn cut(repo: &TestRepo, whole: &[u8], per_cent: usize) {
    let pages = whole.len() / PAGE_BYTES * per_cent / 100;
    repo.home.write("alice/pds.db", &whole[..pages * PAGE_BYTES]);
}

/// Many commits of a record each, so that the log has several pages.
fn with_many_commits() -> TestRepo {
    let repo = TestRepo::new();
    repo.pds(["apply", "--batch", "1"]).stdin(creations(0..COMMITS)).ok();
    repo
}

fn records(repo: &TestRepo) -> usize {
    repo.pds(["ls", "--all"]).ok().lines().count()
}

fn notes(repo: &TestRepo) -> Vec<String> {
    // A loss in a past state is reported at its row.
    let lines = repo.pds(["reflog"]).ended().text();
    // The message, or else the event.
    let note = |line: &str| line.trim_end().rsplit('\t').next().unwrap().to_owned();
    lines.lines().map(note).collect()
}

/// Checks that the log is found damaged. The present state needs the newest row of it, and no other.
fn assert_found(repo: &TestRepo, is_present_whole: bool) {
    let verify = repo.pds(["verify"]).ended();
    assert_eq!(verify.code(), if is_present_whole { 0 } else { 3 }, "{}", verify.text());
    let history = repo.pds(["verify", "--history"]).ended();
    assert_eq!(history.code(), if is_present_whole { 1 } else { 3 }, "{}", history.text());
    assert!(history.text().starts_with("error store-damaged: "), "{}", history.text());
    assert_eq!(history.stderr, "pds repair lists the damage and what can be repaired\n");
}

const COMMITS: usize = 150;

#[test]
fn a_bit_of_the_log_moves_no_ref() {
    let repo = TestRepo::with_notes();
    let refs = repo.json_lines(["ref", "ls"]);
    flip_newest_row(&repo);
    assert_found(&repo, true);
    let said = "the log could not be read in full: 3 rows recovered; \
                states that only the log named may be lost\n";
    let survey = repo.pds(["repair"]).ended();
    assert!(survey.code() == 1 && survey.text().contains(said), "{survey:?}");
    let mended = repo.pds(["repair", "--here"]).ended();
    assert!(mended.code() == 6 && mended.text().contains(said), "{mended:?}");
    assert!(mended.text().contains("\npartly repaired: "), "{mended:?}");
    assert_eq!(repo.json_lines(["ref", "ls"]), refs);
    assert_eq!(notes(&repo), ["repair", "put", "put", "init"]);
    repo.pds(["verify", "--history"]).ok();
    repo.pds(["gc"]).ok();
    assert_eq!(records(&repo), 3);
    assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
    let after = repo.pds(["repair", "--here"]).ok();
    assert!(after.starts_with("ok: ") && notes(&repo).len() == 4, "once is enough: {after}");
}

#[test]
fn a_ref_that_was_removed_stays_so_where_the_log_has_lost_its_removal() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    repo.pds(["ref", "rm", "side"]).ok();
    let refs = repo.json_lines(["ref", "ls"]);
    flip_newest_row(&repo);
    assert_eq!(repo.pds(["repair", "--here"]).ended().code(), 6);
    assert_eq!((repo.json_lines(["ref", "ls"]), refs.len()), (refs, 1));
    repo.pds(["verify", "--history"]).ok();
    assert!(repo.pds(["repair", "--here"]).ok().starts_with("ok: "));
}

#[test]
fn a_page_of_the_log_that_is_gone_costs_no_commit() {
    let repo = with_many_commits();
    let (head, good) = (repo.head(), repo.export("good.car"));
    let (last, file) = (last_page_of_the_log(&repo), repo.home.read("alice/pds.db"));
    for how in [&["--here"][..], &["--from", &good]] {
        repo.home.write("alice/pds.db", &file);
        zero(&repo, last);
        assert_found(&repo, false);
        let ended = repo.pds(["repair"].into_iter().chain(how.iter().copied())).ended();
        assert!(ended.code() == 6 && ended.text().contains("the log could not be"), "{ended:?}");
        assert_eq!((repo.head(), records(&repo)), (head.clone(), COMMITS), "{how:?}");
        repo.pds(["verify", "--history"]).ok();
        repo.pds(["gc"]).ok();
        assert_eq!((repo.head(), records(&repo)), (head.clone(), COMMITS), "{how:?}");
    }
}

#[test]
fn of_a_database_that_was_cut_a_copy_of_the_present_brings_back_all_of_it() {
    let repo = with_many_commits();
    let (head, good) = (repo.head(), repo.export("good.car"));
    let whole = repo.home.read("alice/pds.db");
    for per_cent in [90, 70, 50, 30] {
        cut(&repo, &whole, per_cent);
        let ended = repo.pds(["repair", "--from", &good, "--json"]).ended();
        let answer: Value = serde_json::from_str(&ended.text()).unwrap();
        let has_lost = answer["unread"].as_array().unwrap().contains(&Value::from("log"));
        let expected = if has_lost { (6, false) } else { (0, true) };
        assert_eq!((ended.code(), answer["ok"] == true), expected, "{per_cent}: {answer}");
        assert!(has_lost || per_cent > 70, "{per_cent}: {answer}");
        assert_eq!((repo.head(), records(&repo)), (head.clone(), COMMITS), "{per_cent}");
        repo.assert_whole();
        assert!(repo.pds(["repair", "--from", &good]).ok().contains("ok: "), "{per_cent}");
    }
    // The whole log is lost: a new one begins, and the rest is sound.
    assert_eq!(notes(&repo), ["repair"]);
    let history = repo.pds(["verify", "--history"]).ok();
    assert!(history.starts_with("note history-begins "), "{history}");
}

#[test]
fn head_waits_for_a_copy_where_its_commit_and_the_log_are_lost() {
    let repo = with_many_commits();
    let (head, good) = (repo.head().0, repo.export("good.car"));
    lose(&repo, &head);
    zero(&repo, last_page_of_the_log(&repo));
    let lost = format!("\nlost the commit of HEAD: {head}\n");
    for code in [6, 1] {
        let ended = repo.pds(["repair", "--here"]).ended();
        assert_eq!(ended.code(), code, "{ended:?}");
        assert!(format!("\n{}", ended.text()).contains(&lost), "{ended:?}");
        assert!(repo.pds(["ref", "ls"]).ok().contains(&head));
    }
    let damaged = repo.home.dir().join("damaged");
    fs::create_dir(&damaged).unwrap();
    for name in ["key", "pds.db"] {
        fs::copy(repo.home.dir().join("alice").join(name), damaged.join(name)).unwrap();
    }
    let found = repo.pds(["repair", "--from", &good]).ok();
    assert!(found.contains(&format!("found {head} in ")), "{found}");
    assert_eq!((repo.head().0, records(&repo)), (head.clone(), COMMITS));
    repo.assert_whole();
    assert_eq!(notes(&repo)[0], "repair");
    // Without a commit, its stored tree is signed again.
    let rebuilt = repo.home.pds(["-R", "damaged", "repair", "--rebuild"]).ok();
    assert!(rebuilt.contains(&format!("lost the commit of past states: {head}\n")), "{rebuilt}");
    assert!(rebuilt.ends_with(&format!(" with {COMMITS} records\n")), "{rebuilt}");
    repo.home.pds(["-R", "damaged", "verify"]).ok();
}

#[test]
fn a_ref_that_only_the_log_names_is_listed() {
    let repo = TestRepo::with_notes();
    let head = repo.head().0;
    zero(&repo, root_of(&repo, "refs"));
    let survey = repo.pds(["repair"]).ended();
    let said = format!("ref HEAD is missing; in the log it points to {head}\n");
    assert!(survey.code() == 1 && survey.text().contains(&said), "{survey:?}");
    let answer = repo.json(["repair", "--here"]);
    assert_eq!(answer["refs"][0]["name"], "HEAD", "{answer}");
    assert_eq!(answer["refs"][0]["cid"], head.as_str(), "{answer}");
    assert_eq!((&answer["refsSet"], &answer["unread"]), (&1.into(), &Value::from([""; 0])));
    assert_eq!(repo.head().0, head);
    repo.assert_whole();
}

#[test]
fn head_that_is_gone_with_the_end_of_the_log_goes_back_and_a_copy_takes_it_forward() {
    let repo = with_many_commits();
    let ((head, _), good) = (repo.head(), repo.export("good.car"));
    let last = last_page_of_the_log(&repo);
    zero(&repo, root_of(&repo, "refs"));
    zero(&repo, last);
    let mended = repo.pds(["repair", "--from", &good]).ended();
    let text = mended.text();
    assert!(mended.code() == 6 && text.contains("\nref HEAD is missing; in the log it "), "{text}");
    assert!(text.contains("; newer states may be lost\n"), "{text}");
    assert!(mended.stderr.contains("pds import COPY.car imports it"), "{}", mended.stderr);
    assert_eq!(notes(&repo)[0], "repair");
    repo.pds(["verify", "--history"]).ok();
    assert!(records(&repo) < COMMITS);
    repo.pds(["import", &good]).ok();
    assert_eq!((repo.head().0, records(&repo)), (head, COMMITS));
    repo.assert_whole();
}

#[test]
fn possible_losses_with_the_log_and_the_refs_are_reported() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "draft", "HEAD~1"]).ok();
    for table in ["refs", "log"] {
        zero(&repo, root_of(&repo, table));
    }
    for (how, code) in [(&[][..], 1), (&["--here"], 6)] {
        let ended = repo.pds(["repair"].into_iter().chain(how.iter().copied())).ended();
        let text = ended.text();
        assert_eq!(ended.code(), code, "{ended:?}");
        for said in [
            "the log could not be read in full: 0 rows recovered; newer states may be lost\n",
            "the refs could not be read in full: 0 refs recovered; other refs may be lost\n",
            "ref HEAD is missing; the newest stored commit is ",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("\nok: "), "{text}");
    }
    assert_eq!(notes(&repo), ["repair"]);
    repo.pds(["verify", "--history"]).ok();
    let said = repo.pds(["repair"]).ok();
    assert!(said.starts_with("ok: ") && records(&repo) == 3, "{said}");
}

#[test]
fn a_lost_log_is_said_whatever_the_ref_is_found_at() {
    // A row that was found where nothing leads to it, and may be an old one: the later state counts.
    let repo = TestRepo::with_notes();
    let commits = repo.json_lines(["log"]);
    let older = commits[1]["cid"].as_str().unwrap();
    let head = repo.head().0;
    set_ref(&repo, "HEAD", older);
    let mut file = repo.home.read("alice/pds.db");
    file[..PAGE_BYTES].fill(0);
    repo.home.write("alice/pds.db", file);
    let mended = repo.pds(["repair", "--here"]).ended();
    let said = format!("ref HEAD points to {older}; in the log it points to {head}\n");
    assert!(mended.code() == 6 && mended.text().contains(&said), "{mended:?}");
    assert!(mended.text().contains("the log could not be read in full: 4 rows"), "{mended:?}");
    assert_eq!(repo.head().0, head);
    repo.pds(["verify", "--history"]).ok();
}

#[test]
fn that_blobs_are_not_looked_at_is_said() {
    let help = Home::new().pds(["repair", "--help"]).ok();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Blobs are not checked: see `pds verify --blobs`"), "{help}");
}
