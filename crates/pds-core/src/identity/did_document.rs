//! DID documents, which name the current signing key of an account.

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::data::error::DataError;
use crate::data::limits::MAX_DID_DOCUMENT_BYTES;
use crate::data::value::Value;
use crate::identity::error::IdentityError;
use crate::identity::key_history::KeyHistory;
use crate::syntax::did::Did;

/// The DID document of an account, reduced to its DID and its signing key.
///
/// (atproto specification "DID", "Representation in DID Documents".)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidDocument {
    did: Did,
    signing_key: Option<PublicKey>,
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
        let mut refused = None;
        for method in methods.iter().filter(|method| is_signing_key(method, &did)) {
            match key(method) {
                Ok(key) => return Ok(Self { did, signing_key: Some(key) }),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) => Err(IdentityError::Document { reason: error.to_string() }),
            None => Ok(Self { did, signing_key: None }),
        }
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

    /// Returns a history in which the current signing key is valid at all times.
    #[must_use]
    pub fn key_history(&self) -> KeyHistory {
        KeyHistory::of_changes(self.did.clone(), [(0, self.signing_key.clone())])
    }
}

/// The name of the method is absolute or, in older documents, relative to the document.
fn is_signing_key(method: &Value, did: &Did) -> bool {
    let text = |name| method.get(name).and_then(Value::as_text);
    let id = text("id").and_then(|id| id.strip_suffix("#atproto"));
    id.is_some_and(|of| of.is_empty() || of == did.as_str())
        && text("controller") == Some(did.as_str())
}

fn key(method: &Value) -> Result<PublicKey, CryptoError> {
    let text = |name| method.get(name).and_then(Value::as_text).unwrap_or_default();
    let encoded = text("publicKeyMultibase");
    match text("type") {
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
