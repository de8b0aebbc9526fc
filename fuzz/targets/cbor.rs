//! DAG-CBOR: what is decoded encodes to the same bytes, and all readers agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::data::{Value, blobs_in, check_canonical, check_record, links};

fuzz_target!(init: atpds_fuzz::seeds::write_if_asked(), |bytes: &[u8]| {
    let (checked, listed) = (check_canonical(bytes), links(bytes));
    assert_eq!(checked.is_ok(), listed.is_ok());
    let Ok(value) = Value::decode(bytes) else {
        let _ = (check_record(bytes), blobs_in(bytes), Value::decode_first(bytes));
        return;
    };
    checked.expect("a value that is decoded is canonical");
    assert_eq!(value.encode(), bytes);
    assert_eq!(value.links().collect::<Vec<_>>(), listed.expect("it has the same rules"));
    let is_record = value.as_map().is_some() && value.check().is_ok();
    assert_eq!(check_record(bytes).is_ok(), is_record);
    assert_eq!(blobs_in(bytes).expect("it is canonical"), value.blobs().collect::<Vec<_>>());
    if value.has_json_form() && value.check().is_ok() {
        assert_eq!(Value::from_json(&value.to_json()).expect("its JSON is read"), value);
        assert_eq!(Value::from_json(&value.to_json_pretty()).expect("its JSON is read"), value);
    }
});
