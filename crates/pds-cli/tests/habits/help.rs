//! The list of the commands, the help of one command, and the topics.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::{Home, TestRepo};
use crate::verbs::help_examples::verbs_in;

/// The pages that `pds man --dir` writes name every verb.
fn verbs(home: &Home) -> BTreeSet<String> {
    home.pds(["man", "--dir", "pages"]).ok();
    let names = home.list("pages");
    let verbs = names.iter().filter_map(|name| name.strip_prefix("pds-")?.strip_suffix(".1"));
    let inner = |verb: &&str| {
        ["blob-", "key-", "ref-", "identity-"].iter().any(|group| verb.starts_with(group))
    };
    verbs.filter(|verb| !inner(verb)).map(str::to_owned).collect()
}

#[test]
fn each_verb_is_in_the_list_once() {
    let home = Home::new();
    let list = home.pds(["--help"]).ok();
    let mut listed = verbs_in(&list);
    listed.push("help".to_owned());
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), unique.len(), "{listed:?}");
    assert_eq!(unique, verbs(&home));
    assert_eq!(home.pds(["-h"]).ok(), list);
    assert_eq!(home.pds(["help"]).ok(), list);
    assert_eq!(home.pds(["help", "--color", "never"]).ok(), list);
    let said = home.pds::<&str>([]).fails(2);
    assert_eq!(said, list);
    for line in list.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn the_list_has_the_form_of_the_page() {
    let home = Home::new();
    let list = home.pds(["--help"]).ok();
    let version = env!("CARGO_PKG_VERSION");
    let start = format!(
        "pds {version}   git for AT Protocol repositories\n\n\
         usage: pds [-R PATH] COMMAND [ARGUMENTS]\n\n\
         begin\n  \
         init       create an empty repository with a signing key\n"
    );
    assert!(list.starts_with(&start), "{list}");
    for part in [
        "  export     write a CAR file, NDJSON or CSV\n\nread\n",
        "  blob       store, list, check and fetch files\n",
        "  put        write a record                           (rm: delete records)\n",
        "  reset      move HEAD                                (revert: undo a commit)\n",
        "\noptions of every command\n  \
         -R, --repo PATH   repository directory or CAR file   [PDS_REPO, else nearest]\n      \
         --json        print JSON\n      \
         --color WHEN  auto, always or never\n      \
         --no-pager    print long answers without a pager\n      \
         --utc         print times in UTC\n  \
         -h, --help        this list; pds COMMAND --help for one command\n\n\
         more: pds help revisions · findings · paths · exit-codes · environment · git\n      \
         tools: tid, cid, mst, unpack, completions, man\n",
    ] {
        assert!(list.contains(part), "{part}\n{list}");
    }
}

#[test]
fn the_help_of_a_command_lists_the_options_of_every_command_last() {
    let home = Home::new();
    for verb in ["ls", "blob missing", "verify", "blob", "merge"] {
        for flag in ["-h", "--help"] {
            let help = home.pds(verb.split(' ').chain([flag])).ok();
            let (own, global) = help.split_once("\nOptions of every command:\n").unwrap();
            let (global, _) = global.split_once("\nExample").unwrap();
            let lists = |part: &str, name: &str| {
                let lines = part.lines().map(str::trim_start);
                lines.filter(|line| line.starts_with('-') && line.contains(name)).count()
            };
            for name in ["--repo ", "--json", "--color ", "--no-pager", "--utc", "-h, --help"] {
                assert_eq!((lists(own, name), lists(global, name)), (0, 1), "{name}: {help}");
            }
            assert!(!global.contains("--at") && !global.contains("--did"), "{help}");
        }
    }
    let (short, long) = (home.pds(["merge", "-h"]).ok(), home.pds(["merge", "--help"]).ok());
    assert!(short.lines().count() < long.lines().count());
    assert_eq!(home.pds(["help", "merge"]).ok(), long);
    let inner = home.pds(["blob", "put", "--help"]).ok();
    assert_eq!(home.pds(["help", "blob", "put"]).ok(), inner);
}

#[test]
fn no_help_is_wider_than_a_terminal() {
    let home = Home::new();
    let is_there = home.command("script").arg("--version").output();
    if !is_there.is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: no script(1) here");
        return;
    }
    for verb in verbs(&home) {
        let line = format!("stty cols 80 rows 40; pds {verb} --help; pds {verb} -h");
        let mut command = home.command("script");
        command.env("TERM", "dumb").args(["-qec", &line, "/dev/null"]);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Usage: pds"), "{text}");
        for line in text.lines() {
            assert!(line.trim_end().chars().count() <= 80, "{verb}: {line:?}");
        }
    }
}

