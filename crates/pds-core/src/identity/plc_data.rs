//! What a did:plc account consists of after an operation: keys, names and services.

use std::collections::BTreeMap;

use crate::crypto::public_key::PublicKey;
use crate::data::limits::{MAX_PLC_ROTATION_KEYS, MAX_PLC_VERIFICATION_METHODS};
use crate::data::value::{Map, Value};
use crate::identity::error::OperationFault;
use crate::identity::origin::{PDS_SERVICE, PDS_SERVICE_TYPE, handles, origin};
use crate::syntax::handle::Handle;

/// The content of a did:plc account: its keys, names and services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlcData {
    /// The keys that sign operations, from the most powerful to the least powerful.
    pub rotation_keys: Vec<PublicKey>,
    /// The public keys of the account as did:key, by name. `atproto` is the signing key of commits.
    pub verification_methods: BTreeMap<String, String>,
    /// The names of the account as URIs. The first handle is the primary one.
    pub also_known_as: Vec<String>,
    /// The services of the account, by name. `atproto_pds` is its host.
    pub services: BTreeMap<String, PlcService>,
}

/// A service of a did:plc account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlcService {
    /// The type, such as `AtprotoPersonalDataServer`.
    pub kind: String,
    /// The address, which no rule of the directory restricts.
    pub endpoint: String,
}

impl PlcData {
    /// Returns the signing key of commits, or `None` if there is no key or only one of an unsupported kind.
    #[must_use]
    pub fn signing_key(&self) -> Option<PublicKey> {
        let key = self.verification_methods.get(SIGNING_METHOD)?;
        PublicKey::from_did_key(key).ok()
    }

    /// Returns the valid handles among the names, in order. The first one is the primary handle.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        handles(self.also_known_as.iter().map(String::as_str)).collect()
    }

    /// Returns the origin of the host of the account, as [`DidDocument::pds`](super::did_document::DidDocument::pds)
    /// does.
    #[must_use]
    pub fn pds(&self) -> Option<String> {
        let service = self.services.get(PDS_SERVICE)?;
        if service.kind != PDS_SERVICE_TYPE {
            return None;
        }
        origin(&service.endpoint)
    }

    /// Reads the fields of an operation in the current form.
    pub(crate) fn of_operation(fields: &Map) -> Result<Self, OperationFault> {
        let keys = list(fields, "rotationKeys")?;
        if keys.len() > MAX_PLC_ROTATION_KEYS {
            return Err(field("rotationKeys", "more than ten"));
        }
        let keys = keys.iter().map(|key| {
            let key = key.as_text().and_then(|key| PublicKey::from_did_key(key).ok());
            key.ok_or(field("rotationKeys", "not a did:key of a supported curve"))
        });
        let rotation_keys = keys.collect::<Result<_, _>>()?;
        let methods = map(fields, "verificationMethods")?;
        if methods.len() > MAX_PLC_VERIFICATION_METHODS {
            return Err(field("verificationMethods", "more than ten"));
        }
        let methods = methods.iter().map(|(name, key)| {
            // Keys of other kinds are allowed, but they cannot sign commits.
            let key = key.as_text().filter(|key| key.starts_with("did:key:z"));
            let key = key.ok_or(field("verificationMethods", "a value is not a did:key"))?;
            Ok((name.to_owned(), key.to_owned()))
        });
        let verification_methods = methods.collect::<Result<_, _>>()?;
        let names = list(fields, "alsoKnownAs")?.iter().map(|name| {
            let name = name.as_text().map(ToOwned::to_owned);
            name.ok_or(field("alsoKnownAs", "a value is not text"))
        });
        let also_known_as = names.collect::<Result<_, _>>()?;
        let services = map(fields, "services")?.iter().map(|(name, service)| {
            let service = PlcService::read(service).ok_or(NO_SERVICE)?;
            Ok((name.to_owned(), service))
        });
        let services = services.collect::<Result<_, _>>()?;
        Ok(Self { rotation_keys, verification_methods, also_known_as, services })
    }

    /// Reads the fields of a genesis in the original form, which had one host, one handle and two keys.
    pub(crate) fn of_create(fields: &Map) -> Result<Self, OperationFault> {
        let key = |name| {
            let key = PublicKey::from_did_key(text(fields, name)?);
            key.map_err(|_| field(name, "not a did:key of a supported curve"))
        };
        let signing_key = key("signingKey")?;
        let methods = [(SIGNING_METHOD.to_owned(), signing_key.did_key())];
        let rotation_keys = vec![key("recoveryKey")?, signing_key];
        let (handle, service) = (text(fields, "handle")?, text(fields, "service")?);
        let has_scheme = service.starts_with("http://") || service.starts_with("https://");
        let scheme = if has_scheme { "" } else { "https://" };
        let at = if handle.starts_with("at://") { "" } else { "at://" };
        let host = PlcService {
            kind: PDS_SERVICE_TYPE.to_owned(),
            endpoint: format!("{scheme}{service}"),
        };
        Ok(Self {
            rotation_keys,
            verification_methods: methods.into(),
            also_known_as: vec![format!("{at}{handle}")],
            services: [(PDS_SERVICE.to_owned(), host)].into(),
        })
    }
}

impl PlcService {
    fn read(service: &Value) -> Option<Self> {
        let text = |name| service.get(name).and_then(Value::as_text).map(ToOwned::to_owned);
        Some(Self { kind: text("type")?, endpoint: text("endpoint")? })
    }
}

fn list<'f>(fields: &'f Map, name: &'static str) -> Result<&'f [Value], OperationFault> {
    fields.get(name).and_then(Value::as_list).ok_or(field(name, "not a list"))
}

fn map<'f>(fields: &'f Map, name: &'static str) -> Result<&'f Map, OperationFault> {
    fields.get(name).and_then(Value::as_map).ok_or(field(name, "not a map"))
}

pub(crate) fn text<'a>(fields: &'a Map, name: &'static str) -> Result<&'a str, OperationFault> {
    fields.get(name).and_then(Value::as_text).ok_or(field(name, "missing, or not text"))
}

pub(crate) const fn field(field: &'static str, reason: &'static str) -> OperationFault {
    OperationFault::Field { field, reason }
}

/// The name of the signing key of commits.
const SIGNING_METHOD: &str = "atproto";

const NO_SERVICE: OperationFault =
    field("services", "a value without a type and an endpoint as text");
