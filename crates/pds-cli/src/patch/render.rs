//! The value of a field as lines: JSON without commas, so that a line changes only if its own value changes.

use pds::data::{Cid, Codec, Value};

/// Returns the lines of a value, each with its indentation.
///
/// A text with line breaks has a line for each of its own lines. Long bytes are shown by their beginning and their
/// hash.
pub(crate) fn rendered(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    render(value, "", 0, &mut lines);
    lines
}

fn render(value: &Value, name: &str, depth: usize, lines: &mut Vec<String>) {
    let start = format!("{}{name}", INDENT.repeat(depth));
    match value {
        Value::List(list) if !list.is_empty() => {
            lines.push(format!("{start}["));
            for item in list {
                render(item, "", depth + 1, lines);
            }
            lines.push(format!("{}]", INDENT.repeat(depth)));
        }
        Value::Map(map) if !map.is_empty() => {
            lines.push(format!("{start}{{"));
            for (key, item) in map.iter() {
                render(item, &format!("{}: ", quoted(key)), depth + 1, lines);
            }
            lines.push(format!("{}}}", INDENT.repeat(depth)));
        }
        Value::Text(text) => render_text(text, &start, depth, lines),
        Value::Bytes(bytes) if bytes.len() > MAX_SHOWN_BYTES => {
            let hash = Cid::of(Codec::Raw, bytes);
            lines.push(format!("{start}{} bytes, {hash}", bytes.len()));
        }
        simple => lines.push(format!("{start}{}", simple.to_json())),
    }
}

/// Adds the lines of a text. All but the first are indented by one more column, behind the quotation mark.
fn render_text(text: &str, start: &str, depth: usize, lines: &mut Vec<String>) {
    let json = quoted(text);
    // The escape of a line break is the only place where a backslash before `n` is not itself escaped.
    let mut parts = Vec::new();
    let mut from = 0;
    let mut bytes = json.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\'
            && let Some((_, b'n')) = bytes.next()
        {
            parts.push(json.get(from..at + 2).unwrap_or_default());
            from = at + 2;
        }
    }
    parts.push(json.get(from..).unwrap_or_default());
    let mut parts = parts.into_iter();
    lines.push(format!("{start}{}", parts.next().unwrap_or_default()));
    lines.extend(parts.map(|part| format!("{} {part}", INDENT.repeat(depth))));
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const INDENT: &str = "  ";

/// The most bytes that are shown as they are.
const MAX_SHOWN_BYTES: usize = 48;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_a_line_for_each_part() {
        let json = r#"{"a": [1, {"b": null}], "c": {}, "text": "one\ntwo \\n \"x\""}"#;
        assert_eq!(
            rendered(&Value::from_json(json).unwrap()),
            [
                "{",
                "  \"a\": [",
                "    1",
                "    {",
                "      \"b\": null",
                "    }",
                "  ]",
                "  \"c\": {}",
                "  \"text\": \"one\\n",
                "   two \\\\n \\\"x\\\"\"",
                "}",
            ]
        );
        let long = rendered(&Value::Bytes(vec![7; 1_000_000]));
        assert!(long[0].starts_with("1000000 bytes, bafkrei") && long.len() == 1, "{long:?}");
    }
}
