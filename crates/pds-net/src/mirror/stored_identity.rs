//! The documents about an account that a mirror has stored.

use std::path::Path;

use pds::local::layout::{IDENTITY_DIRECTORY, IDENTITY_FILES};
use pds_core::data::limits::{MAX_DID_DOCUMENT_BYTES, MAX_PLC_LOG_BYTES};
use pds_core::identity::did_document::DidDocument;
use pds_core::identity::plc_log::PlcLog;

use crate::account::Account;
use crate::error::Result;
use crate::mirror::handle::Mirror;
use crate::mirror::small_file;
use crate::mirror::upstream::Upstream;
use crate::net::Net;
use crate::refusal::Refusal;

/// Returns the account as the stored documents name it.
pub(super) fn stored(net: &Net, dir: &Path, upstream: &Upstream) -> Option<Account> {
    let [document, log] = texts(dir);
    Account::stored(net, &upstream.did, upstream.handle.clone(), document?, log).ok()
}

/// Checks that the identity of an account continues the one that a mirror has seen: the log extends the stored one, and
/// a did:web has the known key.
///
/// # Errors
///
/// [`Refusal::LogChanged`] and [`Refusal::KeyChanged`].
pub fn check_stored(mirror: &Mirror, account: &Account) -> Result<()> {
    let path = mirror.dir().join(IDENTITY_DIRECTORY).join(LOG_FILE);
    if let Some(bytes) = small_file::read(&path, MAX_PLC_LOG_BYTES as u64)? {
        let log = std::str::from_utf8(&bytes).ok().and_then(|log| PlcLog::parse(log).ok());
        let held = log.ok_or_else(|| small_file::bad(&path, "it is no operation log"))?;
        return account.check_extends(&held);
    }
    if account.log.is_some() {
        return Ok(());
    }
    // The domain of a did:web may have changed hands.
    match (mirror.repo().keys().known()?, account.key()) {
        (Some(expected), Some(found)) if expected != *found => {
            let (did, expected, found) = (account.did.clone(), (&expected).into(), found.into());
            Err(Refusal::KeyChanged { did, expected, found }.into())
        }
        _ => Ok(()),
    }
}

/// Checks that the stored document of an account can be read, and belongs to the account.
///
/// # Errors
///
/// [`Error::File`](crate::error::Error::File).
pub fn check_stored_document(mirror: &Mirror) -> Result<()> {
    let path = mirror.dir().join(IDENTITY_DIRECTORY).join(DOCUMENT_FILE);
    let Some(bytes) = small_file::read(&path, MAX_DID_DOCUMENT_BYTES as u64)? else {
        return Ok(());
    };
    let document = std::str::from_utf8(&bytes).ok().and_then(|text| DidDocument::parse(text).ok());
    match document {
        Some(document) if *document.did() == mirror.upstream().did => Ok(()),
        Some(_) => Err(small_file::bad(&path, "it is the document of another account")),
        None => Err(small_file::bad(&path, "it is no DID document")),
    }
}

/// The file of the document.
const DOCUMENT_FILE: &str = IDENTITY_FILES[0];

/// The file of the operation log.
const LOG_FILE: &str = IDENTITY_FILES[1];

/// Reads the document and the log, as they were received.
fn texts(dir: &Path) -> [Option<String>; 2] {
    IDENTITY_FILES.map(|name| {
        let path = dir.join(IDENTITY_DIRECTORY).join(name);
        let bytes = small_file::read(&path, MAX_PLC_LOG_BYTES as u64).ok().flatten()?;
        String::from_utf8(bytes).ok()
    })
}
