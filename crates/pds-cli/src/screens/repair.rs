//! `pds repair` on a terminal.

use pds_rescue::Lost;

use crate::answers::repair::RepairAnswer;
use crate::failures::exit::Exit;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded_after;
use crate::terminal::numbers::counted;
use crate::terminal::short_cids::{short, with_short_cids};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the state of each part of the repository, and what was done.
pub(crate) fn lines(answer: &RepairAnswer<'_>, terminal: &Terminal) -> Vec<Line> {
    let mut lines = Vec::new();
    database(answer, terminal, &mut lines);
    present(answer, terminal, &mut lines);
    past(answer, terminal, &mut lines);
    refs(answer, terminal, &mut lines);
    lines.push(Line::new());
    let (symbol, tone) = match answer.exit() {
        Exit::Done => (terminal.symbol(Symbol::Check), Tone::Green),
        Exit::Partly => ("!", Tone::Yellow),
        _ => (terminal.symbol(Symbol::Cross), Tone::Red),
    };
    if answer.has_options() {
        lines.extend(options(terminal));
        return lines;
    }
    let text = answer.summary_text();
    lines.extend(folded_after(Line::of(tone, symbol).padded(2), &text, terminal.width()));
    lines
}

/// Returns the ways to repair the repository, the best one first.
fn options(terminal: &Terminal) -> Vec<Line> {
    let mut lines = vec![Line::from("nothing was changed. Options, best first:")];
    for (command, effect) in [
        ("pds repair --from BACKUP", "take missing blocks from a CAR file or a repository"),
        ("pds repair --here", "repair from this repository; other blocks stay lost"),
        ("pds repair --rebuild", "sign a new commit of the readable records"),
    ] {
        let command = Line::of(Tone::Cyan, &format!("  {command}")).padded(28);
        lines.extend(folded_after(command, effect, terminal.width()));
    }
    lines
}

fn database(answer: &RepairAnswer<'_>, terminal: &Terminal, lines: &mut Vec<Line>) {
    let problems = &answer.problems;
    if problems.is_empty() {
        return lines.extend(good("database", "whole", terminal));
    }
    let count = counted(problems.len() as u64, "problem");
    lines.extend(bad("database", &format!("SQLite reports {count}"), terminal));
    lines.extend(problems.iter().take(MAX_ROWS).map(|problem| detail("", problem, terminal)));
    lines.extend(answer.unread_texts().iter().map(|text| detail("", text, terminal)));
}

fn present(answer: &RepairAnswer<'_>, terminal: &Terminal, lines: &mut Vec<Line>) {
    let damaged = answer.survey.damaged();
    let lost: Vec<&Lost> = answer.lost.iter().filter(|lost| lost.ref_name.is_some()).collect();
    if damaged.is_empty() && lost.is_empty() {
        return lines.extend(good("present", "no block of a ref is damaged or missing", terminal));
    }
    let counts = format!(
        "{} damaged, {} of refs missing",
        counted(damaged.len() as u64, "block"),
        counted(lost.len() as u64, "block"),
    );
    lines.extend(bad("present", &counts, terminal));
    // A damaged block that a state needs is among the lost ones.
    let is_lost = |name: &str| lost.iter().any(|lost| lost.cid.to_string() == name);
    for block in damaged.iter().filter(|block| !is_lost(&block.name_text())).take(MAX_ROWS) {
        let name = block.name_text();
        lines.push(detail("", &format!("block {name} has the wrong bytes"), terminal));
    }
    for lost in lost.iter().take(MAX_ROWS) {
        let of = lost.ref_name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        lines.push(detail(&short(&lost.cid), &format!("{}{of}", lost.part), terminal));
    }
    for (cid, origin) in answer.survey.found().iter().take(MAX_ROWS) {
        let text = format!("can be taken from {}", answer.origin(*origin));
        lines.push(detail(&short(cid), &text, terminal));
    }
}

fn past(answer: &RepairAnswer<'_>, terminal: &Terminal, lines: &mut Vec<Line>) {
    let lost = answer.lost.iter().filter(|lost| lost.ref_name.is_none()).count();
    lines.extend(match lost {
        0 => good("past", "no block of a past state is missing", terminal),
        lost => {
            let text = format!("past states lack {}", counted(lost as u64, "block"));
            part("past", Tone::Yellow, "!", &text, terminal)
        }
    });
}

fn refs(answer: &RepairAnswer<'_>, terminal: &Terminal, lines: &mut Vec<Line>) {
    let texts = answer.ref_texts();
    if texts.is_empty() {
        return lines.extend(good("refs", "every ref points to a stored commit", terminal));
    }
    lines.extend(bad("refs", &counted(texts.len() as u64, "broken ref"), terminal));
    lines.extend(texts.iter().map(|text| detail("", text, terminal)));
}

fn good(label: &str, text: &str, terminal: &Terminal) -> Vec<Line> {
    part(label, Tone::Green, terminal.symbol(Symbol::Check), text, terminal)
}

fn bad(label: &str, text: &str, terminal: &Terminal) -> Vec<Line> {
    part(label, Tone::Red, terminal.symbol(Symbol::Cross), text, terminal)
}

fn part(label: &str, tone: Tone, mark: &str, text: &str, terminal: &Terminal) -> Vec<Line> {
    let mark = Line::from(label).padded(LABEL_COLUMNS).tone(tone, mark).text(" ");
    folded_after(mark, text, terminal.width())
}

fn detail(cid: &str, text: &str, terminal: &Terminal) -> Line {
    let space = if cid.is_empty() { "" } else { "  " };
    let text = with_short_cids(text);
    let line = Line::new().padded(LABEL_COLUMNS + 2).tone(Tone::Dim, cid).text(space).text(&text);
    terminal.fit(line)
}

const LABEL_COLUMNS: usize = 10;

/// The most blocks of one kind that a terminal lists.
const MAX_ROWS: usize = 20;
