//! Every verb of the program, with every form of output.

use std::collections::BTreeSet;
use std::fs;

use data_encoding::HEXLOWER;

use super::{DID, GIVEN, SECRET, Search, multikey, prepare};
use crate::common::torture::{amount, row};
use crate::common::{Home, Run};
use crate::verbs::help_examples::verbs_in;

/// Command lines that cover every verb, with the exit codes of their first runs. The binary is `pds`.
const LINES: [(&str, i32); 87] = [
    ("init bob --did did:web:bob.example.com --key secret.txt", 0),
    ("init carol --did did:web:carol.example.com --key - < secret.txt", 0),
    ("init dave --did did:web:dave.example.com --key secret.hex", 0),
    ("init erin --did did:web:erin.example.com --key secret.bin --curve p256", 0),
    ("init frank --did did:web:frank.example.com", 0),
    ("clone alice copy", 0),
    ("clone alice keyed --with-key", 0),
    ("clone backup.car mirror", 0),
    ("-R mirror import backup.car", 0),
    ("-R mirror pull", 1),
    ("clone did:plc:ewvi7nxzyoun6zhxrhs64oiz far --plc http://127.0.0.1:9", 4),
    (
        "identity show did:plc:ewvi7nxzyoun6zhxrhs64oiz --plc http://127.0.0.1:9 --rotation-key secret.txt",
        4,
    ),
    ("identity log did:plc:ewvi7nxzyoun6zhxrhs64oiz --plc http://127.0.0.1:9", 4),
    (
        "identity check did:plc:ewvi7nxzyoun6zhxrhs64oiz --plc http://127.0.0.1:9 --rotation-key secret.txt",
        4,
    ),
    ("-R alice export -o out.car --force", 0),
    ("-R alice export --history", 0),
    ("-R alice export --format ndjson", 0),
    ("-R alice export --format csv -c com.example.note", 0),
    ("recover cut.car rescued", 6),
    ("recover alice/pds.db -o of-database.car --force", 0),
    ("-R alice info", 0),
    ("-R alice ls", 0),
    ("-R alice ls com.example.note", 0),
    ("-R alice get com.example.note/a", 0),
    ("-R alice show HEAD", 0),
    ("-R alice stats", 0),
    ("-R alice put com.example.note/a < note.json", 0),
    ("-R keyed put com.example.note/of-copy < note.json", 0),
    ("-R keyed put com.example.note/other < note.json", 0),
    ("-R alice rm com.example.note/b", 0),
    ("-R alice edit com.example.note/a", 0),
    ("-R alice apply < lines.json", 0),
    ("-R alice blob put photo", 0),
    ("-R alice blob get $(pds cid photo)", 0),
    ("-R alice blob export exported", 0),
    ("-R alice blob ls", 0),
    ("-R alice blob missing", 0),
    ("-R alice blob check", 0),
    ("-R alice log", 0),
    ("-R alice log -p", 0),
    ("-R alice reflog", 0),
    ("-R alice diff HEAD~1 HEAD", 1),
    ("-R alice diff HEAD backup.car", 1),
    ("-R alice revert HEAD", 0),
    ("-R alice merge keyed", 0),
    ("-R alice reset HEAD~1", 0),
    ("-R alice ref set here HEAD", 0),
    ("-R alice ref ls", 0),
    ("-R alice ref rm here", 0),
    ("-R alice forget --yes com.example.note/c", 0),
    ("-R alice gc --yes --keep 3 --grace 0", 0),
    ("-R alice verify --blobs --history", 0),
    ("verify backup.car", 0),
    ("-R alice prove com.example.note/a -o proof.car --force", 0),
    ("verify-proof proof.car com.example.note/a --did-doc did.json", 0),
    ("-R alice repair", 0),
    ("-R alice repair --here", 0),
    ("-R frank key show", 0),
    ("key new fresh.key", 0),
    ("key new fresh256.key --curve p256", 0),
    ("-R frank key rotate", 0),
    ("-R frank key rotate --curve p256 --discard-old", 0),
    ("-R frank key import secret.txt", 1),
    ("-R copy key import - < secret.hex", 0),
    ("-R mirror key import secret.bin", 0),
    ("-R alice unpack records", 0),
    ("-R alice mst", 0),
    ("tid", 0),
    ("tid 3jzfcijpj2z2a", 0),
    ("cid note.json", 0),
    ("cid secret.txt", 0),
    ("completions bash", 0),
    ("completions zsh", 0),
    ("completions fish", 0),
    ("man", 0),
    ("man --dir pages", 0),
    ("help revisions", 0),
    ("help findings", 0),
    ("help paths", 0),
    ("help exit-codes", 0),
    ("help environment", 0),
    ("help git", 0),
    ("--help", 0),
    ("--version", 0),
    ("-R copy info", 0),
    ("-R keyed verify", 0),
    ("-R frank log", 0),
];

