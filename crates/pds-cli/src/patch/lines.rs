//! The lines of a patch: context, deleted lines and added lines.

use std::collections::BTreeSet;
use std::fmt;

use pds::data::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use crate::patch::render::rendered;
use crate::patch::words::{Piece, changed_words};

/// What a line is: it is in both versions, or in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Old,
    New,
}

impl Side {
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Both => ' ',
            Self::Old => '-',
            Self::New => '+',
        }
    }
}

/// A line of a patch: its side, its indentation, and its pieces. Some pieces are changed words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatchLine {
    pub(crate) side: Side,
    /// The spaces after the sign.
    pub(crate) indent: usize,
    pub(crate) pieces: Vec<Piece>,
}

impl PatchLine {
    fn whole(side: Side, line: &str, indent: usize) -> Self {
        Self::of(side, vec![(false, line.to_owned())], indent)
    }

    fn of(side: Side, mut pieces: Vec<Piece>, indent: usize) -> Self {
        let first = pieces.first_mut();
        let spaces = first.map_or(0, |(_, text)| {
            let spaces = text.len() - text.trim_start_matches(' ').len();
            text.drain(..spaces);
            spaces
        });
        pieces.retain(|(_, text)| !text.is_empty());
        Self { side, indent: indent + spaces, pieces }
    }

    /// Returns the marks around changed words, in text without colour.
    pub(crate) fn marks(&self) -> (&'static str, &'static str) {
        match self.side {
            Side::Old => ("[-", "-]"),
            _ => ("{+", "+}"),
        }
    }
}

impl fmt::Display for PatchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = self.marks();
        write!(f, "{}{:indent$}", self.side.sign(), "", indent = self.indent)?;
        self.pieces.iter().try_for_each(|(is_changed, text)| match is_changed {
            true => write!(f, "{open}{text}{close}"),
            false => f.write_str(text),
        })
    }
}

/// Returns the lines that differ between two versions of a record, with their fields. `None` is an absent record.
pub(crate) fn patch(before: Option<&Value>, after: Option<&Value>) -> Vec<PatchLine> {
    let mut lines = Vec::new();
    match (before, after) {
        (Some(Value::Map(old)), Some(Value::Map(new))) => fields(old, new, &mut lines),
        (None, Some(Value::Map(new))) => fields_of(Side::New, new, &mut lines),
        (Some(Value::Map(old)), None) => fields_of(Side::Old, old, &mut lines),
        (old, new) => changed(old, new, FIELD_INDENT, &mut lines),
    }
    lines
}

fn fields(old: &Map, new: &Map, lines: &mut Vec<PatchLine>) {
    let names: BTreeSet<(usize, &str)> =
        old.keys().chain(new.keys()).map(|key| (key.len(), key)).collect();
    for (_, name) in names {
        let (old, new) = (old.get(name), new.get(name));
        if old != new {
            let side = match (old, new) {
                (None, _) => Side::New,
                (_, None) => Side::Old,
                _ => Side::Both,
            };
            lines.push(PatchLine::whole(side, name, FIELD_INDENT));
            changed(old, new, VALUE_INDENT, lines);
        }
    }
}

fn fields_of(side: Side, map: &Map, lines: &mut Vec<PatchLine>) {
    for (name, value) in map.iter() {
        lines.push(PatchLine::whole(side, name, FIELD_INDENT));
        let value = rendered(value);
        lines.extend(value.iter().map(|line| PatchLine::whole(side, line, VALUE_INDENT)));
    }
}

