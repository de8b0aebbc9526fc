//! The screens of `log`, `reflog`, `show` and `diff`.

use super::{Screen, masked_screen};
use crate::common::TestRepo;

/// Posts and a follow. The last commit changes several of them.
fn posts() -> TestRepo {
    let repo = TestRepo::new();
    let put = |path: &str, json: &str| {
        repo.pds(["put", path]).stdin(json).ok();
    };
    put(
        "app.bsky.feed.post/3n3eee3rq3f2b",
        "{\"text\":\"Reminder for tomorrow: the survey starts at the car park.\",\"langs\":[\"en\"]}",
    );
    put(
        "app.bsky.graph.follow/3n3era7bifa2b",
        "{\"subject\":\"did:plc:zc3maypileo75kv67w5nptnm\"}",
    );
    let writes = "\
        {\"action\":\"update\",\"collection\":\"app.bsky.feed.post\",\"rkey\":\"3n3eee3rq3f2b\",\"value\":{\"text\":\
         \"Reminder for tomorrow: the survey starts at the slipway, not at the car park. Bring boots that you do not \
         love.\",\"langs\":[\"en\",\"de\"]}}\n\
        {\"action\":\"create\",\"collection\":\"app.bsky.feed.like\",\"rkey\":\"3n3ekjmsgwc2b\",\"value\":{\"subject\":\
         {\"uri\":\"at://did:plc:zc3maypileo75kv67w5nptnm/app.bsky.feed.post/3n3f24jgakn2b\"}}}\n\
        {\"action\":\"delete\",\"collection\":\"app.bsky.graph.follow\",\"rkey\":\"3n3era7bifa2b\"}\n";
    repo.pds(["apply"]).stdin(writes).ok();
    repo.pds(["ref", "set", "phone", "HEAD~1"]).ok();
    repo
}

fn shown(repo: &TestRepo, columns: usize, args: &str) -> Option<String> {
    let text = Screen::plain(columns).of(&repo.home, &format!("pds -R alice {args}"))?;
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= columns, "{args}: {line:?}");
        assert_eq!(line.trim_end(), line, "{args}");
    }
    Some(masked_screen(&text))
}

#[test]
fn a_log_has_two_lines_for_each_commit_or_one_wide_one() {
    let repo = posts();
    let Some(log) = shown(&repo, 80, "log") else { return };
    assert_eq!(
        log,
        "● <rev--------->  <cid-->  just now          +1 ~1 -1   HEAD\n\
         │ apply · 1 post, 1 like, 1 follow\n\
         ○ <rev--------->  <cid-->  just now          +1         phone\n\
         │ put · 1 follow\n\
         ○ <rev--------->  <cid-->  just now          +1\n\
         │ put · 1 post\n\
         ○ <rev--------->  <cid-->  just now          no change\n  \
           init\n"
    );
    assert_eq!(
        shown(&repo, 120, "log -n 2").unwrap(),
        "● <rev--------->  <cid-->  just now          +1 ~1 -1  HEAD   apply · 1 post, 1 like, 1 follow\n\
         ○ <rev--------->  <cid-->  just now          +1        phone  put · 1 follow\n"
    );
    assert_eq!(
        shown(&repo, 80, "log --oneline -n 2").unwrap(),
        "<cid--> +1 ~1 -1 apply  (HEAD)\n<cid--> +1 put  (phone)\n"
    );
    assert_eq!(
        shown(&repo, 80, "log app.bsky.feed.post/3n3eee3rq3f2b").unwrap(),
        "● <rev--------->  <cid-->  just now          ~ text, langs\n\
         ○ <rev--------->  <cid-->  just now          + added\n"
    );
    // A terminal without UTF-8 has the same words with other symbols.
    let plain = Screen { columns: 80, settings: "NO_COLOR=1 LANG=C LC_ALL=C" };
    let plain = plain.of(&repo.home, "pds -R alice log -n 1").unwrap();
    assert!(plain.starts_with("* 3") && plain.is_ascii(), "{plain}");
}

#[test]
fn moves_have_their_names_and_a_hint() {
    let repo = posts();
    let rev = repo.head().1;
    repo.pds(["reset", "HEAD~1"]).ok();
    let Some(text) = Screen::plain(80).of(&repo.home, "pds -R alice reflog -n 2") else { return };
    assert!(text.contains(&format!("  reset from {rev}\n")), "{text}");
    assert_eq!(
        masked_screen(&text),
        "@{0}  <rev--------->  <cid-->  just now          reset from <rev--------->\n\
         @{1}  <rev--------->  <cid-->  just now          apply\n\
         hint: undo the last move with pds reset '@{1}'\n"
    );
}

