//! The screens of verbs that read.

use super::{Screen, masked_screen};
use crate::common::TestRepo;

/// A repository with two posts; one has a hostile text.
fn posts() -> TestRepo {
    let repo = TestRepo::new();
    for (rkey, record) in [
        (
            "3jzfcijpj2z2a",
            "{\"text\":\"Low water at 15:30, and the ledge below the light was bare for the first time\",\
              \"createdAt\":\"2024-03-02T09:12:40Z\"}",
        ),
        (
            "3k2aexample2b",
            "{\"text\":\"潮だまりの写真\\nをありがとう \\u202egpj.tsoc\\u001b[2J\",\"createdAt\":\"2023-11-24T16:47:00Z\",\
              \"langs\":[\"ja\",\"en\"]}",
        ),
    ] {
        repo.pds(["put", &format!("app.bsky.feed.post/{rkey}")]).stdin(record).ok();
    }
    repo.pds(["put", "app.bsky.actor.profile/self"]).stdin("{\"displayName\":\"Mara\"}").ok();
    repo
}

#[test]
fn lists_have_aligned_columns_and_their_texts_are_cut() {
    let repo = posts();
    let show = |columns: usize, line: &str| Screen::plain(columns).of(&repo.home, line);
    let Some(collections) = show(80, "pds -R alice ls") else { return };
    assert_eq!(
        collections,
        "app.bsky.actor.profile  1\napp.bsky.feed.post      2\n\n3 records in 2 collections\n"
    );
    let line = "pds -R alice ls app.bsky.feed.post";
    assert_eq!(
        masked_screen(&show(80, line).unwrap()),
        "3jzfcijpj2z2a  <cid-->  2 Mar 2024        Low water at 15:30, and the ledge be…\n\
         3k2aexample2b  <cid-->  24 Nov 2023       潮だまりの写真⏎をありがとう <U+202E>…\n"
    );
    // A narrow terminal leaves out the time, and then the CID.
    assert_eq!(
        masked_screen(&show(50, line).unwrap()),
        "3jzfcijpj2z2a  <cid-->  Low water at 15:30, and …\n\
         3k2aexample2b  <cid-->  潮だまりの写真⏎をありが…\n"
    );
    assert_eq!(
        show(30, line).unwrap(),
        "3jzfcijpj2z2a  Low water at 1…\n3k2aexample2b  潮だまりの写真…\n"
    );
    let csv = show(80, "pds -R alice export --format csv -c app.bsky.feed.post").unwrap();
    assert!(!csv.contains("u000d") && !csv.contains('\r'), "{csv}");
    assert!(csv.contains("\\u202egpj.tsoc\\u001b[2J") && !csv.contains('\x1b'), "{csv}");
    let utc = show(120, &format!("{line} --utc --limit 1")).unwrap();
    assert!(utc.contains("  2024-03-02T09:12:40Z  Low water"), "{utc}");
}

#[test]
fn a_filter_that_matches_nothing_is_named() {
    let repo = TestRepo::with_notes();
    let show = |line: &str| Screen::plain(80).of(&repo.home, &format!("{line}; echo code $?"));
    let never = "com.example.never";
    let absent = format!("no records in {never}\ncode 0\n");
    let Some(text) = show(&format!("pds -R alice ls {never}")) else { return };
    assert_eq!(text, absent);
    for line in
        ["export --format ndjson -c", "export --format csv -o /dev/null -c", "diff HEAD~1 HEAD"]
    {
        let text = show(&format!("pds -R alice {line} {never}")).unwrap();
        assert!(text.contains(&absent[..absent.len() - 7]) && text.ends_with("code 0\n"), "{text}");
    }
    assert_eq!(
        show(&format!("pds -R alice log {never}")).unwrap(),
        format!("no commit that changed {never} was found\ncode 0\n")
    );
    assert_eq!(
        show("pds -R alice diff HEAD~1 HEAD com.example.note/zz").unwrap(),
        "no record com.example.note/zz\ncode 0\n"
    );
    // In a pipe, the listing is empty. A name that is no NSID is an error everywhere.
    for line in [
        &["ls"][..],
        &["export", "--format", "ndjson", "-c"],
        &["diff", "HEAD~1", "HEAD"],
        &["log", "--"],
    ] {
        let ended = repo.pds(line.iter().copied().chain([never])).ended();
        assert_eq!((ended.code(), &*ended.text(), &*ended.stderr), (0, "", ""), "{line:?}");
        repo.pds(line.iter().copied().chain(["com_example"])).fails(2);
    }
}

