//! The audit log of a did:plc account, made by hand.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use jiff::{SignedDuration, Timestamp};
use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Cid, Codec, Map, Value};
use serde_json::{Value as Json, json};

/// A log, kept for an account whose operations are all signed by one rotation key.
pub(crate) struct Directory {
    rotation: SigningKey,
    pub(crate) did: String,
    last: Option<Cid>,
    entries: Vec<Json>,
}

impl Directory {
    /// An account that has had a signing key for some minutes.
    pub(crate) fn with(signing: &SigningKey, minutes_ago: i64) -> Self {
        let rotation = SigningKey::generate(Curve::P256).unwrap();
        let mut new = Self { rotation, did: String::new(), last: None, entries: Vec::new() };
        new.rotate_to(signing, -minutes_ago);
        new
    }

    /// Gives the account another signing key, some minutes from now.
    pub(crate) fn rotate_to(&mut self, signing: &SigningKey, in_minutes: i64) {
        let did_key = |key: &SigningKey| Value::from(key.public_key().did_key());
        let prev = self.last.map_or(Value::Null, |cid| Value::from(cid.to_string()));
        let mut operation: Map = [
            ("type", Value::from("plc_operation")),
            ("rotationKeys", Value::List(vec![did_key(&self.rotation)])),
            ("verificationMethods", Value::from([("atproto", did_key(signing))])),
            ("alsoKnownAs", Value::List(vec![])),
            ("services", Value::Map(Map::new())),
            ("prev", prev),
        ]
        .into_iter()
        .collect();
        let signature = self.rotation.sign(&Value::Map(operation.clone()).encode()).unwrap();
        operation.insert("sig", BASE64URL_NOPAD.encode(signature.as_bytes()));
        let operation = Value::Map(operation);
        let cid = Cid::of(Codec::Cbor, &operation.encode());
        if self.last.is_none() {
            let hash = BASE32_NOPAD.encode(cid.digest()).to_lowercase();
            self.did = format!("did:plc:{}", &hash[..24]);
        }
        let time = Timestamp::now() + SignedDuration::from_mins(in_minutes);
        self.last = Some(cid);
        self.entries.push(json!({
            "did": self.did,
            "operation": serde_json::from_str::<Json>(&operation.to_json()).unwrap(),
            "cid": cid.to_string(),
            "nullified": false,
            "createdAt": format!("{time:.3}"),
        }));
    }

    pub(crate) fn json(&self) -> String {
        Json::Array(self.entries.clone()).to_string()
    }
}
