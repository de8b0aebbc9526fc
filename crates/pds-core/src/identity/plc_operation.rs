//! A signed operation of a did:plc account: its content and its signature.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};

use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::data::limits::{MAX_PLC_LOG_BYTES, MAX_PLC_OPERATION_BYTES};
use crate::data::value::{Map, Value};
use crate::identity::error::{IdentityError, OperationFault};
use crate::identity::plc_data::{PlcData, field, text};
use crate::syntax::did::Did;

/// A signed operation of a did:plc account, in the current or in the original form. The signature is not yet verified.
///
/// ```
/// use pds::crypto::{Curve, Signer, SigningKey};
/// use pds::identity::{PlcData, PlcOperation, UnsignedPlcOperation};
///
/// let key = SigningKey::generate(Curve::K256)?;
/// let data = PlcData { rotation_keys: vec![key.public_key()], ..PlcData::default() };
/// let genesis = UnsignedPlcOperation::genesis(data.clone()).sign(&key)?;
/// assert!(genesis.did().is_some_and(|did| did.method() == "plc"));
/// assert_eq!(PlcOperation::parse(&genesis.to_json())?, genesis);
/// assert_eq!(genesis.signed_by(&data.rotation_keys)?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlcOperation {
    cid: Cid,
    prev: Option<Cid>,
    data: Option<PlcData>,
    signature: Signature,
    /// All fields, including those that are not known here. The signature covers them.
    fields: Map,
}

impl PlcOperation {
    /// Parses an operation from its JSON form.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Json`] if the text is not JSON, and [`IdentityError::NoOperation`] if it is not an operation.
    pub fn parse(json: &str) -> Result<Self, IdentityError> {
        if json.len() > MAX_PLC_LOG_BYTES {
            let (bytes, limit) = (json.len(), MAX_PLC_LOG_BYTES);
            return Err(DataError::TooLarge { bytes, limit }.into());
        }
        match Value::from_json(json)? {
            Value::Map(fields) => Ok(Self::read(fields)?),
            _ => Err(field("operation", "not an object").into()),
        }
    }

    /// Reads an operation. Unknown fields are kept, because the signature covers them.
    pub(crate) fn read(fields: Map) -> Result<Self, OperationFault> {
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
        Ok(Self { cid: Cid::of(Codec::Cbor, &bytes), prev, data, signature, fields })
    }

    /// Returns the JSON form, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Map(self.fields.clone()).to_json()
    }

    /// Returns the CID of the signed operation.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// Returns the operation that this one follows, or `None` for a genesis.
    #[must_use]
    pub fn prev(&self) -> Option<Cid> {
        self.prev
    }

    /// Returns the account after the operation, or `None` for a tombstone.
    #[must_use]
    pub fn data(&self) -> Option<&PlcData> {
        self.data.as_ref()
    }

    /// Returns the account that the operation creates, or `None` unless it is a genesis.
    #[must_use]
    pub fn did(&self) -> Option<Did> {
        if self.prev.is_some() || self.data.is_none() {
            return None;
        }
        let mut hash = BASE32_NOPAD.encode(self.cid.digest());
        hash.make_ascii_lowercase();
        hash.truncate(PLC_IDENTIFIER_CHARS);
        format!("did:plc:{hash}").parse().ok()
    }

    /// Returns the bytes that the signature covers: all fields without `sig`. Two operations with the same bytes are
    /// the same operation, and no field of one is missing in the other.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        fields.remove("sig");
        Value::Map(fields).encode()
    }

    /// Returns the index of the key that signed the operation.
    ///
    /// # Errors
    ///
    /// [`OperationFault::Unsigned`] or [`OperationFault::HighS`] if none of the keys did, in the one valid form.
    pub fn signed_by(&self, keys: &[PublicKey]) -> Result<usize, OperationFault> {
        let signed_bytes = self.signing_bytes();
        let signed = |key: &PublicKey| key.verify(&signed_bytes, &self.signature).is_ok();
        keys.iter().position(signed).ok_or_else(|| {
            let signed = |key: &&PublicKey| {
                let lowered = self.signature.lowered(key.curve());
                lowered.is_some_and(|lowered| key.verify(&signed_bytes, &lowered).is_ok())
            };
            let high = |key: &PublicKey| OperationFault::HighS { curve: key.curve() };
            keys.iter().find(signed).map_or(OperationFault::Unsigned, high)
        })
    }
}

/// The number of characters of the genesis operation's hash in a did:plc.
const PLC_IDENTIFIER_CHARS: usize = 24;
