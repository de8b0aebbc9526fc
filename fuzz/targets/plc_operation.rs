//! Operations of did:plc accounts: what is read is written alike, and its content makes the same operation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::data::{Cid, Codec, Value};
use pds::identity::{PlcOperation, UnsignedPlcOperation};

fuzz_target!(|text: &str| {
    let Ok(operation) = PlcOperation::parse(text) else { return };
    let written = operation.to_json();
    assert_eq!(PlcOperation::parse(&written).expect("it was written"), operation);
    let value = Value::from_json(&written).expect("it was written");
    assert_eq!(Cid::of(Codec::Cbor, &value.encode()), operation.cid());
    assert!(operation.signing_bytes().len() < value.encode().len());
    let Some(data) = operation.data() else {
        assert!(operation.did().is_none());
        return;
    };
    assert_eq!(operation.did().is_some(), operation.prev().is_none());
    let _ = (operation.signed_by(&data.rotation_keys), data.signing_key(), data.handles());
    if let Some(host) = data.pds() {
        assert_eq!(host, host.to_lowercase());
    }
    // Without fields of another kind, the content is all that is signed.
    let ours = match operation.prev() {
        Some(prev) => UnsignedPlcOperation::update(prev, data.clone()),
        None => UnsignedPlcOperation::genesis(data.clone()),
    };
    let is_plain = value.as_map().is_some_and(|fields| fields.len() == 7)
        && value.get("type").and_then(Value::as_text) == Some("plc_operation");
    if is_plain && has_plain_services(&value) {
        assert_eq!(ours.signing_bytes(), operation.signing_bytes());
    }
});

fn has_plain_services(operation: &Value) -> bool {
    let services = operation.get("services").and_then(Value::as_map);
    let is_plain = |service: &Value| service.as_map().is_some_and(|fields| fields.len() == 2);
    services.is_some_and(|services| services.iter().all(|(_, service)| is_plain(service)))
}
