//! The list of the commands, in groups.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use clap::Command;
use clap::builder::StyledStr;

/// Returns the list of the commands that exist, and the options of every command.
pub(crate) fn overview(program: &Command) -> StyledStr {
    let exists = |verb: &str| program.find_subcommand(verb).is_some();
    let version = program.get_version().unwrap_or_default();
    let mut text = format!("pds {version}   git for AT Protocol repositories\n\n");
    let _ = writeln!(
        text,
        "{BOLD}usage:{BOLD:#} pds [-R {CYAN}PATH{CYAN:#}] {CYAN}COMMAND{CYAN:#} \
         [{CYAN}ARGUMENTS{CYAN:#}]"
    );
    for (group, verbs) in GROUPS {
        let verbs: Vec<&Verb> = verbs.iter().filter(|verb| exists(verb.name)).collect();
        if !verbs.is_empty() {
            let _ = writeln!(text, "\n{BOLD}{group}{BOLD:#}");
        }
        for Verb { name, about, beside } in verbs {
            match beside.filter(|(other, _)| exists(other)) {
                Some((other, about_other)) => {
                    let _ = writeln!(
                        text,
                        "  {name:9}  {about:40} {DIM}({other}: {about_other}){DIM:#}"
                    );
                }
                None => {
                    let _ = writeln!(text, "  {name:9}  {about}");
                }
            }
        }
    }
    let _ = writeln!(text, "\n{BOLD}options of every command{BOLD:#}");
    for (flags, value, about) in OPTIONS {
        let space = if value.is_empty() { "" } else { " " };
        let width = 18_usize.saturating_sub(flags.len() + space.len());
        let _ = writeln!(
            text,
            "  {flags}{space}{CYAN}{value}{CYAN:#}{:1$}{about}",
            "",
            width - value.len()
        );
    }
    let topics = super::topics::names();
    let tools: Vec<&str> = TOOLS.into_iter().filter(|tool| exists(tool)).collect();
    let _ = writeln!(text, "\nmore: pds help {}", topics.join(" · "));
    let _ = write!(text, "      tools: {}", tools.join(", "));
    text.into()
}

const BOLD: Style = Style::new().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

struct Verb {
    name: &'static str,
    about: &'static str,
    /// Another verb on the same line, and what it does.
    beside: Option<(&'static str, &'static str)>,
}

const fn verb(name: &'static str, about: &'static str) -> Verb {
    Verb { name, about, beside: None }
}

const fn verbs(
    name: &'static str,
    about: &'static str,
    other: &'static str,
    about_other: &'static str,
) -> Verb {
    Verb { name, about, beside: Some((other, about_other)) }
}

const GROUPS: &[(&str, &[Verb])] = &[
    (
        "begin",
        &[
            verb("init", "create an empty repository with a signing key"),
            verb("clone", "copy an account, a CAR file or a repository"),
            verb("import", "add a CAR file after verifying it"),
            verb("recover", "read what is left of a damaged CAR file"),
            verb("export", "write a CAR file, NDJSON or CSV"),
        ],
    ),
    (
        "read",
        &[
            verb("info", "show what a repository is and holds"),
            verb("ls", "list collections or records"),
            verb("get", "print a record"),
            verb("show", "print a commit or any block"),
            verb("stats", "count records and bytes per collection"),
            verbs("search", "find words in records", "sql", "ask with SQL"),
            verb("browse", "look at it in a web browser, offline"),
        ],
    ),
    (
        "write",
        &[
            verbs("put", "write a record", "rm", "delete records"),
            verb("edit", "change a record in your editor"),
            verb("apply", "make many writes in one commit"),
            verb("blob", "store, list, check and fetch files"),
        ],
    ),
    (
        "history",
        &[
            verbs("log", "list commits", "reflog", "moves of a ref"),
            verb("diff", "compare two states"),
            verbs("reset", "move HEAD", "revert", "undo a commit"),
            verb("merge", "combine two branches or devices"),
            verb("ref", "list and set names for commits"),
            verbs("forget", "purge records or old history", "gc", "drop unused blocks"),
        ],
    ),
    (
        "trust",
        &[
            verb("verify", "check hashes, tree, records and signature"),
            verbs("prove", "export a proof of one record", "verify-proof", "check it"),
            verb("repair", "report and mend damage"),
            verb("key", "show, import and rotate the signing key"),
            verb("identity", "show and check the account's identity"),
        ],
    ),
    (
        "network",
        &[
            verbs("pull", "fetch changes from the account's host", "push", "send them"),
            verb("restore", "move the account to another host"),
            verb("serve", "offer repositories over XRPC"),
            verb("archive", "keep many accounts"),
        ],
    ),
];

/// Verbs that only their names explain.
const TOOLS: [&str; 6] = ["tid", "cid", "mst", "unpack", "completions", "man"];

/// The options of every command: the flags, the value, and the effect.
const OPTIONS: [(&str, &str, &str); 6] = [
    ("-R, --repo", "PATH", "repository directory or CAR file   [PDS_REPO, else nearest]"),
    ("    --json", "", "print JSON"),
    ("    --color", "WHEN", "auto, always or never"),
    ("    --no-pager", "", "print long answers without a pager"),
    ("    --utc", "", "print times in UTC"),
    ("-h, --help", "", "this list; pds COMMAND --help for one command"),
];