/// The forms in which every line is run. The first one decides about the exit code.
const FORMS: [&str; 5] = [
    "umask 0; LINE",
    "JSON",
    "script -qec 'LINE' /dev/null < /dev/null",
    "RUST_BACKTRACE=full RUST_LOG=trace LINE --no-such-option",
    "PDS_REPO=alice LINE --help",
];

/// What gets the secret in a wrong place: as a file, as a repository, as a document.
const MISUSES: [&str; 34] = [
    "clone secret.txt x",
    "clone - x",
    "-R alice import secret.txt",
    "-R alice import -",
    "recover secret.txt rescued",
    "recover secret.txt -o x.car --force",
    "verify secret.txt",
    "verify secret.bin",
    "verify -",
    "verify backup.car --did-doc secret.txt",
    "verify backup.car --plc-log secret.txt",
    "verify-proof secret.txt com.example.note/a",
    "verify-proof proof.car com.example.note/a --did-doc secret.txt",
    "ls secret.txt",
    "ls alice/key",
    "info alice/key",
    "-R alice/key ls",
    "-R alice/key put com.example.note/a",
    "-R secret.bin log",
    "-R alice put com.example.note/x",
    "-R alice put com.example.note/x secret.txt",
    "-R alice apply secret.txt",
    "-R alice apply secret.hex",
    "-R alice apply",
    "-R alice diff HEAD secret.txt",
    "-R alice reset secret.txt",
    "-R alice merge secret.txt",
    "-R alice repair --from secret.txt",
    "cid --cbor secret.bin",
    "cid --record secret.txt",
    "-R secret.txt mst",
    "-R alice key import note.json",
    "init x --did did:web:x.example.com --key note.json",
    "key new secret.txt",
];

/// A run in a home, with everything in the environment that the program reads.
fn run(home: &Home, line: &str) -> Run {
    let mut run = home.sh(line).env("TMPDIR", home.path("tmp")).env("TERM", "xterm-256color");
    for name in ["PDS_PAGER", "PAGER"] {
        run = run.env(name, home.path("child"));
    }
    for name in ["EDITOR", "VISUAL"] {
        run = run.env(name, home.path("editor"));
    }
    run.env("PDS_STORE", "").env("LC_ALL", "C.UTF-8").stdin(multikey())
}

