//! The scripts of the shells, and the lines that they read.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::{Elvish, EnvCompleter, Powershell};

use super::command_line::{set_words, unquoted};
use crate::arguments::first_argument::moved;
use crate::terminal::safe_text::printable;

/// All shells.
pub(crate) const SHELLS: [&dyn EnvCompleter; 5] = [
    &Script { name: "bash", text: include_str!("pds.bash"), has_quotes: true, has_remarks: false },
    &Script { name: "zsh", text: include_str!("pds.zsh"), has_quotes: false, has_remarks: true },
    &Script { name: "fish", text: include_str!("pds.fish"), has_quotes: true, has_remarks: true },
    &Elvish,
    &Powershell,
];

/// A shell whose script reads one value per line, and a remark after a tab.
struct Script {
    name: &'static str,
    text: &'static str,
    /// Whether the script passes words with their quotes.
    has_quotes: bool,
    has_remarks: bool,
}

impl EnvCompleter for Script {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is(&self, name: &str) -> bool {
        name == self.name
    }

    fn write_registration(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        out.write_all(self.text.as_bytes())
    }

    fn write_complete(
        &self,
        program: &mut Command,
        mut words: Vec<OsString>,
        dir: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.has_quotes {
            for word in &mut words {
                *word = word.to_str().map_or_else(|| word.clone(), |text| unquoted(text).into());
            }
        }
        // `pds ls backup.car` is `pds --repo backup.car ls`; the last word is still being typed.
        if let Ok(moved) = moved(words.clone(), program)
            && moved.last() == words.last()
        {
            words = moved;
        }
        set_words(&words);
        let Some(last) = words.len().checked_sub(1) else { return Ok(()) };
        let is_option = words.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
        let found = complete(program, words, last, dir)?;
        let is_flag =
            |found: &CompletionCandidate| found.get_value().as_encoded_bytes().starts_with(b"-");
        // Flags are offered after a dash, or where there is nothing else.
        let has_values = !found.iter().all(is_flag);
        for candidate in found.iter().filter(|found| is_option || !has_values || !is_flag(found)) {
            let value = candidate.get_value().to_string_lossy();
            // A file name may control the terminal, or hide letters.
            if printable(&value) != value || value.contains(['\n', '\t']) {
                continue;
            }
            write!(out, "{value}")?;
            let remark = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            match remark.lines().next().filter(|_| self.has_remarks) {
                Some(remark) => writeln!(out, "\t{}", printable(remark))?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }
}
