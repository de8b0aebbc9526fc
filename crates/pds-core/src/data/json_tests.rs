use super::*;

#[test]
fn integral_floats_are_integers_and_others_are_refused() {
    for (text, n) in
        [("123.0", 123), ("-0.0", 0), ("1e3", 1000), ("9007199254740991.0", (1 << 53) - 1)]
    {
        assert_eq!(Value::from_json(text).unwrap(), Value::Int(n), "{text}");
    }
    for text in ["1.5", "1e300", "9223372036854775808", "9007199254740992.0", "NaN"] {
        assert!(Value::from_json(text).is_err(), "{text}");
    }
    assert_eq!(Value::from_json("-9223372036854775808").unwrap(), Value::Int(i64::MIN));
}

#[test]
fn a_number_is_what_its_digits_say_or_refused() {
    for text in [
        "9007199254740990.7",
        "0.99999999999999999999",
        "-0.99999999999999999999",
        "1e-400",
        "1.00000000000000000001",
        "4503599627370495.1",
        "100e-3",
        "1e-99999999999999999999",
        r#"{"a\\":"\"1","b":[1,1e-400]}"#,
    ] {
        let error = Value::from_json(text).unwrap_err().to_string();
        assert!(error.contains("a number that is not an integer"), "{text}: {error}");
    }
    for (text, n) in [
        ("1000e-3", 1),
        ("1.5e1", 15),
        ("0e-99999999999999999999", 0),
        ("-0.000E+5", 0),
        ("-12.50e1", -125),
        ("10.0", 10),
    ] {
        assert_eq!(Value::from_json(text).unwrap(), Value::Int(n), "{text}");
    }
    for text in [r#"{"1e-400":"0.5"}"#, r#"["\\","0.5\"1.5",""]"#] {
        Value::from_json(text).unwrap();
    }
    for text in ["99999999999999999999999", "9007199254740992.0", "1e300"] {
        let error = Value::from_json(text).unwrap_err().to_string();
        assert!(error.contains("too large"), "{text}: {error}");
    }
}

#[test]
fn the_places_of_zeros_count() {
    assert_eq!(Value::from_json("12000e-3").unwrap(), Value::Int(12));
    let rounded = "10000000000000000000001e-22";
    assert!(Value::from_json(rounded).is_err(), "the nearest float is 1");
}

#[test]
fn the_length_of_the_text_is_limited() {
    let padded = |len: usize| format!("{}1", " ".repeat(len - 1));
    assert_eq!(Value::from_json(&padded(MAX_JSON_BYTES)).unwrap(), Value::Int(1));
    assert_eq!(
        Value::from_json(&padded(MAX_JSON_BYTES + 1)).unwrap_err(),
        DataError::TooLarge { bytes: MAX_JSON_BYTES + 1, limit: MAX_JSON_BYTES }
    );
}

#[test]
fn values_are_counted_up_to_the_size_of_a_record() {
    let refused = |text: &str| match Value::parse_json(text) {
        Err(DataError::Json(reason)) => reason.contains("more values than a record can have"),
        _ => false,
    };
    // Each value counts one, each text its bytes, and each key its bytes and one.
    let list = |entries: usize| format!("[{}1]", "1,".repeat(entries - 1));
    let keyed = |len: usize| format!("{{\"{}\":1}}", "k".repeat(len));
    let text = |len: usize| format!("\"{}\"", "t".repeat(len));
    for (largest, text) in [
        (MAX_RECORD_BYTES - 1, &list as &dyn Fn(usize) -> String),
        (MAX_RECORD_BYTES - 3, &keyed),
        (MAX_RECORD_BYTES - 1, &text),
    ] {
        assert!(Value::parse_json(&text(largest)).is_ok());
        assert!(refused(&text(largest + 1)));
    }
    // The text of bytes is longer than they are.
    let bytes = Value::Bytes(vec![0; MAX_RECORD_BYTES - 10]);
    assert_eq!(Value::parse_json(&bytes.to_json()).unwrap(), bytes);
    assert!(refused(&format!("{{\"$bytes\":{}}}", list(MAX_RECORD_BYTES + 1))));
}

#[test]
fn a_reserved_key_has_no_json_form() {
    let map = |key: &str| Value::from([(key, Value::Null)]);
    for key in SPECIAL {
        assert!(!map(key).has_json_form());
        assert!(!Value::List(vec![Value::from([("a", map(key))])]).has_json_form());
    }
    let plain = Value::from([("a", Value::List(vec![map("$type")]))]);
    assert!(plain.has_json_form());
    assert_eq!(plain.to_json_pretty().replace([' ', '\n'], ""), plain.to_json());
    assert!(plain.to_json_pretty().contains("{\n  \"a\": ["));
}

#[test]
fn duplicate_keys_are_refused() {
    assert!(Value::from_json(r#"{"a": 1, "b": 2, "a": 1}"#).is_err());
}

#[test]
fn bytes_are_read_with_and_without_padding_and_written_without() {
    for text in [r#"{"$bytes":"aGk="}"#, r#"{"$bytes":"aGk"}"#] {
        let value = Value::from_json(text).unwrap();
        assert_eq!(value, Value::Bytes(b"hi".to_vec()));
        assert_eq!(value.to_json(), r#"{"$bytes":"aGk"}"#);
    }
    for text in [r#"{"$bytes":"aGl"}"#, r#"{"$bytes":"a-_k"}"#, r#"{"$bytes":"aGk=="}"#] {
        assert!(Value::from_json(text).is_err(), "{text}");
    }
}

#[test]
fn deep_json_is_an_error_and_not_an_overflow() {
    let text = "[".repeat(1_000_000);
    assert!(Value::from_json(&text).is_err());
}
