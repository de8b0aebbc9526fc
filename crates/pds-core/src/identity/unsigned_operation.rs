//! Operations of did:plc accounts before they are signed.

use std::collections::HashSet;

use data_encoding::BASE64URL_NOPAD;

use crate::crypto::signer::Signer;
use crate::data::cid::Cid;
use crate::data::limits::{MAX_WRITTEN_PLC_OPERATION_BYTES, MAX_WRITTEN_PLC_ROTATION_KEYS};
use crate::data::value::{Map, Value};
use crate::identity::error::{IdentityError, OperationFault};
use crate::identity::plc_data::{PlcData, field};
use crate::identity::plc_operation::PlcOperation;

/// An operation of a did:plc account that is not yet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedPlcOperation {
    prev: Option<Cid>,
    /// The account after the operation, or `None` for a tombstone.
    data: Option<PlcData>,
}

impl UnsignedPlcOperation {
    /// Returns the first operation of an account. The DID follows from its signed form.
    #[must_use]
    pub fn genesis(data: PlcData) -> Self {
        Self { prev: None, data: Some(data) }
    }

    /// Returns an operation that sets the whole content of an account. `prev` is the operation in force.
    #[must_use]
    pub fn update(prev: Cid, data: PlcData) -> Self {
        Self { prev: Some(prev), data: Some(data) }
    }

    /// Returns the operation that ends an account. `prev` is the operation in force.
    #[must_use]
    pub fn tombstone(prev: Cid) -> Self {
        Self { prev: Some(prev), data: None }
    }

    /// Returns the bytes that a signature covers.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        Value::Map(self.fields()).encode()
    }

    /// Signs the operation. A directory accepts it only if the key is a rotation key of the operation before it, or of
    /// the genesis itself.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoOperation`] if a directory would refuse the content, or if the key may not sign the genesis.
    /// [`IdentityError::Signer`] if the signer fails, or if its result is not a valid signature by its key.
    pub fn sign(self, signer: &dyn Signer) -> Result<PlcOperation, IdentityError> {
        if let Some(data) = &self.data {
            check_written(data)?;
            if self.prev.is_none() && !data.rotation_keys.contains(&signer.public_key()) {
                return Err(OperationFault::Unsigned.into());
            }
        }
        let mut fields = self.fields();
        let message = Value::Map(fields.clone()).encode();
        let signature = signer.sign(&message)?;
        if !signer.is_sound() {
            signer.public_key().verify(&message, &signature)?;
        }
        fields.insert("sig", BASE64URL_NOPAD.encode(signature.as_bytes()));
        let bytes = Value::Map(fields.clone()).encode().len();
        let limit = MAX_WRITTEN_PLC_OPERATION_BYTES;
        if bytes > limit {
            return Err(OperationFault::TooLarge { bytes, limit }.into());
        }
        Ok(PlcOperation::read(fields)?)
    }

    fn fields(&self) -> Map {
        let kind = if self.data.is_some() { "plc_operation" } else { "plc_tombstone" };
        let prev = self.prev.map_or(Value::Null, |cid| Value::from(cid.to_string()));
        let mut fields = Map::from_iter([("type", Value::from(kind)), ("prev", prev)]);
        if let Some(data) = &self.data {
            let keys = data.rotation_keys.iter().map(|key| Value::from(key.did_key()));
            let names = data.also_known_as.iter().map(|name| Value::from(name.as_str()));
            let methods = data.verification_methods.iter();
            let methods = methods.map(|(name, key)| (name.as_str(), key.as_str()));
            let services = data.services.iter().map(|(name, service)| {
                let kind = ("type", Value::from(service.kind.as_str()));
                let endpoint = ("endpoint", Value::from(service.endpoint.as_str()));
                (name.as_str(), Value::from([kind, endpoint]))
            });
            fields.insert("rotationKeys", keys.collect::<Value>());
            fields.insert("alsoKnownAs", names.collect::<Value>());
            fields.insert("verificationMethods", methods.collect::<Map>());
            fields.insert("services", services.collect::<Map>());
        }
        fields
    }
}

/// Checks what directories check before they accept an operation. Older operations in their logs may break these rules.
fn check_written(data: &PlcData) -> Result<(), OperationFault> {
    let check = |is_good: bool, name, rule| if is_good { Ok(()) } else { Err(field(name, rule)) };
    let keys = &data.rotation_keys;
    let count = 1..=MAX_WRITTEN_PLC_ROTATION_KEYS;
    check(count.contains(&keys.len()), "rotationKeys", "not one to five")?;
    let distinct: HashSet<String> = keys.iter().map(|key| key.did_key()).collect();
    check(distinct.len() == keys.len(), "rotationKeys", "a key occurs twice")?;
    let names = &data.also_known_as;
    let distinct: HashSet<&String> = names.iter().collect();
    check(names.len() <= MAX_ENTRIES, "alsoKnownAs", "more than ten")?;
    check(distinct.len() == names.len(), "alsoKnownAs", "a name occurs twice")?;
    let is_short = |name: &String| name.len() <= MAX_NAME_BYTES;
    check(names.iter().all(is_short), "alsoKnownAs", "a name longer than 258 bytes")?;
    let is_id = |id: &String| id.len() <= MAX_ID_BYTES;
    let ids = data.verification_methods.keys().all(is_id);
    check(ids, "verificationMethods", "an id longer than 32 bytes")?;
    check(data.services.len() <= MAX_ENTRIES, "services", "more than ten")?;
    check(data.services.keys().all(is_id), "services", "an id longer than 32 bytes")?;
    let is_short = |text: &str, limit| text.len() <= limit;
    let mut services = data.services.values();
    let fits = services.all(|service| {
        is_short(&service.kind, MAX_TYPE_BYTES) && is_short(&service.endpoint, MAX_ENDPOINT_BYTES)
    });
    check(fits, "services", "a type longer than 96 bytes, or an endpoint longer than 256")
}

/// The limits of directories: names and services, the longest handle with `at://`, ids, types and endpoints.
const MAX_ENTRIES: usize = 10;
const MAX_NAME_BYTES: usize = 258;
const MAX_ID_BYTES: usize = 32;
const MAX_TYPE_BYTES: usize = 96;
const MAX_ENDPOINT_BYTES: usize = 256;
