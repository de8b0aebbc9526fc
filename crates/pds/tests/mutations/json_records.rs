//! JSON of records: what is read has one meaning, and everything else is refused.

use pds::data::{Cid, Codec, Value};
use serde_json::{Value as Json, json};

use super::torture::{amount, row};
use crate::properties::Random;
use crate::properties::cbor::mutate;

/// Reads JSON, and checks that the meaning survives CBOR and its own JSON. An independent reader must also take it.
fn read(text: &str) -> Option<Value> {
    let value = Value::from_json(text).ok()?;
    let json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(means(&value, &json), "{text}: {value:?}");
    assert!(value.has_json_form(), "{text}");
    assert_eq!(Value::from_json(&value.to_json()).as_ref(), Ok(&value), "{text}");
    assert_eq!(Value::from_json(&value.to_json_pretty()).as_ref(), Ok(&value), "{text}");
    let bytes = value.encode();
    match Value::decode(&bytes) {
        Ok(again) => {
            assert_eq!(again, value, "{text}");
            assert_eq!(again.encode(), bytes, "{text}");
        }
        Err(error) => assert!(error.to_string().contains("limit"), "{text}: {error}"),
    }
    Some(value)
}

/// Returns whether a value is what another reader found.
fn means(value: &Value, json: &Json) -> bool {
    match (value, json) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(one), Json::Bool(other)) => one == other,
        (Value::Int(n), Json::Number(number)) => match number.as_i64() {
            Some(other) => *n == other,
            None => number.as_f64().is_some_and(|float| float == *n as f64),
        },
        (Value::Text(one), Json::String(other)) => one == other,
        (Value::List(list), Json::Array(array)) => {
            list.len() == array.len() && list.iter().zip(array).all(|(a, b)| means(a, b))
        }
        (Value::Map(map), Json::Object(object)) => {
            map.len() == object.len()
                && map.iter().all(|(key, value)| object.get(key).is_some_and(|it| means(value, it)))
        }
        (Value::Link(cid), Json::Object(object)) => {
            object.len() == 1 && object["$link"] == json!(cid.to_string())
        }
        (Value::Bytes(bytes), Json::Object(object)) => {
            let text = object.get("$bytes").and_then(Json::as_str).unwrap_or_default();
            let own = data_encoding::BASE64_NOPAD.encode(bytes);
            object.len() == 1 && text.trim_end_matches('=') == own
        }
        _ => false,
    }
}

