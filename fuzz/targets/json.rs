//! JSON of the data model: what is parsed survives CBOR, and its own JSON means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::data::Value;

fuzz_target!(|text: &str| {
    let Ok(value) = Value::from_json(text) else { return };
    let bytes = value.encode();
    if let Ok(decoded) = Value::decode(&bytes) {
        assert_eq!(decoded, value);
    }
    assert!(value.has_json_form());
    assert_eq!(Value::from_json(&value.to_json()).expect("its JSON is read"), value);
});
