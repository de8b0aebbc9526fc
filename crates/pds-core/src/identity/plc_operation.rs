//! A single operation of a did:plc log: its content and its signature.

use data_encoding::BASE64URL_NOPAD;

use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::data::cid::{Cid, Codec};
use crate::data::limits::MAX_PLC_OPERATION_BYTES;
use crate::data::value::{Map, Value};
use crate::identity::error::OperationFault;
use crate::identity::plc_data::{PlcData, field, text};

/// An operation, in the current or in the original form.
pub(crate) struct Operation {
    pub(crate) cid: Cid,
    pub(crate) prev: Option<Cid>,
    /// The account after this operation, or `None` after a tombstone.
    pub(crate) data: Option<PlcData>,
    signing_bytes: Vec<u8>,
    signature: Signature,
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
        let data = match text(&fields, "type")? {
            "plc_operation" => Some(PlcData::of_operation(&fields)?),
            "create" if prev.is_some() => {
                return Err(field("type", "create is valid only as the first operation"));
            }
            "create" => Some(PlcData::of_create(&fields)?),
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
        Ok(Self { cid: Cid::of(Codec::Cbor, &bytes), prev, data, signing_bytes, signature })
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
