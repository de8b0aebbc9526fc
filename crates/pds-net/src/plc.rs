//! The directory of did:plc: the document and the operation log of an account, which have to agree.

use pds_core::identity::did_document::DidDocument;
use pds_core::identity::plc_log::PlcLog;
use pds_core::syntax::did::Did;

use crate::error::{Error, Result};
use crate::limits::{MAX_DID_DOCUMENT_BYTES, MAX_PLC_LOG_BYTES};
use crate::net::{Client, Net};
use crate::refusal::Refusal;
use crate::request::{Bounds, Request};

/// The bounds of a document. A redirect could replace the identity, so none is followed.
pub(crate) const DOCUMENT: Bounds = Bounds {
    what: "the DID document",
    max_bytes: MAX_DID_DOCUMENT_BYTES,
    redirects: 0,
    ..Bounds::JSON
};

/// The bounds of an operation log.
const LOG: Bounds = Bounds {
    what: "the operation log",
    max_bytes: MAX_PLC_LOG_BYTES,
    redirects: 0,
    ..Bounds::JSON
};

/// What a directory says about an account, as received.
#[derive(Debug, Clone)]
pub(crate) struct PlcAnswer {
    pub(crate) document: String,
    pub(crate) log: String,
}

/// Asks the directory for the document and the log of an account. Both are valid and agree.
///
/// # Errors
///
/// The fault of the request, [`Error::Answer`] for a document or log that is not valid, or
/// [`Refusal::DocumentDiffers`].
pub(crate) fn fetch(client: Client<'_>, did: &Did) -> Result<PlcAnswer> {
    // An operation between the two requests makes them differ, so they are asked twice.
    let first = fetch_once(client, did)?;
    match check(did, &first) {
        Err(Error::Refused(_)) => {}
        checked => return checked.map(|()| first),
    }
    let second = fetch_once(client, did)?;
    check(did, &second).map(|()| second)
}

fn fetch_once(client: Client<'_>, did: &Did) -> Result<PlcAnswer> {
    let plc = &client.net().options().plc;
    let log = log_text(client, did)?;
    let document = text(client, &Request::get(plc, &format!("/{did}"), DOCUMENT));
    let is_ended = || parse_log(did, &log).is_ok_and(|log| log.current().data.is_none());
    match document {
        // The directory has no document of an account that was ended.
        Err(error) if matches!(error.status(), Some(404 | 410)) && is_ended() => {
            Err(Error::Tombstone { did: did.clone() })
        }
        document => Ok(PlcAnswer { document: document?, log }),
    }
}

fn log_text(client: Client<'_>, did: &Did) -> Result<String> {
    let plc = &client.net().options().plc;
    text(client, &Request::get(plc, &format!("/{did}/log/audit"), LOG))
}

impl Net {
    /// Asks the directory for the operation log of a did:plc, also of an account that was ended.
    ///
    /// # Errors
    ///
    /// [`Error::Resolve`] for another DID, [`Error::Answer`] for a log that is not valid, and the faults of a request.
    pub fn operation_log(&self, did: &Did) -> Result<PlcLog> {
        let wrong =
            |reason: &str| Error::Resolve { name: did.to_string(), reason: reason.to_owned() };
        match did.account_fault() {
            Some(reason) => Err(wrong(reason)),
            None if did.method() != "plc" => Err(wrong("only did:plc has an operation log")),
            None => parse_log(did, &log_text(self.client(), did)?),
        }
    }
}

/// Reads an answer as text.
pub(crate) fn text(client: Client<'_>, request: &Request<'_>) -> Result<String> {
    String::from_utf8(client.bytes(request)?)
        .map_err(|_| Error::Answer { url: request.url(), reason: "it is not UTF-8".to_owned() })
}

fn check(did: &Did, answer: &PlcAnswer) -> Result<()> {
    let document = parse_document(did, &answer.document)?;
    let log = parse_log(did, &answer.log)?;
    agree(did, &document, &log)
}

/// Parses a document, which has to be that of an account.
pub(crate) fn parse_document(did: &Did, json: &str) -> Result<DidDocument> {
    let invalid = |reason| Error::Answer { url: format!("the document of {did}"), reason };
    let document = DidDocument::parse(json).map_err(|error| invalid(error.to_string()))?;
    if document.did() == did {
        Ok(document)
    } else {
        Err(invalid(format!("it is the document of {}", document.did())))
    }
}

/// Parses a log, which has to be that of an account.
pub(crate) fn parse_log(did: &Did, json: &str) -> Result<PlcLog> {
    let invalid = |reason| Error::Answer { url: format!("the operation log of {did}"), reason };
    let log = PlcLog::parse(json).map_err(|error| invalid(error.to_string()))?;
    if log.did() == did {
        Ok(log)
    } else {
        Err(invalid(format!("it is the operation log of {}", log.did())))
    }
}

/// Checks that a document and a log name the same key, host and handles.
pub(crate) fn agree(did: &Did, document: &DidDocument, log: &PlcLog) -> Result<()> {
    let differs = |what| Err(Refusal::DocumentDiffers { did: did.clone(), what }.into());
    let Some(data) = &log.current().data else {
        return Err(Error::Tombstone { did: did.clone() });
    };
    if data.signing_key().as_ref() != document.signing_key() {
        return differs("signing key");
    }
    if data.pds().as_deref() != document.pds() {
        return differs("host");
    }
    if data.handles() != document.handles() {
        return differs("handle");
    }
    Ok(())
}
