//! From what a user writes to an account, with the handle checked in both directions.

use pds_core::identity::plc_log::PlcLog;
use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::net::{Client, Net};
use crate::refusal::Refusal;
use crate::resolve::did::{self, Identity};
use crate::resolve::handle::{self, NamedDid};
use crate::resolve::who::Who;

impl Account {
    /// Makes an account from a document and a log that were received before, without a request.
    ///
    /// The handle is the one that the caller knows.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] if they are not valid, [`Error::Refused`] if they disagree, [`Error::Resolve`] if the document
    /// names no host.
    pub fn stored(
        net: &Net,
        did: &Did,
        handle: Option<Handle>,
        document_text: String,
        log_text: Option<String>,
    ) -> Result<Self> {
        account(net, did, handle, Identity::parse(did, document_text, log_text)?)
    }

    /// Checks that the operation log extends a log that was seen before.
    ///
    /// # Errors
    ///
    /// [`Refusal::LogChanged`] with the first operation that differs.
    pub fn check_extends(&self, held: &PlcLog) -> Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        log.extends(held).map_err(|changed| {
            let (did, difference) = (self.did.clone(), changed.to_string());
            Refusal::LogChanged { did, difference }.into()
        })
    }
}

/// Finds an account: asks for its DID, its document and its log, and checks the handle in both directions.
///
/// # Errors
///
/// [`Error::Resolve`] if nothing names the account, and the faults of the requests.
pub fn resolve(client: Client<'_>, who: &Who) -> Result<Account> {
    match who {
        Who::Did(did) => of_did(client, did),
        Who::Handle(handle) => of_handle(client, handle),
        Who::Host(host) => {
            let reason = "it is a host, and not an account".to_owned();
            Err(Error::Resolve { name: host.to_string(), reason })
        }
    }
}

fn of_handle(client: Client<'_>, handle: &Handle) -> Result<Account> {
    let named = handle::resolve(client, handle)?;
    let identity = did::resolve(client, &named.did)?;
    let handle = handle.normalized();
    if !identity.document.handles().iter().any(|listed| listed.normalized() == handle) {
        let reason = format!("it names {}, whose document does not name the handle", named.did);
        return Err(Error::Resolve { name: handle.to_string(), reason });
    }
    let warnings = warnings(&handle, &named);
    let account = account(client.net(), &named.did, Some(handle), identity)?;
    Ok(Account { warnings, ..account })
}

fn of_did(client: Client<'_>, did: &Did) -> Result<Account> {
    let identity = did::resolve(client, did)?;
    // A handle that does not resolve is normal: its account is shown without one.
    let claimed = identity.document.handles().first().map(Handle::normalized);
    let named = claimed.and_then(|claimed| {
        let named = handle::resolve(client, &claimed).ok()?;
        (named.did == *did).then_some((claimed, named))
    });
    let warnings = named.iter().flat_map(|(handle, named)| warnings(handle, named)).collect();
    let account = account(client.net(), did, named.map(|(handle, _)| handle), identity)?;
    Ok(Account { warnings, ..account })
}

fn warnings(handle: &Handle, named: &NamedDid) -> Vec<String> {
    let contested = named.contested_by.iter().map(|other| {
        format!(
            "DNS says that {handle} is {}, and the web server of the handle says {other}",
            named.did
        )
    });
    contested.collect()
}

fn account(net: &Net, did: &Did, handle: Option<Handle>, identity: Identity) -> Result<Account> {
    let Identity { document, document_text, log, log_text } = identity;
    let Some(host) = document.pds() else {
        let reason = "its document names no host".to_owned();
        return Err(Error::Resolve { name: did.to_string(), reason });
    };
    let host = net.host(host)?;
    let (did, warnings) = (did.clone(), Vec::new());
    Ok(Account { did, handle, host, document, log, document_text, log_text, warnings })
}

impl Net {
    /// Finds an account.
    ///
    /// # Errors
    ///
    /// As for [`resolve`].
    pub fn account(&self, who: &Who) -> Result<Account> {
        resolve(self.client(), who)
    }
}
