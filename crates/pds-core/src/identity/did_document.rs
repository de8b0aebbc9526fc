//! DID documents, which name the current signing key of an account.

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::data::error::DataError;
use crate::data::limits::MAX_DID_DOCUMENT_BYTES;
use crate::data::value::Value;
use crate::identity::error::IdentityError;
use crate::identity::key_history::KeyHistory;
use crate::identity::origin::{PDS_SERVICE_TYPE, handles, origin};
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// The DID document of an account, reduced to its DID, its signing key, its host and its handles.
///
/// (atproto specification "DID", "Representation in DID Documents".)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidDocument {
    did: Did,
    signing_key: Option<PublicKey>,
    pds: Option<String>,
    handles: Vec<Handle>,
}

impl DidDocument {
    /// Parses a document.
    ///
    /// The signing key is the first supported verification method that is named `#atproto` and
    /// controlled by the account itself. Its type is `Multikey` or one of the two older types that
    /// contain the bare point.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Json`] if the text is not JSON. [`IdentityError::Document`] if its `id` is
    /// not a DID, or if it has signing keys but none that can be parsed.
    pub fn parse(json: &str) -> Result<Self, IdentityError> {
        if json.len() > MAX_DID_DOCUMENT_BYTES {
            let (bytes, limit) = (json.len(), MAX_DID_DOCUMENT_BYTES);
            return Err(DataError::TooLarge { bytes, limit }.into());
        }
        let document = Value::from_json(json)?;
        let no_document = |reason: &str| IdentityError::Document { reason: reason.to_owned() };
        let did = document.get("id").and_then(Value::as_text);
        let did: Did = did
            .and_then(|did| did.parse().ok())
            .ok_or_else(|| no_document("its id is not a DID"))?;
        let methods: &[Value] = match document.get("verificationMethod") {
            Some(Value::List(methods)) => methods,
            Some(Value::Null) | None => &[],
            Some(_) => return Err(no_document("its verificationMethod is not a list")),
        };
        let signing_key = signing_key(methods, &did)
            .map_err(|error| IdentityError::Document { reason: error.to_string() })?;
        let pds = list(&document, "service").iter().find(|service| is_pds(service, &did));
        let pds = pds.and_then(|service| origin(text(service, "serviceEndpoint")?));
        let names = list(&document, "alsoKnownAs").iter().filter_map(Value::as_text);
        let handles = handles(names).collect();
        Ok(Self { did, signing_key, pds, handles })
    }

    /// Returns the DID of the account.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the current signing key of commits, if there is one.
    #[must_use]
    pub fn signing_key(&self) -> Option<&PublicKey> {
        self.signing_key.as_ref()
    }

    /// Returns the origin of the host of the account, such as `https://pds.example.com`, if there is one.
    ///
    /// It is the endpoint of the first service that is named `#atproto_pds` and has the type
    /// `AtprotoPersonalDataServer`, in lower case and without the default port. An endpoint with a path, a query or
    /// credentials is not the origin of a host. The name is a claim: it can be an address that must not be dialled.
    #[must_use]
    pub fn pds(&self) -> Option<&str> {
        self.pds.as_deref()
    }

    /// Returns the handles that the account claims, in order. The first one is the primary handle.
    #[must_use]
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Returns a history in which the current signing key is valid at all times.
    #[must_use]
    pub fn key_history(&self) -> KeyHistory {
        KeyHistory::of_changes(self.did.clone(), [(0, self.signing_key.clone())])
    }
}

/// Returns the first signing key that can be parsed, or the error of the first one if there is no other.
fn signing_key(methods: &[Value], did: &Did) -> Result<Option<PublicKey>, CryptoError> {
    let is_key = |method: &&Value| {
        is_named(method, "#atproto", did) && text(method, "controller") == Some(did.as_str())
    };
    let mut refused = None;
    for method in methods.iter().filter(is_key) {
        match key(method) {
            Ok(key) => return Ok(Some(key)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(None), Err)
}

fn is_pds(service: &Value, did: &Did) -> bool {
    is_named(service, "#atproto_pds", did) && text(service, "type") == Some(PDS_SERVICE_TYPE)
}

/// Returns whether a part of a document has this id. Ids are absolute, or relative to the document.
fn is_named(part: &Value, id: &str, did: &Did) -> bool {
    let of = text(part, "id").and_then(|found| found.strip_suffix(id));
    of.is_some_and(|of| of.is_empty() || of == did.as_str())
}

fn text<'v>(part: &'v Value, name: &str) -> Option<&'v str> {
    part.get(name).and_then(Value::as_text)
}

/// Returns a list of the document. A document without the list has an empty one.
fn list<'v>(document: &'v Value, name: &str) -> &'v [Value] {
    document.get(name).and_then(Value::as_list).unwrap_or_default()
}

fn key(method: &Value) -> Result<PublicKey, CryptoError> {
    let encoded = text(method, "publicKeyMultibase").unwrap_or_default();
    match text(method, "type").unwrap_or_default() {
        "EcdsaSecp256k1VerificationKey2019" => {
            PublicKey::from_legacy_multibase(Curve::K256, encoded)
        }
        "EcdsaSecp256r1VerificationKey2019" => {
            PublicKey::from_legacy_multibase(Curve::P256, encoded)
        }
        "Multikey" => PublicKey::from_multikey(encoded),
        _ => Err(CryptoError::InvalidPublicKey { reason: "its type is unknown" }),
    }
}
