//! From a DID to its document, and for did:plc to its operation log.

use pds_core::identity::did_document::DidDocument;
use pds_core::identity::plc_log::PlcLog;
use pds_core::syntax::did::Did;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::net::{Client, Net};
use crate::plc;
use crate::request::Request;

/// The identity of an account: its document and its operation log, valid and in agreement.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The document.
    pub document: DidDocument,
    /// The document as it was received.
    pub document_text: String,
    /// The operation log of a did:plc.
    pub log: Option<PlcLog>,
    /// The operation log as it was received.
    pub log_text: Option<String>,
}

impl Identity {
    /// Parses a document and a log that were received before.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] if they are not valid, [`Error::Refused`] if they disagree.
    pub fn parse(did: &Did, document_text: String, log_text: Option<String>) -> Result<Self> {
        let document = plc::parse_document(did, &document_text)?;
        let log = log_text.as_deref().map(|json| plc::parse_log(did, json)).transpose()?;
        if let Some(log) = &log {
            plc::agree(did, &document, log)?;
        }
        Ok(Self { document, document_text, log, log_text })
    }
}

/// Asks for the identity of an account.
///
/// # Errors
///
/// [`Error::Resolve`] for a DID of another method or form, otherwise as for a request.
pub fn resolve(client: Client<'_>, did: &Did) -> Result<Identity> {
    let wrong = |reason: &str| Error::Resolve { name: did.to_string(), reason: reason.to_owned() };
    if let Some(reason) = did.account_fault() {
        return Err(wrong(reason));
    }
    match did.method() {
        "plc" => {
            let answer = plc::fetch(client, did)?;
            Identity::parse(did, answer.document, Some(answer.log))
        }
        "web" => {
            let host = web_host(client.net(), did)?;
            let request = Request::get(&host, "/.well-known/did.json", plc::DOCUMENT);
            Identity::parse(did, plc::text(client, &request)?, None)
        }
        _ => Err(wrong("only did:plc and did:web have accounts")),
    }
}

/// Returns the host of a did:web. A port is for tests on this machine, which has no certificate.
fn web_host(net: &Net, did: &Did) -> Result<Host> {
    let encoded = did.as_str().strip_prefix("did:web:").unwrap_or_default();
    let name = percent_decode_str(encoded).decode_utf8_lossy();
    let host: Host = format!("https://{name}").parse()?;
    if host.name() == "localhost" && net.private_addresses().admits("localhost", host.port()) {
        return Ok(format!("http://{name}").parse()?);
    }
    Ok(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::options::NetOptions;
    use crate::private_addresses::PrivateAddresses;

    #[test]
    fn hosts_of_did_web() {
        let host = |private, did: &str| {
            let options = NetOptions { private_addresses: private, ..NetOptions::default() };
            web_host(&Net::new(options).unwrap(), &did.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(host(PrivateAddresses::Refuse, "did:web:a.com"), "https://a.com");
        let local = "did:web:localhost%3A2583";
        assert_eq!(host(PrivateAddresses::Refuse, local), "https://localhost:2583");
        assert_eq!(host(PrivateAddresses::Allow, local), "http://localhost:2583");
    }
}
