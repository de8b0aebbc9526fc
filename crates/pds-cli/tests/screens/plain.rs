//! Terminals without UTF-8: all but the texts of records is ASCII.

use super::Screen;
use crate::common::TestRepo;

const SETTINGS: [&str; 3] = [
    "LC_ALL=C NO_COLOR=1 PDS_PAGER=cat",
    "TERM=dumb PDS_PAGER=cat",
    "LC_CTYPE=POSIX NO_COLOR=1 PDS_PAGER=cat",
];

/// Records with lines, with a long DID, with a text from right to left, and with text that is longer than a line.
fn varied() -> TestRepo {
    let repo = TestRepo::with_notes();
    let put = |path: &str, json: &str| repo.home.pds(["-R", "alice", "put", path]).stdin(json).ok();
    put("app.bsky.graph.follow/a", r#"{"subject":"did:plc:zc3maypileo75kv67w5nptnm"}"#);
    put("app.bsky.feed.post/a", r#"{"text":"one\ntwo","tags":["a","b","c","d","e","f","g"]}"#);
    put("app.bsky.feed.post/a", r#"{"text":"one\nthree","tags":["b","c","d","e","f","h"]}"#);
    put("com.example.note/hebrew", r#"{"text":"\u05e9\u05dc\u05d5\u05dd"}"#);
    put("com.example.note/long", &format!(r#"{{"text":"{}"}}"#, "long ".repeat(60)));
    repo.pds(["rm", "com.example.note/long"]).ok();
    repo
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let repo = varied();
    let verbs = [
        "log",
        "log --stat",
        "log -p",
        "log com.example.note/a",
        "reflog",
        "verify",
        "ls",
        "ls --all",
        "ls com.example.note",
        "ls --all -l",
        "diff HEAD~5",
        "diff HEAD~4 HEAD~3 -p",
        "diff HEAD~5 --stat",
        "stats",
        "mst",
        "info",
        "gc",
        "forget com.example.note/long --dry-run",
    ];
    for settings in SETTINGS {
        for verb in verbs {
            let screen = Screen { columns: 80, settings };
            let Some(text) = screen.of(&repo.home, &format!("pds -R alice {verb}")) else { return };
            let own = text.replace("\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "");
            assert!(own.is_ascii() && !own.contains('\x1b'), "{settings} {verb}: {text}");
            assert!(!own.contains(" , ") && text.lines().count() > 0, "{verb}: {text}");
        }
        let line =
            "cp -r alice other; pds -R other forget com.example.note/long --yes; rm -r other";
        let Some(text) = (Screen { columns: 80, settings }).of(&repo.home, line) else { return };
        assert!(text.is_ascii() && text.contains("ok forgotten: 1 version, "), "{text}");
    }
    let screen = Screen { columns: 80, settings: SETTINGS[0] };
    let text = screen.of(&repo.home, "pds -R alice log; pds -R alice ls --all").unwrap();
    assert!(text.contains("rm, 1 example.note"), "{text}");
    assert!(text.contains("did:plc:zc3m...ptnm") && text.contains("one three"), "{text}");
    let text = screen.of(&repo.home, "pds -R alice verify").unwrap();
    assert!(text.starts_with("ok valid   did:web:alice.example.com at "), "{text}");
}
