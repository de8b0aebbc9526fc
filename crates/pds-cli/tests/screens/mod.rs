//! Screens of a real terminal: what people see, at several widths.

mod files;
mod forms;
mod history;
mod merging;
mod pager;
mod plain;
mod proofs;
mod reading;
mod stats;
mod writing;

use crate::common::Home;

/// A terminal of some columns and 40 rows.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    /// Settings before the command, such as `TERM=dumb`.
    pub(crate) settings: &'static str,
}

impl Screen {
    /// A terminal without colours, whose answers need no pager.
    pub(crate) fn plain(columns: usize) -> Self {
        Self { columns, settings: "NO_COLOR=1 PDS_PAGER=cat" }
    }

    /// Runs lines of shell on this terminal, and returns what it shows. Returns `None` if no program makes terminals.
    pub(crate) fn of(self, home: &Home, lines: &str) -> Option<String> {
        if !home.command("script").arg("--version").output().is_ok_and(|it| it.status.success()) {
            eprintln!("skipped: no script(1) here");
            return None;
        }
        let Self { columns, settings } = self;
        let line = format!("stty cols {columns} rows 40; export {settings}; {lines}");
        let mut command = home.command("script");
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.args(["-qec", &line, "/dev/null"]);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        Some(String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
    }
}

/// Replaces revs and short CIDs, which differ from run to run.
pub(crate) fn masked_screen(text: &str) -> String {
    let is_rev = |word: &str| word.len() == 13 && word.starts_with("3n") && !word.contains('.');
    let is_short = |word: &str| {
        word.len() == 8
            && word.starts_with(|c: char| ('a'..='h').contains(&c))
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && !["database", "conflict"].contains(&word)
    };
    let mut masked = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let end = &part[word.len()..];
        masked += match word {
            word if is_rev(word) => "<rev--------->",
            word if is_short(word) => "<cid-->",
            word => word,
        };
        masked += end;
    }
    masked
}