#[test]
fn an_unknown_word_after_help_is_a_usage_error() {
    let home = Home::new();
    let said = home.pds(["help", "lgo"]).fails(2);
    assert!(
        said.contains("unrecognized subcommand 'lgo'") && said.ends_with("did you mean log?\n"),
        "{said}"
    );
    let said = home.pds(["help", "blob", "burn"]).fails(2);
    assert!(said.contains("unrecognized subcommand 'burn'"), "{said}");
    let said = home.pds(["help", "bogus"]).fails(2);
    let topics = "revisions, findings, paths, exit-codes, environment, git";
    assert_eq!(
        said,
        format!(
            "error: unrecognized subcommand 'bogus'\n\
             hint: the topics are {topics}; pds --help lists the commands\n"
        )
    );
    let said = home.pds(["help", "revision"]).fails(2);
    assert!(said.ends_with("hint: did you mean revisions?\n"), "{said}");
    let said = home.pds(["help", "burn", "--json"]).fails(2);
    assert!(said.starts_with("{\"error\":\"usage\",\"message\":\"unrecognized"), "{said}");
}

#[test]
fn each_topic_has_a_text_that_fits_a_terminal() {
    let home = Home::new();
    for topic in ["revisions", "findings", "paths", "exit-codes", "environment", "git"] {
        let text = home.pds(["help", topic]).ok();
        assert!(text.lines().count() > 5, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{topic}: {line}");
            assert_eq!(line.trim_end(), line);
        }
        let json: serde_json::Value =
            serde_json::from_str(&home.pds(["help", topic, "--json"]).ok()).unwrap();
        assert_eq!((&json["topic"], &json["text"]), (&topic.into(), &text.trim_end().into()));
    }
}

#[test]
fn the_topic_of_findings_has_every_code() {
    let text = Home::new().pds(["help", "findings"]).ok();
    for code in pds::Code::ALL {
        let line = text.lines().find(|line| line.split_whitespace().any(|w| w == code.as_str()));
        assert!(line.is_some(), "{code}");
        let start: String = code.summary().split_inclusive(' ').take(3).collect();
        assert!(line.unwrap().contains(start.trim_end()), "{start}\n{text}");
    }
}

/// The names of environment variables that code reads.
fn variables_read(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables_read(&path, found);
            continue;
        }
        if path.extension().is_none_or(|it| it != "rs") || path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for start in
            ["env::var(\"", "env::var_os(\"", "env = \"", "is_set(\"", "[\"PDS_PAGER\", \""]
        {
            for part in text.split(start).skip(1) {
                found.insert(part.split('"').next().unwrap().to_owned());
            }
        }
    }
}

#[test]
fn the_topic_of_the_environment_has_every_variable_that_is_read() {
    let text = Home::new().pds(["help", "environment"]).ok();
    let mut read = BTreeSet::new();
    for one in ["pds", "pds-cli", "pds-core", "pds-net", "pds-store", "pds-postgres", "pds-rescue"]
    {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        variables_read(&crates.join(one).join("src"), &mut read);
    }
    assert!(read.contains("PDS_REPO") && read.contains("PGPASSWORD"), "{read:?}");
    for name in read {
        let is_named = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        assert!(is_named.into_iter().any(|word| word == name), "{name} is missing in:\n{text}");
    }
}

#[test]
fn the_forms_of_a_path_are_read() {
    let repo = TestRepo::with_notes();
    repo.pds(["put", "app.bsky.feed.post/3jzfcijpj2z2a"]).stdin("{}").ok();
    repo.home.write("note.json", "{}");
    for form in [
        "get com.example.note/a",
        "get at://did:web:alice.example.com/com.example.note/a",
        "get https://bsky.app/profile/did:web:alice.example.com/post/3jzfcijpj2z2a",
        "get HEAD:com.example.note/a",
        "show HEAD:com.example.note/a",
        "ls com.example.note",
        "put com.example.note note.json",
        "get -- com.example.note/a",
    ] {
        repo.pds(form.split(' ')).ok();
    }
    repo.home.pds(["ls", "alice"]).ok();
}

#[test]
fn help_has_colours_as_the_option_says() {
    let home = Home::new();
    for args in [&["--help"][..], &["ls", "--help"], &["help", "ls"]] {
        let coloured = home.pds(args.iter().chain(&["--color", "always"]).copied()).ended().stdout;
        assert!(coloured.windows(2).any(|pair| pair == b"\x1b["), "{args:?}");
        let plain = home.pds(args.iter().copied()).ok();
        assert!(!plain.contains('\x1b'), "{args:?}");
        let never = home.pds(args.iter().chain(&["--color=never"]).copied());
        assert_eq!(never.env("CLICOLOR_FORCE", "1").ok(), plain, "{args:?}");
    }
}
