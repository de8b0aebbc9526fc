//! Numbers and paragraphs as the page has them.

/// With commas between thousands.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Breaks a paragraph into lines of at most 120 columns.
pub(crate) fn wrapped(text: &str) -> String {
    let (mut out, mut columns) = (String::new(), 0);
    for word in text.split_whitespace() {
        let width = word.chars().count();
        match columns {
            0 => {}
            at if at + 1 + width > COLUMNS => {
                out.push('\n');
                columns = 0;
            }
            _ => {
                out.push(' ');
                columns += 1;
            }
        }
        out.push_str(word);
        columns += width;
    }
    out.push('\n');
    out
}

const COLUMNS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_broken_at_120_columns() {
        let text = wrapped(&"four ".repeat(50));
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [119, 119, 9]);
        assert_eq!(wrapped("one\n  two"), "one two\n");
    }

    #[test]
    fn numbers_are_parted_by_thousands() {
        let texts = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
