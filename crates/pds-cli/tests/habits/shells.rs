//! The scripts in the real shells.

use crate::common::{Home, TestRepo, say};

/// Tells whether a shell is installed. With `PDS_SHELLS_REQUIRED=1` it must be.
fn has(home: &Home, shell: &str) -> bool {
    let output = home.command("sh").args(["-c", &format!("command -v {shell}")]).output();
    if output.is_ok_and(|it| it.status.success()) {
        return true;
    }
    let is_required = std::env::var_os("PDS_SHELLS_REQUIRED").is_some();
    assert!(!is_required, "no {shell} here");
    say(&format!("skipped: no {shell} here"));
    false
}

fn world() -> Home {
    let repo = TestRepo::with_notes();
    repo.pds(["put", "app.bsky.feed.post/3jzfcijpj2z2a"]).stdin("{}").ok();
    repo.pds(["ref", "set", "draft", "HEAD~1"]).ok();
    repo.home.sh("cp -r alice 'a b'").ok();
    repo.home
}

/// Command lines, and the values that complete their last words.
const LINES: [(&str, &[&str]); 9] = [
    ("pds imp", &["import"]),
    ("pds -R alice get com.", &["com.example.note/"]),
    (
        "pds -R alice get com.example.note/",
        &["com.example.note/a", "com.example.note/b", "com.example.note/c"],
    ),
    ("pds --repo=alice ls app.", &["app.bsky.feed.post"]),
    ("pds -R alice reset dr", &["draft"]),
    ("pds -R 'a b' reset dr", &["draft"]),
    ("pds -R a\\ b reset dr", &["draft"]),
    ("pds -R alice diff HEAD..dr", &["HEAD..draft"]),
    (
        "pds -R alice get at://did:web:alice.example.com/app",
        &["at://did:web:alice.example.com/app.bsky.feed.post/"],
    ),
];

#[test]
fn bash_completes() {
    let home = world();
    if !has(&home, "bash") {
        return;
    }
    home.write("pds.bash", home.pds(["completions", "bash"]).ok());
    // As bash splits the line, at spaces and at its other separators.
    let split = r#"
        source ./pds.bash
        complete -p pds | grep -q _pds || echo not registered
        COMP_LINE=$1; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("${@:3}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _pds pds "$2" x
        printf '%s\n' "${COMPREPLY[@]}""#;
    for (line, values) in LINES {
        let mut words: Vec<String> = Vec::new();
        for word in line.replace("'a b'", "'a\u{1}b'").replace("a\\ b", "a\\\u{1}b").split(' ') {
            let word = word.replace('\u{1}', " ");
            let mut rest = word.as_str();
            while let Some(at) = rest.find([':', '=']) {
                let (before, after) = rest.split_at(at);
                words.extend((!before.is_empty()).then(|| before.to_owned()));
                words.push(after[..1].to_owned());
                rest = &after[1..];
            }
            words.extend((!rest.is_empty()).then(|| rest.to_owned()));
        }
        let current = words.last().unwrap().clone();
        let mut command = home.command("bash");
        command.args(["--norc", "-c", split, "bash", line, &current]).args(&words);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        let found = String::from_utf8(output.stdout).unwrap();
        // Bash replaces only the part after its last separator.
        let word = line.rsplit(' ').next().unwrap();
        let kept = word.strip_suffix(&current).unwrap();
        let expected: Vec<&str> =
            values.iter().map(|value| value.strip_prefix(kept).unwrap()).collect();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{line}");
    }
}

#[test]
fn bash_completes_what_is_typed() {
    let home = world();
    if !has(&home, "bash") || !has(&home, "script") {
        return;
    }
    home.write("rc", format!("PS1='> '\n{}", home.pds(["completions", "bash"]).ok()));
    // Bash ends a word at this letter, and yet replaces it.
    let moves: (&str, &[&str]) = ("pds -R alice diff @{1", &["@{1}"]);
    for (line, values) in LINES.into_iter().chain([moves]) {
        let typed = format!("{line}\t\t\u{1}: \n");
        let text = typed_in(&home, "bash --noprofile --rcfile rc -i", &typed);
        if let [only] = values {
            let whole = line.rsplit_once(' ').unwrap().0.to_owned() + " " + only;
            assert!(
                text.contains(&format!("> : {whole}")) || text.contains(&whole),
                "{line}: {text:?}"
            );
        } else {
            assert!(values.iter().all(|value| text.contains(value)), "{line}: {text:?}");
        }
    }
}

/// What a shell on a terminal shows for some input.
fn typed_in(home: &Home, shell: &str, typed: &str) -> String {
    use std::io::Write;
    let mut command = home.command("script");
    command.env("TERM", "dumb").args(["-qec", shell, "/dev/null"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    stdin.write_all(b"exit\n").unwrap();
    stdin.flush().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn fish_completes() {
    let home = world();
    if !has(&home, "fish") {
        return;
    }
    home.write("pds.fish", home.pds(["completions", "fish"]).ok());
    for (line, values) in LINES {
        let mut command = home.command("fish");
        let script = "source pds.fish; complete -C $argv[1]";
        let output = command.args(["--no-config", "-c", script, line]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        let found = String::from_utf8(output.stdout).unwrap();
        let found: Vec<&str> = found.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert_eq!(found, values, "{line}");
    }
}

#[test]
fn zsh_completes() {
    let home = world();
    if !has(&home, "zsh") {
        return;
    }
    std::fs::create_dir(home.path("functions")).unwrap();
    home.write("functions/_pds", home.pds(["completions", "zsh"]).ok());
    // The script is loaded in both ways: sourced, and as a function of the completion system.
    for (setup, count) in [
        ("autoload -U compinit; compinit -u -d $PWD/sourced; source functions/_pds", LINES.len()),
        ("fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -d $PWD/loaded", 2),
    ] {
        for (line, values) in LINES.into_iter().take(count) {
            let mut command = home.command("zsh");
            // A second tab lists the values if there are several.
            let keys = if values.len() > 1 { "\t\t" } else { "\t" };
            let output =
                command.args(["-f", "-c", ZSH, "zsh", setup, line, keys]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
            let buffer =
                text.rsplit_once("BUFFER=<").map(|(_, rest)| rest.split('>').next().unwrap());
            let (before, _) = line.rsplit_once(' ').unwrap();
            if let [only] = values {
                let buffer = buffer.unwrap_or_default().trim_end();
                assert_eq!(buffer, format!("{before} {only}"), "{line}: {text:?}");
            } else {
                assert!(values.iter().all(|value| text.contains(value)), "{line}: {text:?}");
            }
        }
    }
}

/// Types a line into a zsh on a terminal, completes it, and prints the line.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT= RPROMPT=; unsetopt beep; $1; show() { print -r -- \"BUFFER=<\$BUFFER>\" }; zle -N show; bindkey '^X' show; print ready"
while zpty -r shell text && [[ $text != ready* ]]; do :; done
# Zsh completes only while no further key waits.
zpty -w -n shell "$2"
sleep 0.5
zpty -w -n shell "$3"
sleep 1.5
zpty -w -n shell $'\x18'
text=
for try in {1..200}; do
    while zpty -rt shell part; do text+=$part; done
    [[ $text == *'BUFFER=<'*'>'* ]] && break
    sleep 0.1
done
print -r -- "$text"
zpty -d shell
"#;