#[test]
fn every_form_of_json_has_its_verdict() {
    let cid = Cid::of(Codec::Raw, b"a blob");
    let link = format!("{{\"$link\":\"{cid}\"}}");
    let upper = link.to_uppercase().replace("$LINK", "$link");
    let blob = |fields: &str| format!("{{\"$type\":\"blob\",{fields}}}");
    let mut tried = 0;
    for (text, is_valid) in [
        ("null", true),
        ("0", true),
        ("-0", true),
        ("1.0", true),
        ("1e3", true),
        ("1.5", false),
        ("1e-3", false),
        ("9223372036854775807", true),
        ("9223372036854775808", false),
        ("-9223372036854775808", true),
        ("-9223372036854775809", false),
        ("9007199254740993.0", false),
        ("1e400", false),
        ("01", false),
        ("+1", false),
        (".5", false),
        ("1.", false),
        ("0x10", false),
        ("NaN", false),
        ("Infinity", false),
        ("True", false),
        ("'a'", false),
        ("\"a", false),
        ("\"\\u0000\"", true),
        ("\"\0\"", false),
        ("\"\\ud83d\\ude00\"", true),
        ("\"\\ud83d\"", false),
        ("\"\\ude00\\ud83d\"", false),
        ("\"\\x41\"", false),
        ("[1,]", false),
        ("[,1]", false),
        ("[1 2]", false),
        ("{\"a\":1,}", false),
        ("{a:1}", false),
        ("{\"a\":1,\"a\":1}", false),
        ("{\"a\":1,\"\\u0061\":2}", false),
        ("{\"a\":{\"b\":1,\"b\":2}}", false),
        ("{\"\":1}", true),
        ("{}", true),
        ("", false),
        (" ", false),
        ("{} {}", false),
        ("{}x", false),
        ("\u{feff}{}", false),
        ("// a\n{}", false),
        ("{\"$bytes\":\"\"}", true),
        ("{\"$bytes\":\"eA\"}", true),
        ("{\"$bytes\":\"eA==\"}", true),
        ("{\"$bytes\":\"eA=\"}", false),
        ("{\"$bytes\":\"eB\"}", false),
        ("{\"$bytes\":\"e A\"}", false),
        ("{\"$bytes\":\"e_-A\"}", false),
        ("{\"$bytes\":1}", false),
        ("{\"$bytes\":null}", false),
        ("{\"$bytes\":\"eA\",\"x\":1}", false),
        ("{\"$bytes\":\"eA\",\"$link\":1}", false),
        (&link, true),
        (&upper, false),
        ("{\"$link\":\"\"}", false),
        ("{\"$link\":\"QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n\"}", false),
        ("{\"$link\":{}}", false),
        (&link.replace('}', ",\"x\":1}"), false),
        (&blob(&format!("\"ref\":{link},\"mimeType\":\"a/b\",\"size\":1")), true),
        (&blob(&format!("\"ref\":{link},\"mimeType\":\"a/b\",\"size\":1.0")), true),
        (&blob(&format!("\"ref\":{link},\"mimeType\":\"\",\"size\":1")), false),
        (&blob(&format!("\"ref\":{link},\"mimeType\":\"a/b\"")), false),
        (&blob("\"ref\":1,\"mimeType\":\"a/b\",\"size\":1"), false),
        ("{\"$type\":1}", false),
        ("{\"$type\":\"\"}", false),
        ("{\"$type\":null}", false),
        ("{\"x\":{\"$type\":1}}", false),
        ("{\"$other\":1}", true),
        (&"[".repeat(100_000), false),
        (&format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)), false),
    ] {
        let shown: String = text.chars().take(80).collect();
        assert_eq!(read(text).is_some(), is_valid, "{shown}");
        // The same inside a record.
        let inside = format!("{{\"$type\":\"com.example.note\",\"x\":{text}}}");
        let is_one = !matches!(text.trim(), "{} {}" | "{}x" | "") && !text.starts_with("//");
        assert!(!is_one || read(&inside).is_some() == is_valid, "{shown}");
        tried += 2;
    }
    row("mutations: forms of JSON", tried, "each judged as expected");
}

/// Random JSON: small values, most of them valid, some with reserved keys.
fn random_json(random: &mut Random, depth: usize) -> String {
    let keys = ["a", "b", "$type", "$link", "$bytes", "ref", "mimeType", "size", "", "ä"];
    let scalars = [
        "null",
        "true",
        "0",
        "-1",
        "1.0",
        "1e2",
        "1.5",
        "9223372036854775807",
        "\"\"",
        "\"text\"",
        "\"eA==\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"com.example.note\"",
        "\"blob\"",
        "\"bafkreihwwfaslz5hbdkdg5rx2xqpaqvw4fo5ezzreigjawwoqzzi27r7hi\"",
    ];
    match random.below(if depth == 0 { 3 } else { 6 }) {
        0..=2 => random.pick(&scalars).to_owned(),
        3 => {
            let items: Vec<String> =
                (0..random.below(4)).map(|_| random_json(random, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let pair = |_| {
                let key = random.pick(&keys);
                format!("\"{key}\":{}", random_json(random, depth - 1))
            };
            let pairs: Vec<String> = (0..4).map(pair).collect();
            format!("{{{}}}", pairs[..random.below(5)].join(","))
        }
    }
}

#[test]
fn random_json_means_one_value_or_is_refused() {
    let tried = amount(20_000, 2_000_000);
    let mut valid = 0;
    for seed in 0..tried {
        let mut random = Random(6_000_000 + seed as u64);
        let text = random_json(&mut random, 4);
        valid += usize::from(read(&text).is_some());
        let mut bytes = text.into_bytes();
        mutate(&mut random, &mut bytes);
        if let Ok(text) = String::from_utf8(bytes) {
            valid += usize::from(read(&text).is_some());
        }
    }
    assert!(valid > tried / 4 && valid < 2 * tried, "{valid}");
    row("mutations: random JSON", 2 * tried, &format!("{valid} valid, each with one meaning"));
}
