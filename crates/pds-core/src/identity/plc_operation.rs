//! A single operation of a did:plc log: its content and its signature.

use data_encoding::BASE64URL_NOPAD;

use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::data::cid::{Cid, Codec};
use crate::data::limits::{
    MAX_PLC_OPERATION_BYTES, MAX_PLC_ROTATION_KEYS, MAX_PLC_VERIFICATION_METHODS,
};
use crate::data::value::{Map, Value};
use crate::identity::error::OperationFault;

/// An operation, in the current or in the original form.
pub(crate) struct Operation {
    pub(crate) cid: Cid,
    pub(crate) prev: Option<Cid>,
    /// The account after this operation, or `None` after a tombstone.
    pub(crate) state: Option<State>,
    signing_bytes: Vec<u8>,
    signature: Signature,
}

/// The keys of an account.
pub(crate) struct State {
    /// The keys from the most powerful to the least powerful.
    pub(crate) rotation_keys: Vec<PublicKey>,
    /// The signing key of commits, or `None` if there is no key or only one of an unsupported kind.
    pub(crate) signing_key: Option<PublicKey>,
}

impl Operation {
    /// Parses an operation. Unknown fields are kept, because the signature covers them.
    pub(crate) fn read(mut fields: Map) -> Result<Self, OperationFault> {
        let bytes = Value::Map(fields.clone()).encode();
        if bytes.len() > MAX_PLC_OPERATION_BYTES {
            let limit = MAX_PLC_OPERATION_BYTES;
            return Err(OperationFault::TooLarge { bytes: bytes.len(), limit });
        }
        let prev = match fields.get("prev") {
            Some(Value::Null) => None,
            Some(Value::Text(text)) => {
                Some(text.parse().map_err(|_| field("prev", "not the CID of an operation"))?)
            }
            _ => return Err(field("prev", "neither null nor a CID as text")),
        };
        let state = match text(&fields, "type")? {
            "plc_operation" => Some(State::of_operation(&fields)?),
            "create" if prev.is_some() => {
                return Err(field("type", "create is valid only as the first operation"));
            }
            "create" => Some(State::of_create(&fields)?),
            "plc_tombstone" => None,
            _ => return Err(field("type", "not plc_operation, plc_tombstone or create")),
        };
        let signature = BASE64URL_NOPAD
            .decode(text(&fields, "sig")?.as_bytes())
            .map_err(|_| field("sig", "not base64url without padding"))?;
        let signature =
            Signature::from_bytes(&signature).map_err(|_| field("sig", "not 64 bytes"))?;
        fields.remove("sig");
        let signing_bytes = Value::Map(fields).encode();
        Ok(Self { cid: Cid::of(Codec::Cbor, &bytes), prev, state, signing_bytes, signature })
    }

    /// Returns the index of the key that signed the operation.
    pub(crate) fn signer(&self, keys: &[PublicKey]) -> Result<usize, OperationFault> {
        let signed = |key: &PublicKey| key.verify(&self.signing_bytes, &self.signature).is_ok();
        keys.iter().position(signed).ok_or_else(|| {
            let signed = |key: &&PublicKey| {
                let lowered = self.signature.lowered(key.curve());
                lowered.is_some_and(|lowered| key.verify(&self.signing_bytes, &lowered).is_ok())
            };
            let high = |key: &PublicKey| OperationFault::HighS { curve: key.curve() };
            keys.iter().find(signed).map_or(OperationFault::Unsigned, high)
        })
    }
}

impl State {
    fn of_operation(fields: &Map) -> Result<Self, OperationFault> {
        let Some(Value::List(keys)) = fields.get("rotationKeys") else {
            return Err(field("rotationKeys", "not a list"));
        };
        if keys.len() > MAX_PLC_ROTATION_KEYS {
            return Err(field("rotationKeys", "more than five"));
        }
        let keys = keys.iter().map(|key| {
            let key = key.as_text().and_then(|key| PublicKey::from_did_key(key).ok());
            key.ok_or(field("rotationKeys", "not a did:key of a supported curve"))
        });
        let rotation_keys = keys.collect::<Result<_, _>>()?;

        let Some(Value::Map(methods)) = fields.get("verificationMethods") else {
            return Err(field("verificationMethods", "not a map"));
        };
        if methods.len() > MAX_PLC_VERIFICATION_METHODS {
            return Err(field("verificationMethods", "more than ten"));
        }
        let mut signing_key = None;
        for (name, key) in methods.iter() {
            let is_key = key.as_text().filter(|key| key.starts_with("did:key:z"));
            let key = is_key.ok_or(field("verificationMethods", "a value is not a did:key"))?;
            if name == "atproto" {
                // Other kinds of keys are allowed, but they cannot sign commits.
                signing_key = PublicKey::from_did_key(key).ok();
            }
        }
        Ok(Self { rotation_keys, signing_key })
    }

    fn of_create(fields: &Map) -> Result<Self, OperationFault> {
        let key = |name| {
            let key = PublicKey::from_did_key(text(fields, name)?);
            key.map_err(|_| field(name, "not a did:key of a supported curve"))
        };
        let signing_key = key("signingKey")?;
        let rotation_keys = vec![key("recoveryKey")?, signing_key.clone()];
        Ok(Self { rotation_keys, signing_key: Some(signing_key) })
    }
}

pub(crate) fn text<'a>(fields: &'a Map, name: &'static str) -> Result<&'a str, OperationFault> {
    fields.get(name).and_then(Value::as_text).ok_or(field(name, "missing, or not text"))
}

pub(crate) const fn field(field: &'static str, reason: &'static str) -> OperationFault {
    OperationFault::Field { field, reason }
}
