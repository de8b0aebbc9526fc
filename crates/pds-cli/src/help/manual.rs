//! Manual pages.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::help::tables::{EXIT_CODES, FILES, VARIABLES};

/// A manual page and the name of its file.
pub(crate) struct Page {
    pub(crate) file: String,
    pub(crate) text: Vec<u8>,
}

/// Returns the page of the program, and then the pages of its commands.
///
/// # Errors
///
/// None in practice: the pages are written to memory.
pub(crate) fn pages(mut program: Command) -> io::Result<Vec<Page>> {
    program.build();
    let mut pages = Vec::new();
    add_pages(&program, None, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let below: Vec<&Command> =
        command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    let mut see_also: Vec<String> = above.map(str::to_owned).into_iter().collect();
    see_also.extend(below.iter().map(|below| format!("{name}-{}", below.get_name())));
    if above.is_none() {
        see_also.push("git".to_owned());
    }
    // The synopsis of the library loses dots and dashes; that of the help has them.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let man =
        Man::new(with_values_in_text(command).override_usage(usage)).title(name).date(CHANGED);
    let (file, mut text) = (man.get_filename(), Vec::new());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    render_advice(command, &mut text)?;
    render_facts(&see_also, &mut text)?;
    if above.is_none() {
        man.render_version_section(&mut text)?;
    }
    pages.push(Page { file, text: in_ascii(&String::from_utf8_lossy(&text)).into_bytes() });
    for below in below {
        add_pages(below, Some(name), pages)?;
    }
    Ok(())
}

/// Names the values of options in their text: the list that would follow it is badly formatted.
fn with_values_in_text(command: &Command) -> Command {
    command.clone().mut_args(|arg| {
        let values = arg.get_possible_values();
        if values.is_empty() || arg.is_hide_possible_values_set() {
            return arg;
        }
        let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let help = format!("{help} [possible values: {}]", names.join(", "));
        arg.long_help(help).hide_possible_values(true)
    })
}

/// Writes characters beyond ASCII as roff does: not every formatter reads UTF-8.
fn in_ascii(text: &str) -> String {
    let written = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => format!("\\[u{:04X}]", u32::from(letter)),
    };
    text.chars().map(written).collect()
}

/// Renders the examples, and what else follows the options in the help.
fn render_advice(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let Some(advice) = command.get_after_long_help().or_else(|| command.get_after_help()) else {
        return Ok(());
    };
    let advice = advice.to_string();
    let (examples, notes): (Vec<&str>, Vec<&str>) =
        advice.split("\n\n").partition(|part| part.starts_with("Example"));
    let mut roff = Roff::new();
    for part in examples {
        roff.control("SH", ["EXAMPLES"]).control("EX", []);
        for line in part.lines().skip(1) {
            roff.text([roman(line)]);
        }
        roff.control("EE", []);
    }
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        for (at, note) in notes.into_iter().enumerate() {
            if at > 0 {
                roff.control("PP", []);
            }
            for line in note.lines() {
                roff.text([roman(line.trim_start())]);
            }
        }
    }
    roff.to_writer(out)
}

/// Renders the sections that every page has.
fn render_facts(see_also: &[String], out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::new();
    for (title, rows) in
        [("EXIT STATUS", &EXIT_CODES[..]), ("FILES", &FILES), ("ENVIRONMENT", &VARIABLES)]
    {
        roff.control("SH", [title]);
        for (name, about) in rows {
            roff.control("TP", []).text([bold(*name)]).text([roman(*about)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    let last = see_also.len().saturating_sub(1);
    for (at, page) in see_also.iter().enumerate() {
        let end = if at == last { "(1)" } else { "(1)," };
        roff.text([bold(page.as_str()), roman(end)]);
    }
    roff.to_writer(out)
}

/// The day of the last change of the pages other than typing errors.
const CHANGED: &str = "2026-11-30";