/// Adds the lines of a value that differ, with up to two lines before and after each change.
fn changed(
    before: Option<&Value>,
    after: Option<&Value>,
    indent: usize,
    lines: &mut Vec<PatchLine>,
) {
    let [old, new] = [before, after].map(|value| value.map_or_else(Vec::new, rendered));
    for (at, group) in group_diff_ops(operations(&old, &new), CONTEXT).into_iter().enumerate() {
        if at > 0 {
            lines.push(PatchLine::whole(Side::Both, "…", indent));
        }
        for op in group {
            let (old, new) = (old.get(op.old_range()), new.get(op.new_range()));
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            match op {
                DiffOp::Equal { .. } => {
                    lines.extend(new.iter().map(|line| PatchLine::whole(Side::Both, line, indent)));
                }
                DiffOp::Replace { .. } if old.len() == new.len() => {
                    let pairs = old.iter().zip(new).map(|(old, new)| changed_words(old, new));
                    let (old, new): (Vec<_>, Vec<_>) = pairs.map(|[old, new]| (old, new)).unzip();
                    lines
                        .extend(old.into_iter().map(|line| PatchLine::of(Side::Old, line, indent)));
                    lines
                        .extend(new.into_iter().map(|line| PatchLine::of(Side::New, line, indent)));
                }
                _ => {
                    lines.extend(old.iter().map(|line| PatchLine::whole(Side::Old, line, indent)));
                    lines.extend(new.iter().map(|line| PatchLine::whole(Side::New, line, indent)));
                }
            }
        }
    }
}

/// Compares lines. Of values with very many lines, only the common beginning and end are found.
fn operations(old: &[String], new: &[String]) -> Vec<DiffOp> {
    if old.len() + new.len() <= MAX_LINES {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let room = old.len().min(new.len()) - start;
    let ends = old.iter().rev().zip(new.iter().rev()).take(room);
    let end = ends.take_while(|(old, new)| old == new).count();
    let (old_len, new_len) = (old.len() - start - end, new.len() - start - end);
    let equal = |old_index, new_index, len| DiffOp::Equal { old_index, new_index, len };
    let all = [
        equal(0, 0, start),
        DiffOp::Replace { old_index: start, old_len, new_index: start, new_len },
        equal(old.len() - end, new.len() - end, end),
    ];
    all.into_iter().filter(|op| !op.old_range().is_empty() || !op.new_range().is_empty()).collect()
}

/// The spaces between the sign and the name of a field.
const FIELD_INDENT: usize = 1;

/// The spaces between the sign and the value of a field.
const VALUE_INDENT: usize = 3;

/// The lines before and after a change that are shown.
const CONTEXT: usize = 2;

/// The most lines that are compared one by one.
const MAX_LINES: usize = 4_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let [old, new] = [old, new].map(|json| match json {
            "" => None,
            json => Some(Value::from_json(json).unwrap()),
        });
        let lines = patch(old.as_ref(), new.as_ref());
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn fields_that_differ_are_shown() {
        assert_eq!(
            shown(
                r#"{"text": "starts at the car park.", "langs": ["en"], "n": 1}"#,
                r#"{"text": "starts at the slipway.", "langs": ["en", "de"], "n": 1}"#,
            ),
            "  text\n\
             -   \"starts at the [-car park-].\"\n\
             +   \"starts at the {+slipway+}.\"\n  \
               langs\n    \
                 [\n      \
                   \"en\"\n\
             +     \"de\"\n    \
                 ]\n"
        );
        assert_eq!(shown("", r#"{"n": 1}"#), "+ n\n+   1\n");
        assert_eq!(shown(r#"{"n": 1}"#, ""), "- n\n-   1\n");
        assert_eq!(shown(r#"{"n": 1}"#, "{}"), "- n\n-   1\n");
        assert_eq!(shown(r#"{"n": 1}"#, r#"{"n": 1}"#), "");
    }

    #[test]
    fn two_lines_of_context_are_shown() {
        let list = |from: u32| -> String {
            let items: Vec<String> = (from..from + 9).map(|n| n.to_string()).collect();
            format!("{{\"a\": [{}]}}", items.join(","))
        };
        let shown = shown(&list(0), &list(1));
        assert_eq!(
            shown,
            "  a\n    [\n-     0\n      1\n      2\n    …\n      7\n      8\n+     9\n    ]\n"
        );
    }

    #[test]
    fn very_many_lines_are_compared_by_their_ends() {
        let list = |middle: &str| {
            let side = "7,".repeat(20_000);
            format!("{{\"a\": [{side}{middle}{side}0]}}")
        };
        let shown = shown(&list("1,"), &list("2,"));
        assert_eq!(shown.lines().count(), 7, "{shown}");
    }
}
