//! The text of a source file, split into comments, string literals and lines with code.

/// A comment or a string literal, with the line that it begins on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The parts of one source file. Lines count from 1.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    pub(crate) comments: Vec<Text>,
    pub(crate) strings: Vec<Text>,
    pub(crate) code_lines: Vec<usize>,
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Lexed,
}

pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { rest: text, line: 1, found: Lexed::default() };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    lexer.found
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            self.comment(end, rest[..end].trim_start_matches(['/', '!']));
        } else if rest.starts_with("/*") {
            let end = end_of_block_comment(rest);
            self.comment(end, rest[..end].trim_matches(['/', '*', '!']));
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = rest.find('"').unwrap_or(0) + 1;
            let end = rest[open..].find(&close).map_or(rest.len(), |at| open + at);
            self.string(open, end, (end + close.len()).min(rest.len()));
        } else if rest.starts_with('"') {
            let end = end_of_string(rest);
            self.string(1, end, (end + 1).min(rest.len()));
        } else if let Some(length) = character(rest) {
            self.code(length);
        } else if rest.starts_with(is_name) {
            self.code(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        } else {
            let c = rest.chars().next().map_or(1, char::len_utf8);
            if rest.starts_with(char::is_whitespace) { self.skip(c) } else { self.code(c) }
        }
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }

    fn code(&mut self, length: usize) {
        let last = self.line + self.rest[..length].matches('\n').count();
        for line in self.line..=last {
            if self.found.code_lines.last() != Some(&line) {
                self.found.code_lines.push(line);
            }
        }
        self.skip(length);
    }

    fn comment(&mut self, length: usize, text: &str) {
        for (at, text) in text.lines().enumerate() {
            self.found.comments.push(Text { line: self.line + at, text: text.trim().to_owned() });
        }
        if text.is_empty() {
            self.found.comments.push(Text { line: self.line, text: String::new() });
        }
        self.skip(length);
    }

    fn string(&mut self, open: usize, end: usize, length: usize) {
        let mut text = String::new();
        let mut lines = self.rest[open..end].split("\\\n");
        text.push_str(lines.next().unwrap_or_default());
        lines.for_each(|line| text.push_str(line.trim_start()));
        let text = text.replace("\\n", "\n").replace("\\\"", "\"");
        self.found.strings.push(Text { line: self.line, text });
        self.code(length);
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The number of hashes of the raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn end_of_string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    rest.len()
}

fn end_of_block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the character literal that begins here. A lifetime is not a literal.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let first = escape.chars().next()?.len_utf8();
        return escape[first..].find('\'').map(|at| 2 + first + at + 1);
    }
    let c = inner.chars().next()?;
    inner[c.len_utf8()..].starts_with('\'').then_some(c.len_utf8() + 2)
}

#[test]
fn comments_strings_and_code_are_separated() {
    let found = lex("//! A // b\nlet a = \"x // \\\"y\\\" \\\n    z\"; // c\n\n\
        let b = r#\"raw \"q\" \"#; /* d\n /* e */\nf */ let c: &'static str = '\"';\n'\\''; ///g\n");
    let comments: Vec<_> = found.comments.iter().map(|c| (c.line, c.text.as_str())).collect();
    assert_eq!(comments, [(1, "A // b"), (3, "c"), (5, "d"), (6, "/* e */"), (7, "f"), (8, "g")]);
    let strings: Vec<_> = found.strings.iter().map(|s| (s.line, s.text.as_str())).collect();
    assert_eq!(strings, [(2, "x // \"y\" z"), (5, "raw \"q\" ")]);
    assert_eq!(found.code_lines, [2, 3, 5, 7, 8]);
}