#[test]
fn a_record_is_json_and_nothing_else() {
    let repo = posts();
    let line = "pds -R alice get app.bsky.feed.post/3k2aexample2b";
    let Some(text) = Screen::plain(80).of(&repo.home, line) else { return };
    assert_eq!(
        text,
        "{\n  \"$type\": \"app.bsky.feed.post\",\n  \"createdAt\": \"2023-11-24T16:47:00Z\",\n  \
         \"langs\": [\"ja\", \"en\"],\n  \
         \"text\": \"潮だまりの写真\\nをありがとう \\u202egpj.tsoc\\u001b[2J\"\n}\n"
    );
    let coloured = Screen { columns: 80, settings: "PDS_PAGER=cat" }.of(&repo.home, line).unwrap();
    assert!(coloured.contains("\x1b[2m\"langs\"\x1b[0m: [\"ja\", \"en\"]"), "{coloured:?}");
}

#[test]
fn a_check_says_what_is_valid_and_what_is_not() {
    let repo = posts();
    repo.export("whole.car");
    let bytes = repo.home.read("whole.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 40]);
    let show = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(valid) = show("pds -R alice verify") else { return };
    let lines: Vec<&str> = valid.lines().collect();
    assert!(lines[0].starts_with("✓ valid   did:web:alice.example.com at 3"), "{valid}");
    assert!(lines[1].starts_with("  3 records, ") && lines[1].ends_with(" s"), "{valid}");
    assert!(lines[2].starts_with("  signature valid, did:key:z"), "{valid}");
    let cut = masked_screen(&show("pds verify cut.car").unwrap());
    assert!(cut.starts_with("✗ error    car-"), "{cut}");
    assert!(cut.contains("\n✗ not valid   did:web:alice.example.com at <rev--------->\n"), "{cut}");
    assert!(!cut.contains("bafyrei"), "{cut}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let repo = posts();
    repo.put("b", "b");
    repo.export("whole.car");
    let bytes = repo.home.read("whole.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 40]);
    for columns in [80, 120] {
        for line in [
            "pds -R alice ls --all",
            "pds -R alice ls -l app.bsky.feed.post",
            "pds -R alice info",
            "pds -R alice mst",
            "pds -R alice ref ls",
            "pds -R alice gc",
            "pds -R alice repair",
            "pds -R alice merge HEAD~1",
            "pds -R alice revert HEAD",
            "pds -R alice reset HEAD~1",
            "pds verify cut.car",
            "pds recover cut.car",
            "pds -R alice import cut.car",
            "pds -R alice import whole.car --force",
            "pds -R nowhere ls",
            "pds -R alice get com.example.note/nowhere",
        ] {
            let Some(text) = Screen::plain(columns).of(&repo.home, line) else { return };
            assert!(!text.trim().is_empty(), "{line}");
            assert_fits(&text, columns, line);
        }
    }
}

#[track_caller]
fn assert_fits(text: &str, columns: usize, line: &str) {
    for shown in text.lines() {
        let width = unicode_width::UnicodeWidthStr::width(shown);
        assert!(width <= columns, "{line} at {columns}: {shown:?}");
        assert_eq!(shown.trim_end(), shown, "{line}");
    }
}

#[test]
fn no_line_of_a_narrow_terminal_wraps() {
    let repo = posts();
    repo.export("whole.car");
    repo.put("a", "a");
    repo.export("later.car");
    let bytes = repo.home.read("whole.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 40]);
    let dir = "a-directory-with-a-name-that-is-longer-than-the-terminal-has-columns";
    for columns in [50, 60] {
        for line in [
            "pds -R alice verify",
            "pds verify cut.car",
            "pds -R alice stats",
            "pds -R alice gc",
            "pds -R alice gc --keep 1 --dry-run",
            "pds -R alice repair",
            "pds -R alice forget com.example.note/a --dry-run",
            "pds -R alice forget com.example.note/a",
            &format!("pds clone whole.car {columns}-{dir}"),
            &format!("pds -R {columns}-{dir} import later.car"),
            &format!("pds clone alice {columns}-copy-in-{dir}"),
            &format!("pds -R alice import {columns}-{dir}"),
            &format!("pds init {columns}-new-{dir} --did did:plc:zc3maypileo75kv67w5nptnm"),
        ] {
            let Some(text) = Screen::plain(columns).of(&repo.home, line) else { return };
            assert!(!text.trim().is_empty(), "{line}");
            let lines = text.lines().filter(|line| !line.starts_with("Type the number"));
            assert_fits(&lines.collect::<Vec<_>>().join("\n"), columns, line);
        }
    }
    // A broken line ends before a fact.
    let valid = Screen::plain(50).of(&repo.home, "pds -R alice verify").unwrap();
    assert!(valid.starts_with("✓ valid"), "{valid}");
    let facts = valid.lines().find(|line| line.contains("4 records, ")).unwrap();
    assert!(facts.ends_with(" blocks · complete"), "{valid}");
}

#[test]
fn hints_and_results_fit_the_terminal() {
    let repo = TestRepo::with_notes();
    let name = "ab".repeat(70);
    let profile = format!("{{\"displayName\":\"{name}\"}}");
    repo.pds(["put", "app.bsky.actor.profile/self"]).stdin(profile).ok();
    let blob = "bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka";
    let record = format!(
        "{{\"image\":{{\"$type\":\"blob\",\"mimeType\":\"image/png\",\"ref\":{{\"$link\":\"{blob}\"}},\"size\":9}}}}"
    );
    repo.pds(["put", "com.example.note/image", "--allow-missing-blobs"]).stdin(record).ok();
    let show = |columns: usize, line: &str| {
        let text = Screen::plain(columns).of(&repo.home, line)?;
        assert_fits(&text, columns, line);
        Some(text)
    };
    let Some(info) = show(80, "pds -R alice info") else { return };
    assert!(info.starts_with(&format!("{}…\n", &name[..79])), "{info}");
    let missing = show(80, "pds -R alice blob missing").unwrap();
    assert!(missing.contains("\nhint: pds blob put FILE adds one;"), "{missing}");
    let init = show(80, "pds init new --did did:web:new.example.com").unwrap();
    assert!(
        init.ends_with("\nhint: back up new/key: without it, no commit can be signed\n"),
        "{init}"
    );
    let forgotten = show(80, "pds -R alice forget com.example.note/b --yes").unwrap();
    assert!(
        masked_screen(&forgotten).contains("\n  HEAD is <rev---------> · no file"),
        "{forgotten}"
    );
    assert!(!forgotten.contains("bafyrei"), "{forgotten}");
    let head = repo.json(["info"])["data"].as_str().unwrap().to_owned();
    let head = head.parse::<pds::data::Cid>().unwrap();
    let store = rusqlite::Connection::open(repo.home.path("alice/pds.db")).unwrap();
    store.execute("DELETE FROM blocks WHERE cid = ?1", [head.as_bytes().as_slice()]).unwrap();
    drop(store);
    let repair = show(80, "pds -R alice repair").unwrap();
    assert!(repair.contains("Options, best first:"), "{repair}");
}

#[test]
fn a_finding_names_its_block_its_place_and_the_next_step() {
    let repo = posts();
    repo.export("whole.car");
    let mut bytes = repo.home.read("whole.car");
    let at = bytes.windows(9).position(|part| part == b"Low water").unwrap();
    bytes[at] = b'l';
    repo.home.write("harmed.car", &bytes);
    let show = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(harmed) = show("pds verify harmed.car") else { return };
    let mut lines = harmed.lines();
    let block = lines.next().unwrap().strip_prefix("✗ error    block-damaged      block ");
    let block = block.and_then(|block| block.strip_suffix(" (record)"));
    let block = block.unwrap_or_else(|| panic!("{harmed}"));
    let place = lines.next().unwrap();
    assert!(place.starts_with("           at byte "), "{harmed}");
    assert!(place.contains("the bytes hash to ") && !place.ends_with(block), "{harmed}");
    let counts = "\n  2 errors · 2 of 3 records readable · signature unchecked\n";
    assert!(harmed.contains(counts), "{harmed}");
    let hint = "\nhint: pds recover harmed.car reads what is left; see also pds help findings\n";
    assert!(harmed.ends_with(hint), "{harmed}");
    let unchecked = show("pds verify whole.car").unwrap();
    let hint = "\nhint: --did-doc FILE, --key KEY or --plc-log FILE checks the signature\n";
    assert!(unchecked.ends_with(hint), "{unchecked}");
    let key = "did:key:zQ3shjyJXUaRJC2GC43mX8aPrUhoTdoiongXhZjsdTzPKYZUM";
    let invalid = show(&format!("pds verify whole.car --key {key}")).unwrap();
    assert!(invalid.starts_with("✗ error    signature-invalid  commit "), "{invalid}");
    let verdict =
        "\n\n✗ not valid   the tree and all 3 records are intact; the signature is not\nhint: ";
    assert!(invalid.contains(verdict), "{invalid}");
    let hint = "\nhint: the key may have changed; try pds verify --plc-log FILE\n";
    assert!(invalid.ends_with(hint), "{invalid}");
}

#[test]
fn a_check_of_blobs_describes_those_that_are_missing() {
    let repo = posts();
    let cid = "bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka";
    let blob = format!(
        "{{\"$type\":\"blob\",\"mimeType\":\"image/jpeg\",\"ref\":{{\"$link\":\"{cid}\"}},\"size\":412000}}"
    );
    let record = format!("{{\"text\":\"a\",\"image\":{blob}}}");
    let put = ["put", "app.bsky.feed.post/3n2yd732ub72b", "--allow-missing-blobs"];
    repo.pds(put).stdin(record).ended().done();
    let stored = repo.home.write("blob", "hello");
    let stored = repo.pds(["blob", "put", &stored]).ok();
    repo.pds(["put", "com.example.note/b"]).stdin(format!("{{\"file\":{stored}}}")).ok();
    let show =
        |columns: usize| Screen::plain(columns).of(&repo.home, "pds -R alice verify --blobs");
    let Some(shown) = show(80) else { return };
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "✗ error    blob-missing       app.bsky.feed.post/3n2yd732ub72b",
            "           blob gfvlwsy4 (image/jpeg, 412 kB) is not stored",
        ]
    );
    assert_eq!(lines[4], "  1 error · 5 of 5 records readable · signature valid", "{shown}");
    assert_eq!(lines[5..], ["hint: pds blob missing lists what to fetch"], "{shown}");
    let narrow = show(50).unwrap();
    assert_fits(&narrow, 50, "verify --blobs");
    let removed = repo.pds(["rm", "app.bsky.feed.post/3n2yd732ub72b"]).ended();
    assert_eq!(removed.code(), 0);
    let valid = show(80).unwrap();
    assert!(valid.contains(" blocks, 1 blob · complete · "), "{valid}");
    assert_fits(&show(50).unwrap(), 50, "verify --blobs");
}

#[test]
fn a_long_list_never_cuts_a_number() {
    let repo = posts();
    let line = "pds -R alice ls -l app.bsky.feed.post";
    let Some(text) = Screen::plain(80).of(&repo.home, line) else { return };
    assert!(text.lines().all(|shown| shown.contains(" B  ")), "{text}");
    assert!(!text.contains("bafyrei"), "a whole CID leaves no room for the size: {text}");
    let wide = Screen::plain(120).of(&repo.home, line).unwrap();
    assert!(
        wide.lines().all(|shown| shown.contains(" B  ") && shown.contains("bafyrei")),
        "{wide}"
    );
}
