//! The cells of a record: its scalar values under dotted names.

use std::borrow::Cow;

use pds::data::{Map, Value};

/// The columns that every file begins with.
pub(crate) const FIRST_COLUMNS: [&str; 4] = ["uri", "cid", "rkey", "created_at"];

/// Calls `call` with every scalar value and every list of a record, in canonical order, with its dotted name.
///
/// Different values have different names: a dot or backslash inside a key has a backslash before it, and an empty key
/// is `\_`. A field at the top with the name of one of the first columns has a dot before it.
pub(crate) fn each_cell<'v>(record: &'v Map, call: &mut dyn FnMut(&str, &'v Value)) {
    each_below(record, &mut String::new(), call);
}

/// Recurses as deep as the record is nested, which decoding limits.
fn each_below<'v>(map: &'v Map, name: &mut String, call: &mut dyn FnMut(&str, &'v Value)) {
    let start = name.len();
    for (key, value) in map.iter() {
        if start > 0 {
            name.push('.');
        }
        push_key(name, key);
        match value {
            Value::Map(inner) if !inner.is_empty() => each_below(inner, name, call),
            value if start == 0 && FIRST_COLUMNS.contains(&name.as_str()) => {
                call(&format!(".{name}"), value);
            }
            value => call(name, value),
        }
        name.truncate(start);
    }
}

fn push_key(name: &mut String, key: &str) {
    if key.is_empty() {
        name.push_str("\\_");
    }
    for c in key.chars() {
        if matches!(c, '.' | '\\') {
            name.push('\\');
        }
        name.push(c);
    }
}

/// Returns the text of a cell. Lists and empty maps are JSON, links are CIDs, bytes are base64, and null is empty.
pub(crate) fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Text(text) => Cow::Borrowed(text),
        Value::Bool(is) => Cow::Borrowed(if *is { "true" } else { "false" }),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Link(cid) => Cow::Owned(cid.to_string()),
        Value::Bytes(_) => {
            let json = serde_json::to_value(value).unwrap_or_default();
            let text = json.get("$bytes").and_then(serde_json::Value::as_str);
            Cow::Owned(text.unwrap_or_default().to_owned())
        }
        Value::List(_) | Value::Map(_) => Cow::Owned(value.to_json()),
    }
}

/// Returns a cell that no spreadsheet runs as a formula: an apostrophe precedes the characters that begin one.
pub(crate) fn guarded(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell.chars().next() {
        Some(first) if BEGIN_FORMULAS.contains(&first) => Cow::Owned(format!("'{cell}")),
        _ => cell,
    }
}

/// The characters that begin a formula, or that spreadsheets skip before one. Some count the wide forms as well.
const BEGIN_FORMULAS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cells(json: &str) -> Vec<(String, String)> {
        let value = Value::from_json(json).unwrap();
        let mut found = Vec::new();
        each_cell(value.as_map().unwrap(), &mut |name, value| {
            found.push((name.to_owned(), cell(value).into_owned()));
        });
        found.sort();
        found
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut pairs: Vec<_> =
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn scalars_have_dotted_names_and_lists_are_json() {
        let json = r#"{"text":"hi","n":-3,"is":true,"none":null,"list":[1,{"a":"b"}],"empty":{},
            "embed":{"ref":{"$link":"bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka"},
            "bytes":{"$bytes":"AQID"},"deep":{"x":1}}}"#;
        let cid = "bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka";
        let expected = pairs(&[
            ("text", "hi"),
            ("n", "-3"),
            ("is", "true"),
            ("none", ""),
            ("list", r#"[1,{"a":"b"}]"#),
            ("empty", "{}"),
            ("embed.ref", cid),
            ("embed.bytes", "AQID"),
            ("embed.deep.x", "1"),
        ]);
        assert_eq!(cells(json), expected);
    }

    #[test]
    fn different_values_have_different_names() {
        let json = r#"{"uri":"1","a.b":"2","a":{"b":"3","":"4"},"":{"uri":"5"},"a\\":{"b":"6"},"cid":{"x":"7"}}"#;
        let expected = pairs(&[
            (".uri", "1"),
            ("a\\.b", "2"),
            ("a.b", "3"),
            ("a.\\_", "4"),
            ("\\_.uri", "5"),
            ("a\\\\.b", "6"),
            ("cid.x", "7"),
        ]);
        assert_eq!(cells(json), expected);
    }

    #[test]
    fn formulas_are_guarded() {
        for formula in ["=1+1", "+1", "-x", "@sum", "\t=1", "\r=1", "＝1"] {
            assert_eq!(guarded(Cow::Borrowed(formula)), format!("'{formula}"));
        }
        for plain in ["", "text", "a=1", "'=1", " =1"] {
            assert_eq!(guarded(Cow::Borrowed(plain)), plain);
        }
    }
}
