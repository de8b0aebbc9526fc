//! The help texts: each example runs, and each flag and exit code that a text names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pds::crypto::{Curve, SigningKey};

use crate::common::{Directory, Home};
use crate::server;

/// The help texts, each with the words of its verb.
fn texts(home: &Home) -> BTreeMap<Vec<String>, String> {
    let mut texts = BTreeMap::new();
    let mut waiting: Vec<Vec<String>> = vec![vec![]];
    while let Some(verb) = waiting.pop() {
        let text = home.pds(verb.iter().cloned().chain(["--help".to_owned()])).ok();
        for inner in verbs_in(&text) {
            waiting.push(verb.iter().cloned().chain([inner]).collect());
        }
        texts.insert(verb, text);
    }
    texts
}

/// The verbs that a help text lists.
pub(crate) fn verbs_in(text: &str) -> Vec<String> {
    if text.contains("\noptions of every command\n") {
        return verbs_in_groups(text);
    }
    let Some((_, list)) = text.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A wrapped description is indented further.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The verbs of the list of all commands: one or two on a line, and the tools at the end.
fn verbs_in_groups(text: &str) -> Vec<String> {
    let (groups, rest) = text.split_once("\noptions of every command\n").unwrap();
    let mut verbs = Vec::new();
    for line in groups.lines().filter(|line| line.starts_with("  ")) {
        verbs.push(line.split_whitespace().next().unwrap().to_owned());
        let beside = line.split_once("  (").and_then(|(_, beside)| beside.split_once(':'));
        verbs.extend(beside.map(|(verb, _)| verb.to_owned()));
    }
    let (_, tools) = rest.split_once("tools: ").unwrap();
    verbs.extend(tools.trim_end().split(", ").map(str::to_owned));
    verbs
}

/// The commands below "Example:" or "Examples:", without the remarks next to them.
fn examples(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("Example"));
    let lines = lines.skip(1).take_while(|line| line.starts_with("  "));
    let command = |line: &str| line.trim_start().split("   ").next().unwrap().trim_end().to_owned();
    lines.map(command).collect()
}

/// A home in which the examples can run: a repository at `w` with the files that they name, and other repositories.
fn world() -> Home {
    let home = Home::in_memory();
    let key = SigningKey::parse(&"1".repeat(64), Curve::K256).unwrap();
    let account = Directory::with(&key, 60);
    let multikey = key.public_key().did_key().replace("did:key:", "");
    let document = serde_json::json!({
        "id": account.did,
        "verificationMethod": [{
            "id": format!("{}#atproto", account.did),
            "type": "Multikey",
            "controller": account.did,
            "publicKeyMultibase": multikey,
        }],
    });
    home.write("log.json", account.json());
    home.write("did.json", document.to_string());
    home.write("secret.txt", "1".repeat(64));
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata");
    home.write("photo.jpg", std::fs::read(format!("{testdata}/avatar.png")).unwrap());
    let writes = "{\"action\":\"put\",\"collection\":\"com.example.note\",\"value\":{\"n\":1}}\n";
    home.write("writes.ndjson", writes.repeat(3));
    home.write("note.json", "{\"text\":\"hello\"}");
    let script = SCRIPT.replace("DID", &account.did);
    let ended = home.sh(&script).ended();
    assert_eq!(ended.code(), 0, "{}{}", ended.text(), ended.stderr);
    home
}

