//! An account as its identity names it: DID, handle, host and keys.

use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::did_document::DidDocument;
use pds_core::identity::plc_log::PlcLog;
use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;

use crate::host::Host;

/// An account, resolved and checked: the document belongs to the DID, and the operation log agrees with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The DID.
    pub did: Did,
    /// The handle that the document names and that resolves to the DID, if there is one.
    pub handle: Option<Handle>,
    /// The host of the repository.
    pub host: Host,
    /// The DID document.
    pub document: DidDocument,
    /// The operation log of a did:plc.
    pub log: Option<PlcLog>,
    /// The document as received.
    pub document_text: String,
    /// The log as received.
    pub log_text: Option<String>,
    /// Warnings for the user, such as a handle that another host claims.
    pub warnings: Vec<String>,
}

impl Account {
    /// Returns the key that signs commits now, if the document names one.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.document.signing_key()
    }
}