#[test]
fn differences_are_listed_by_collection() {
    let repo = posts();
    let Some(text) = shown(&repo, 80, "diff") else { return };
    let heading = |name: &str, counts: &str| format!("{name:72}{counts}\n");
    let expected = [
        heading("app.bsky.feed.like", "+1"),
        "+ <rev--------->  <cid-->             post of did:plc:zc3m…ptnm\n".to_owned(),
        heading("app.bsky.feed.post", "~1"),
        "~ <rev--------->  <cid--> → <cid-->  text, langs\n".to_owned(),
        heading("app.bsky.graph.follow", "-1"),
        "- <rev--------->  <cid-->             did:plc:zc3m…ptnm\n".to_owned(),
        "\n1 added, 1 changed, 1 deleted\n".to_owned(),
    ];
    assert_eq!(text, expected.concat());
    let wide = shown(&repo, 120, "diff app.bsky.feed.post").unwrap();
    assert!(
        wide.contains("  text, langs  Reminder for tomorrow: the survey starts at the slipway"),
        "{wide}"
    );
    assert_eq!(
        shown(&repo, 80, "diff -p app.bsky.feed.post").unwrap(),
        "~ app.bsky.feed.post/<rev--------->                       <cid--> → <cid-->\n  \
           text\n\
         -   \"Reminder for tomorrow: the survey starts at the [-car park-].\"\n\
         +   \"Reminder for tomorrow: the survey starts at the {+slipway, not at the\n\
         +    car park. Bring boots that you do not love+}.\"\n  \
           langs\n    \
             [\n      \
               \"en\"\n\
         +     \"de\"\n    \
             ]\n"
    );
    let coloured = Screen { columns: 80, settings: "PDS_PAGER=cat" }
        .of(&repo.home, "pds -R alice diff -p app.bsky.feed.post")
        .unwrap();
    assert!(coloured.contains("\u{1b}[4m") && !coloured.contains("{+"), "{coloured:?}");
    let stat = shown(&repo, 80, "diff --stat HEAD~2").unwrap();
    assert_eq!(
        stat,
        "                    added  changed  deleted    size\n\
         app.bsky.feed.like      1        0        0  +111 B  ++++++++++\n\
         app.bsky.feed.post      0        1        0   +57 B\n\n\
         1 added, 1 changed in 2 commits · 168 B more\n"
    );
}

#[test]
fn a_commit_is_shown_with_its_fields_and_changes() {
    let repo = posts();
    let key = repo.pds(["key", "show"]).ok();
    let (cid, _) = repo.head();
    let Some(text) = shown(&repo, 80, "show HEAD") else { return };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("commit    {cid}"));
    assert_eq!(lines[1], format!("rev       <rev--------->{:23}HEAD", ""));
    assert!(lines[2].starts_with("time      ") && lines[2].ends_with(", just now"), "{text}");
    assert!(lines[3].starts_with("data      bafyrei"), "{text}");
    assert_eq!(lines[4], format!("signature valid, {}", key.trim()));
    assert_eq!(lines[5..8], ["event     apply", "", lines[7]]);
    assert!(lines[7].starts_with("+ app.bsky.feed.like/<rev--------->"), "{text}");
    assert!(lines[8].ends_with("  <cid-->  Reminder for tomorrow: the sur…"), "{text}");
    assert_eq!(lines[10..], ["", "1 added, 1 changed, 1 deleted"]);
}

#[test]
fn the_clone_of_a_file_is_logged_with_its_name() {
    let repo = posts();
    repo.home.pds(["-R", "alice", "export", "-o", "backup-2025.car"]).ended().done();
    repo.home.pds(["clone", "backup-2025.car", "mirror"]).ended().done();
    let mirror = |args: &[&str]| repo.home.pds([&["-R", "mirror"], args].concat());
    assert!(mirror(&["log"]).ok().ends_with("\tclone\tclone backup-2025.car\n"));
    repo.put("later", "later");
    repo.home.pds(["-R", "alice", "export", "-o", "later.car"]).ended().done();
    mirror(&["import", "later.car"]).ended().done();
    let moves = mirror(&["reflog", "--json"]).ok();
    let events: Vec<serde_json::Value> =
        moves.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"import".into(), &"clone".into()));
    let Some(log) = Screen::plain(80).of(&repo.home, "pds -R mirror log") else { return };
    assert!(log.ends_with("\n  clone backup-2025.car\n"), "{log}");
}
