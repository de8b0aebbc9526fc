//! JSON for terminals: keys in a dim tone.

use pds::data::Value;
use serde_json::Value as Json;

use crate::terminal::line::Line;
use crate::terminal::safe_text::printable;
use crate::terminal::tone::Tone;

/// Returns the lines of a JSON value, with two spaces for each level. A short list of simple values is one line.
pub(crate) fn json_lines(value: &Value) -> Vec<Line> {
    let Ok(json) = serde_json::to_value(value) else {
        return value.to_json_pretty().lines().map(Line::from).collect();
    };
    let mut lines = JsonLines { done: Vec::new(), open: Line::new() };
    lines.value(&json, 0);
    lines.end();
    lines.done
}

struct JsonLines {
    done: Vec<Line>,
    open: Line,
}

impl JsonLines {
    fn end(&mut self) {
        self.done.push(std::mem::take(&mut self.open));
    }

    fn begin(&mut self, depth: usize) {
        self.open.push(Tone::Plain, &"  ".repeat(depth));
    }

    fn value(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Object(map) if !map.is_empty() => {
                self.open.push(Tone::Plain, "{");
                self.end();
                let last = map.len() - 1;
                for (at, (key, value)) in map.iter().enumerate() {
                    self.begin(depth + 1);
                    self.open.push(Tone::Dim, &escaped(&Json::from(key.as_str())));
                    self.open.push(Tone::Plain, ": ");
                    self.value(value, depth + 1);
                    self.item_end(at == last);
                }
                self.begin(depth);
                self.open.push(Tone::Plain, "}");
            }
            Json::Array(list) if !list.is_empty() && !is_short(list) => {
                self.open.push(Tone::Plain, "[");
                self.end();
                let last = list.len() - 1;
                for (at, value) in list.iter().enumerate() {
                    self.begin(depth + 1);
                    self.value(value, depth + 1);
                    self.item_end(at == last);
                }
                self.begin(depth);
                self.open.push(Tone::Plain, "]");
            }
            Json::Array(list) => {
                let items: Vec<String> = list.iter().map(escaped).collect();
                self.open.push(Tone::Plain, &format!("[{}]", items.join(", ")));
            }
            simple => self.open.push(Tone::Plain, &escaped(simple)),
        }
    }

    fn item_end(&mut self, is_last: bool) {
        if !is_last {
            self.open.push(Tone::Plain, ",");
        }
        self.end();
    }
}

/// Returns JSON in which control and invisible characters are escaped, so that it stays valid.
fn escaped(value: &Json) -> String {
    printable(&value.to_string()).into_owned()
}

fn is_short(list: &[Json]) -> bool {
    let is_simple = |value: &Json| !value.is_object() && !value.is_array();
    list.iter().all(is_simple)
        && list.iter().map(|value| value.to_string().len() + 2).sum::<usize>() <= SHORT_LETTERS
}

/// The longest list on one line.
const SHORT_LETTERS: usize = 60;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_same_json() {
        let json = serde_json::json!({
            "a": ["en", "de"], "b": [], "c": {}, "d": [{"x": 1}, null], "e": "tab\tand \u{202e}", "f": {"g": true},
        });
        let value = Value::from_json(&json.to_string()).unwrap();
        let lines = json_lines(&value);
        let text: Vec<String> = lines.iter().map(|line| line.render(false)).collect();
        assert_eq!(serde_json::from_str::<Json>(&text.join("\n")).unwrap(), json);
        assert!(text.contains(&"  \"a\": [\"en\", \"de\"],".to_owned()), "{text:#?}");
    }
}