fn home_with_files() -> Home {
    let home = Home::in_memory();
    prepare(&home);
    home.write("note.json", r#"{"text":"a note"}"#);
    home.write("lines.json", r#"{"path":"com.example.note/d","value":{"text":"d"}}"#);
    home.write("photo", "a photo");
    let public = pds::crypto::SigningKey::from_multikey(&multikey()).unwrap().public_key();
    let document = serde_json::json!({
        "id": DID,
        "verificationMethod": [{
            "id": "#atproto", "type": "Multikey", "controller": DID,
            "publicKeyMultibase": public.multikey(),
        }],
    });
    home.write("did.json", document.to_string());
    for line in [
        format!("pds init alice --did {DID} --key secret.txt"),
        "for name in a b c; do pds -R alice put com.example.note/$name < note.json; done"
            .to_owned(),
        "pds -R alice export -o backup.car".to_owned(),
        "head -c 500 backup.car > cut.car".to_owned(),
    ] {
        run(&home, &line).ended().done();
    }
    home
}

/// The verb of a line, with its part if it has parts.
fn verb(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let words = if words[0] == "-R" { &words[2..] } else { &words[..] };
    match words {
        [verb @ ("key" | "blob" | "ref" | "identity"), part, ..] => format!("{verb} {part}"),
        [verb, ..] => (*verb).to_owned(),
        [] => String::new(),
    }
}

#[test]
fn the_table_has_every_verb_of_the_help() {
    let home = Home::new();
    let mut named = BTreeSet::new();
    for verb in verbs_in(&home.pds(["--help"]).ok()) {
        let parts = verbs_in(&home.pds([verb.as_str(), "--help"]).ok());
        if parts.is_empty() {
            named.insert(verb);
        } else {
            named.extend(parts.iter().map(|part| format!("{verb} {part}")));
        }
    }
    assert!(named.len() > 40, "{named:?}");
    let lines: BTreeSet<String> = LINES.iter().map(|(line, _)| verb(line)).collect();
    let missing: Vec<&String> = named.difference(&lines).collect();
    assert!(missing.is_empty(), "add lines for {missing:?} to the search for secrets");
}

#[test]
fn no_verb_prints_or_writes_a_secret() {
    let (home, mut search) = (home_with_files(), Search::new());
    search.files(&home, &GIVEN, "preparation");
    let (mut runs, has_script) = (0, home.sh("script --version").ended().exit() == Some(0));
    for (line, code) in LINES {
        // The other forms are sampled in turn.
        let turn = runs % 4 + 1;
        let forms = FORMS.iter().enumerate();
        for (n, form) in forms.filter(|(n, _)| *n == 0 || amount(turn, *n) == *n) {
            if form.starts_with("script") && !has_script {
                continue;
            }
            let command = format!("pds {line}");
            let json = match command.split_once(" < ") {
                Some((command, input)) => format!("{command} --json < {input}"),
                None => format!("{command} --json"),
            };
            let shell = form.replace("LINE", &command).replace("JSON", &json);
            let ended = run(&home, &shell).ended();
            if n == 0 {
                assert_eq!(ended.code(), code, "{line}: {}", ended.stderr);
            }
            search.files(&home, &GIVEN, &shell);
            assert!(!search.is_in(&ended.stdout), "{shell}");
            assert!(!search.is_in(ended.stderr.as_bytes()), "{shell}");
            runs += 1;
        }
    }
    // A child process has seen the environment and the command lines.
    let children = fs::read_to_string(home.dir().join("children")).unwrap_or_default();
    assert!(children.contains("PDS_PAGER="), "no child process was started");
    let found =
        format!("{} keys, {} KiB searched, no secret", search.known.len(), search.searched >> 10);
    row("secrets: every verb in every form", runs, &found);
}

#[test]
fn a_key_file_in_a_wrong_place_is_not_repeated() {
    let (home, mut search) = (home_with_files(), Search::new());
    let mut runs = 0;
    for line in MISUSES {
        for form in ["pds LINE", "pds LINE --json"] {
            let shell = form.replace("LINE", line);
            let ended = run(&home, &shell).ended();
            assert!(!search.is_in(&ended.stdout), "{shell}");
            assert!(!search.is_in(ended.stderr.as_bytes()), "{shell}: {}", ended.stderr);
            search.files(&home, &GIVEN, &shell);
            runs += 1;
        }
    }
    row("secrets: key files in wrong places", runs, "no secret repeated");
}

#[test]
fn a_malformed_key_is_not_repeated() {
    let (home, mut search) = (home_with_files(), Search::new());
    let (text, hex) = (multikey(), HEXLOWER.encode(&SECRET));
    let wrong = [
        text[..text.len() - 1].to_owned(),
        format!("{text}1"),
        format!("{text} {text}"),
        format!("did:key:{text}"),
        text.replacen('z', "m", 1),
        text.replacen('z', "", 1),
        hex[1..].to_owned(),
        format!("{hex}00"),
        format!("0x{hex}"),
        format!("{{\"d\":\"{hex}\"}}"),
        format!("-----BEGIN PRIVATE KEY-----\n{hex}\n-----END PRIVATE KEY-----\n"),
        format!("key: {text}\n").repeat(200),
    ];
    let mut runs = 0;
    for (n, content) in wrong.iter().enumerate() {
        let name = format!("wrong{n}");
        home.write(&name, content);
        for line in [
            format!("pds -R alice key import {name}"),
            format!("pds -R alice key import - < {name}"),
            format!("pds init x --did {DID} --key {name}"),
            format!("pds init x --did {DID} --key - --json < {name}"),
            format!(
                "mv alice/key tmp/key && install -m 600 {name} alice/key; \
                     pds -R alice put com.example.note/a < note.json; \
                     pds -R alice verify; pds -R alice key show; mv tmp/key alice/key"
            ),
        ] {
            let ended = run(&home, &line).ended();
            let said = [&ended.stdout, ended.stderr.as_bytes()].concat();
            assert!(!search.is_in(&said), "{line}: {}", ended.stderr);
            assert!(!ended.stderr.is_empty(), "{line}: {content}");
            runs += 1;
        }
        fs::remove_file(home.dir().join(name)).unwrap();
    }
    search.files(&home, &GIVEN, "malformed keys");
    row("secrets: malformed keys", runs, "no secret repeated");
}