const SCRIPT: &str = r#"set -e
mkdir -p bin .local/share/bash-completion/completions .config/fish/completions .zfunc
printf '#!/bin/sh\ncat ../secret.txt\n' > bin/pass
printf '#!/bin/sh\ncat\n' > bin/man
printf '#!/bin/sh\n' > bin/nano
chmod +x bin/*
note() { echo "{\"text\":\"$2\"}" | pds put com.example.note/$1; }
pds init w --did DID --key secret.txt
cp *.json *.txt *.jpg *.ndjson w
cd w
blob=$(pds blob put photo.jpg)
echo "{\"displayName\":\"Alice\",\"avatar\":$blob}" | pds put app.bsky.actor.profile/self
echo '{"text":"a post"}' | pds put app.bsky.feed.post/3jzfcijpj2z2a
note first hello
note second hello
note secret hidden
pds export -o old.car
cp old.car older.car
for n in 1 2 3 4 5 6 7 8 9; do note n$n "$n"; done
pds ref set before-the-move HEAD
pds ref set draft HEAD
echo '{"text":"on a branch"}' | pds put com.example.note/on-draft --ref draft
pds clone . ../phone --with-key
(cd ../phone
    echo '{"displayName":"From the phone"}' | pds put app.bsky.actor.profile/self
    note phone "on the phone"
    pds export --chain -o ../w/phone.car)
note last here
pds export -o backup.car
pds clone . ../ahead --with-key
(cd ../ahead; note ahead later; pds export -o ../w/newer.car)
mkdir backups photos
cp photo.jpg photos
cp old.car backups/1.car
cp newer.car backups/2.car
pds prove app.bsky.actor.profile/self -o proof.car
cp log.json proof.car.plc.json
head -c $(($(wc -c < backup.car) - 20)) backup.car > cut.car
pds get com.example.note/first --cbor > record.cbor
cp pds.db store.sqlite
pds clone . ../old-copy --with-key
pds clone . alice --with-key
"#;

/// What happens before examples with these words.
const BEFORE: [(&str, &str); 6] = [
    ("--with-identity log.json -o proof.car", "rm proof.car.plc.json"),
    ("pds key import", "rm key"),
    ("pds init alice", "rm -r alice"),
    ("--take ours:", "echo '{\"displayName\":\"Here\"}' | pds put app.bsky.actor.profile/self"),
    ("pds clone backup.car alice", "rm -r alice"),
    ("pds clone backup.car", "rm -rf backup"),
];

/// The examples whose answer is no, or that end with a part of the work: the question is good all the same.
const NOT_ZERO: [(&str, i32); 9] = [
    ("pds diff", 1),
    ("pds diff HEAD~2..HEAD com.example.note -p", 1),
    ("pds diff HEAD~2 --stat", 1),
    ("pds diff HEAD~1 HEAD", 1),
    ("pds diff HEAD backup.car", 0),
    ("pds -R backup.car blob missing", 1),
    ("pds recover cut.car", 6),
    ("pds recover cut.car records/", 6),
    ("pds blob missing", 0),
];

/// The line for the shell: the preparation, and the example.
fn line(example: &str) -> Option<String> {
    // The tests against real servers run the verbs of the network.
    if NETWORK.iter().any(|words| example.contains(words)) {
        return None;
    }
    let mut line = "cd w; PATH=../bin:$PATH; export EDITOR=nano".to_owned();
    for (words, before) in BEFORE {
        if example.contains(words) {
            line += &format!("; {{ {before}; }} > before 2>&1");
        }
    }
    // Examples do not overwrite; the file that one writes is not here yet.
    let words: Vec<&str> = example.split_whitespace().collect();
    for pair in words.windows(2) {
        if let ["-o" | ">", file] = pair {
            line += &format!("; rm -f {file}");
        }
    }
    let mut example = example.to_owned();
    if example.contains("postgres://localhost/repos") {
        let server = server::shared()?;
        example = example.replace("postgres://localhost/repos", &server.database().to_string());
    }
    Some(format!("{line}; {example}"))
}

/// What the examples name that need a network.
const NETWORK: [&str; 4] =
    ["pds pull", "alice.example.com", "https://pds.example.com", "pds identity"];

#[test]
fn every_example_of_every_help_text_runs() {
    let world = world();
    let mut wrong = String::new();
    let mut count = 0;
    for (verb, text) in texts(&world) {
        let examples = examples(&text);
        // The list of all commands has only their names.
        assert!(!examples.is_empty() || verb.is_empty(), "{verb:?} has no example:\n{text}");
        for example in examples {
            let Some(line) = line(&example) else { continue };
            count += 1;
            let expected = NOT_ZERO.iter().find(|(words, _)| *words == example);
            let ended = world.copied().sh(&line).ended();
            if ended.code() != expected.map_or(0, |(_, code)| *code) {
                let said = (ended.code(), ended.text(), &ended.stderr);
                wrong += &format!("{example}\n    {said:?}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 50, "{count}");
}

/// The words in a text that begin with two dashes.
fn flags(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_end_matches('-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3).collect()
}

/// The options that a help text lists.
fn options(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    lines.flat_map(|line| flags(line.split("  ").next().unwrap())).map(str::to_owned).collect()
}

#[test]
fn every_flag_and_exit_code_in_a_help_text_exists() {
    let home = Home::new();
    let texts = texts(&home);
    for (verb, text) in &texts {
        let mentioned = texts.iter().filter(|(other, _)| {
            let name = format!("pds {}", other.join(" "));
            !other.is_empty()
                && text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&name)
        });
        let mut known = options(text);
        mentioned.for_each(|(_, other)| known.extend(options(other)));
        for flag in flags(text) {
            assert!(known.contains(flag), "{verb:?} names {flag}, which does not exist\n{text}");
        }
        for (at, words) in text.match_indices("xit code ") {
            let after = &text[at + words.len()..];
            let number: String = after.chars().take_while(char::is_ascii_digit).collect();
            let is_code = number.parse::<usize>().is_ok_and(|code| code < CODES.len());
            assert!(number.is_empty() || is_code, "{verb:?}: {after:.40}");
        }
    }
    let topic = home.pds(["help", "exit-codes"]).ok();
    for (code, words) in (0..).zip(CODES) {
        let line = topic.lines().find(|line| line.trim_start().starts_with(&format!("{code} ")));
        assert!(line.is_some_and(|line| line.contains(words)), "{code} {words}: {topic}");
    }
}

/// The exit codes, in their order.
const CODES: [&str; 7] = [
    "done",
    "the answer is no",
    "usage",
    "bad or damaged input",
    "network failure",
    "busy: another process",
    "partly done",
];

/// The commands that a source file or a page names: the words after the name of the program.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let ends = |c: char| "\"`\\\n;,()|&>".contains(c);
    let mut found = Vec::new();
    for (at, name) in text.match_indices("pds ") {
        let rest = &text[at + name.len()..];
        let words = rest.split(ends).next().unwrap_or_default().split_whitespace();
        found.push(words.map(|word| word.trim_end_matches(['.', ':'])).collect());
    }
    found
}

/// Source files, and pages.
fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
}

#[test]
fn every_flag_of_a_command_in_a_message_or_on_a_page_exists() {
    let texts = texts(&Home::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md")];
    files(&root.join("docs"), "md", &mut found);
    for one in ["pds", "pds-cli", "pds-rescue"] {
        files(&root.join("crates").join(one).join("src"), "rs", &mut found);
    }
    let mut count = 0;
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for words in commands(&text) {
            let words = match words[..] {
                ["-R", _, ref rest @ ..] => rest,
                ref words => words,
            };
            let verb = |len: usize| -> Option<Vec<String>> {
                Some(words.get(..len)?.iter().map(|word| (*word).to_owned()).collect())
            };
            let verb = verb(2).filter(|verb| texts.contains_key(verb)).or(verb(1));
            let Some(help) = verb.and_then(|verb| texts.get(&verb)) else { continue };
            let options = options(help);
            for flag in words.iter().flat_map(|word| flags(word)) {
                count += 1;
                let is_known = options.contains(flag) || flag == "--help";
                assert!(is_known, "{}: pds {}: {flag}", path.display(), words.join(" "));
            }
        }
    }
    assert!(count > 50, "{count}");
}
