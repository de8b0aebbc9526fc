//! A did:plc directory that accepts every operation without a check.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use pds::crypto::{Signer, SigningKey};
use pds::data::{Cid, Codec, Map, Value};
use serde_json::{Value as Json, json};

/// An audit log under construction.
#[derive(Clone, Default)]
pub(crate) struct Directory {
    pub(crate) did: String,
    pub(crate) entries: Vec<Json>,
}

/// The start time of the tests, in microseconds: the year 2024.
pub(crate) const START: u64 = 1_704_067_200_000_000;
pub(crate) const HOUR: u64 = 3_600_000_000;

impl Directory {
    /// Signs an operation and appends it, without any check.
    pub(crate) fn take(&mut self, operation: Map, signer: &SigningKey, micros: u64) -> Cid {
        let signed = sign(operation, signer);
        let bytes = Value::Map(signed.clone()).encode();
        let cid = Cid::of(Codec::Cbor, &bytes);
        if self.entries.is_empty() {
            let hash = BASE32_NOPAD.encode(cid.digest()).to_lowercase();
            self.did = format!("did:plc:{}", &hash[..24]);
        }
        let operation: Json = serde_json::from_str(&Value::Map(signed).to_json()).unwrap();
        self.entries.push(json!({
            "did": self.did,
            "operation": operation,
            "cid": cid.to_string(),
            "nullified": false,
            "createdAt": time(micros),
        }));
        cid
    }

    pub(crate) fn nullify(&mut self, index: usize) {
        self.entries[index]["nullified"] = json!(true);
    }

    pub(crate) fn json(&self) -> String {
        Json::Array(self.entries.clone()).to_string()
    }
}

pub(crate) fn sign(mut operation: Map, signer: &SigningKey) -> Map {
    let signature = signer.sign(&Value::Map(operation.clone()).encode()).unwrap();
    operation.insert("sig", BASE64URL_NOPAD.encode(signature.as_bytes()));
    operation
}

/// Returns an operation that sets the keys of an account.
pub(crate) fn update(
    rotation_keys: &[&SigningKey],
    signing_key: &SigningKey,
    prev: Option<Cid>,
) -> Map {
    let did_key = |key: &SigningKey| Value::from(key.public_key().did_key());
    [
        ("type", Value::from("plc_operation")),
        ("rotationKeys", rotation_keys.iter().map(|key| did_key(key)).collect()),
        ("verificationMethods", Value::from([("atproto", did_key(signing_key))])),
        ("alsoKnownAs", Value::List(vec![Value::from("at://alice.example.com")])),
        ("services", Value::Map(Map::new())),
        ("prev", link(prev)),
    ]
    .into_iter()
    .collect()
}

/// Returns the first operation of an account in the original form.
pub(crate) fn create(recovery_key: &SigningKey, signing_key: &SigningKey) -> Map {
    [
        ("type", Value::from("create")),
        ("signingKey", Value::from(signing_key.public_key().did_key())),
        ("recoveryKey", Value::from(recovery_key.public_key().did_key())),
        ("handle", Value::from("alice.example.com")),
        ("service", Value::from("https://pds.example.com")),
        ("prev", Value::Null),
    ]
    .into_iter()
    .collect()
}

pub(crate) fn tombstone(prev: Cid) -> Map {
    [("type", Value::from("plc_tombstone")), ("prev", link(Some(prev)))].into_iter().collect()
}

fn link(prev: Option<Cid>) -> Value {
    prev.map_or(Value::Null, |cid| Value::from(cid.to_string()))
}

/// Returns a time in the form that directories write.
pub(crate) fn time(micros: u64) -> String {
    let millis = micros / 1_000;
    let (days, in_day) = (millis / 86_400_000, millis % 86_400_000);
    // The tests use the first two years from their start, which include a leap year.
    let day = days - START / 86_400_000_000;
    let (year, mut day) = if day < 366 { (2024, day) } else { (2025, day - 366) };
    let february = if year == 2024 { 29 } else { 28 };
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < len {
            break;
        }
        day -= len;
        month += 1;
    }
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1_000 % 60, in_day % 1_000);
    let day = day + 1;
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
