//! The words that differ between two lines.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A piece of a line, and whether it differs from the other line.
pub(crate) type Piece = (bool, String);

/// Returns the pieces of an old and of a new line.
///
/// Short equal words between long changes count as changed, because fragments are hard to read. Lines that are too long
/// are returned whole, without marks.
pub(crate) fn changed_words(old: &str, new: &str) -> [Vec<Piece>; 2] {
    let whole = || [old, new].map(|line| vec![(false, line.to_owned())]);
    if old.len().max(new.len()) > MAX_LINE_BYTES {
        return whole();
    }
    let [before, after] = [old, new].map(tokens);
    let mut spans = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        let (old, new) = (op.old_range(), op.new_range());
        let text = |all: &[&str], range: Range<usize>| all.get(range).unwrap_or_default().concat();
        let is_equal = matches!(op, DiffOp::Equal { .. });
        spans.push(Span { is_equal, old: text(&before, old), new: text(&after, new) });
    }
    let spans = common_ends(readable(spans));
    let equal: usize = spans.iter().filter(|span| span.is_equal).map(|span| span.old.len()).sum();
    if equal * LEAST_SHARE < old.len().max(new.len()) {
        return whole();
    }
    let side = |text: fn(&Span) -> &String| {
        let pieces = spans.iter().map(|span| (!span.is_equal, text(span).clone()));
        pieces.filter(|(_, text)| !text.is_empty()).collect()
    };
    [side(|span| &span.old), side(|span| &span.new)]
}

/// A run of words that both lines have, or that differ.
struct Span {
    is_equal: bool,
    old: String,
    new: String,
}

/// Joins changes with a shorter equal text between them.
fn readable(spans: Vec<Span>) -> Vec<Span> {
    let mut done: Vec<Span> = Vec::new();
    for span in spans {
        if span.is_equal || done.len() < 2 {
            match done.last_mut() {
                Some(last) if last.is_equal == span.is_equal => last.append(&span),
                _ => done.push(span),
            }
            continue;
        }
        // The last one is equal, and the one before it is a change.
        let length = |span: &Span| span.old.len().max(span.new.len());
        let is_short = match done.as_slice() {
            [.., before, equal] => {
                equal.is_equal && equal.old.len() <= length(before).min(length(&span))
            }
            _ => false,
        };
        match done.len().checked_sub(2).and_then(|at| done.get_mut(at)) {
            Some(_) if is_short => {
                let equal = done.pop();
                if let (Some(before), Some(equal)) = (done.last_mut(), equal) {
                    before.append(&equal);
                    before.append(&span);
                }
            }
            _ => done.push(span),
        }
    }
    done
}

/// Takes the words that both sides of a change begin or end with out of the change.
fn common_ends(spans: Vec<Span>) -> Vec<Span> {
    let mut done: Vec<Span> = Vec::new();
    let mut push = |span: Span| match done.last_mut() {
        _ if span.old.is_empty() && span.new.is_empty() => {}
        Some(last) if last.is_equal && span.is_equal => last.append(&span),
        _ => done.push(span),
    };
    for span in spans {
        if span.is_equal {
            push(span);
            continue;
        }
        let [old, new] = [&span.old, &span.new].map(|text| tokens(text));
        let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let room = old.len().min(new.len()) - start;
        let ends = old.iter().rev().zip(new.iter().rev()).take(room);
        let end = ends.take_while(|(old, new)| old == new).count();
        let text = |all: &[&str], from: usize, to: usize| -> String {
            all.get(from..to).unwrap_or_default().concat()
        };
        let same = |text: String| Span { is_equal: true, old: text.clone(), new: text };
        push(same(text(&old, 0, start)));
        let (old_end, new_end) = (old.len() - end, new.len() - end);
        let (old_text, new_text) = (text(&old, start, old_end), text(&new, start, new_end));
        push(Span { is_equal: false, old: old_text, new: new_text });
        push(same(text(&old, old_end, old.len())));
    }
    done
}

impl Span {
    fn append(&mut self, next: &Self) {
        self.old.push_str(&next.old);
        self.new.push_str(&next.new);
    }
}

/// Splits a line into words, runs of spaces, and other characters.
fn tokens(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let (mut start, mut last) = (0, None);
    for (at, c) in line.char_indices() {
        let kind = CharKind::of(c);
        if last.is_some_and(|last| last != kind || kind == CharKind::Other) {
            tokens.push(line.get(start..at).unwrap_or_default());
            start = at;
        }
        last = Some(kind);
    }
    tokens.push(line.get(start..).unwrap_or_default());
    tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CharKind {
    Word,
    Space,
    Other,
}

impl CharKind {
    fn of(c: char) -> Self {
        match c {
            c if c.is_whitespace() => Self::Space,
            // Letters of scripts without spaces are words of their own.
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' => {
                Self::Other
            }
            c if c.is_alphanumeric() => Self::Word,
            _ => Self::Other,
        }
    }
}

/// The longest line in which words are compared.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// Words are marked if the lines share at least one part in this many.
const LEAST_SHARE: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(old: &str, new: &str) -> [String; 2] {
        let show = |pieces: &[Piece]| -> String {
            let show = |(is_changed, text): &Piece| {
                if *is_changed { format!("[{text}]") } else { text.clone() }
            };
            pieces.iter().map(show).collect()
        };
        changed_words(old, new).each_ref().map(|pieces| show(pieces))
    }

    #[test]
    fn changed_words_are_marked() {
        for (old, new, shown) in [
            (
                "\"Reminder for tomorrow: the survey starts at the car park.\"",
                "\"Reminder for tomorrow: the survey starts at the slipway, not at the car park. Bring boots that you \
                 do not love.\"",
                [
                    "\"Reminder for tomorrow: the survey starts at the [car park].\"",
                    "\"Reminder for tomorrow: the survey starts at the [slipway, not at the car park. Bring boots that \
                     you do not love].\"",
                ],
            ),
            ("one two three", "one two four", ["one two [three]", "one two [four]"]),
            ("a b", "a b c", ["a b", "a b[ c]"]),
            ("潮だまり", "潮ひたり", ["潮[だま]り", "潮[ひた]り"]),
            ("completely other", "x", ["completely other", "x"]),
        ] {
            assert_eq!(marked(old, new), shown, "{old}");
        }
    }

    #[test]
    fn a_long_line_is_shown_whole() {
        let (old, new) = ("a ".repeat(500_000), "b ".repeat(500_000));
        assert_eq!(changed_words(&old, &new), [vec![(false, old)], vec![(false, new)]]);
    }
}
