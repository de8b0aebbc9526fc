//! Hints: the last line of a message, with the command that helps.

use crate::terminal::line::Line;
use crate::terminal::tone::Tone;

/// Returns the line of a hint. The commands in it have their own tone.
pub(crate) fn hint_line(hint: &str) -> Line {
    let mut line = Line::from("hint:");
    let mut command = Part::Text;
    for word in hint.split(' ') {
        command = command.next(word);
        let (word, end) = match word.strip_suffix([',', ';', ':']) {
            Some(short) if command != Part::Text => (short, word.get(short.len()..)),
            _ => (word, None),
        };
        let tone = if command == Part::Text { Tone::Plain } else { Tone::Cyan };
        line.push(Tone::Plain, " ");
        line.push(tone, word);
        if let Some(end) = end {
            line.push(Tone::Plain, end);
            command = Part::Text;
        }
    }
    line
}

/// The part of a hint that a word belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Text,
    /// The word `pds`, or the first word of a verb of two.
    Program,
    /// The verb, and the arguments after it.
    Arguments,
}

impl Part {
    fn next(self, word: &str) -> Self {
        match self {
            _ if word == "pds" => Self::Program,
            Self::Program if GROUPS.contains(&word) => Self::Program,
            Self::Program => Self::Arguments,
            Self::Arguments if is_argument(word) => Self::Arguments,
            _ => Self::Text,
        }
    }
}

/// The first words of verbs of two.
const GROUPS: [&str; 3] = ["blob", "key", "ref"];

/// Tells whether a word after a verb is an argument, not prose.
fn is_argument(word: &str) -> bool {
    word.starts_with(['-', '@', '\'', '"'])
        || word.contains(['/', '{'])
        || word.contains(".car")
        || (word.chars().any(|c| c.is_ascii_uppercase())
            && !word.chars().any(|c| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_their_own_tone() {
        for (hint, expected) in [
            (
                "run pds gc again to finish",
                "hint: run \u{1b}[36mpds\u{1b}[0m \u{1b}[36mgc\u{1b}[0m again to finish",
            ),
            (
                "pds ls --at REV, or pds key import FILE; nothing else",
                "hint: \u{1b}[36mpds\u{1b}[0m \u{1b}[36mls\u{1b}[0m \u{1b}[36m--at\u{1b}[0m \
                 \u{1b}[36mREV\u{1b}[0m, or \u{1b}[36mpds\u{1b}[0m \u{1b}[36mkey\u{1b}[0m \
                 \u{1b}[36mimport\u{1b}[0m \u{1b}[36mFILE\u{1b}[0m; nothing else",
            ),
        ] {
            assert_eq!(hint_line(hint).render(true), expected);
            assert_eq!(hint_line(hint).render(false), format!("hint: {hint}"));
        }
    }
}
