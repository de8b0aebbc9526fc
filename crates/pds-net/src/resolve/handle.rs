//! From a handle to a DID: by DNS and by the web server of the handle, at the same time.

use std::sync::mpsc;
use std::thread;

use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;

use crate::address::is_reserved_name;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::limits::{DNS_TIMEOUT, MAX_WELL_KNOWN_BYTES, SECOND_OPINION_TIMEOUT};
use crate::net::{Client, Net};
use crate::request::{Bounds, Form, Request};
use crate::resolve::dns;
use crate::xrpc::identity::resolve_handle;

/// The DID that a handle names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDid {
    /// The DID.
    pub did: Did,
    /// The DID that the web server of the handle names, if it is another one than that of DNS.
    pub contested_by: Option<Did>,
}

/// What one of the two ways answered: a DID, no DID, or the reason why nothing came.
type Answer = Result<Option<Did>, String>;

/// Returns the DID that a handle names. Only the document of the DID can confirm it.
///
/// # Errors
///
/// [`Error::Resolve`] if nothing names a DID, or if DNS names several.
pub fn resolve(client: Client<'_>, handle: &Handle) -> Result<NamedDid> {
    let handle = handle.normalized();
    let options = client.net().options();
    let private = client.net().private_addresses();
    if let Some(resolver) = &options.resolver {
        if is_reserved_name(handle.as_str()) && !private.admits(resolver.name(), resolver.port()) {
            return Err(reserved(&handle));
        }
        let did = resolve_handle(client, resolver, &handle)?;
        return Ok(NamedDid { did, contested_by: None });
    }
    if is_reserved_name(handle.as_str()) && !private.admits(handle.as_str(), 443) {
        return Err(reserved(&handle));
    }
    let (sender, receiver) = mpsc::channel();
    let (net, asked) = (client.net().clone(), handle.clone());
    // The thread may outlive this call. Its own bounds end it.
    thread::spawn(move || drop(sender.send(of_web_server(&net, &asked))));
    let by_dns = of_dns(client.net(), &handle);
    let by_web = match by_dns {
        Ok(Some(_)) => receiver.recv_timeout(SECOND_OPINION_TIMEOUT).ok(),
        _ => receiver.recv().ok(),
    };
    let by_web = by_web.unwrap_or_else(|| Err("its web server gave no answer".to_owned()));
    combine(by_dns, by_web).map_err(|reason| Error::Resolve { name: handle.to_string(), reason })
}

fn reserved(handle: &Handle) -> Error {
    let reason = "its ending is reserved for local use; --resolver with --allow-private asks a \
                  local server";
    Error::Resolve { name: handle.to_string(), reason: reason.to_owned() }
}

/// Combines what both ways answered. DNS wins.
fn combine(by_dns: Answer, by_web: Answer) -> Result<NamedDid, String> {
    match (by_dns, by_web) {
        (Ok(Some(did)), by_web) => {
            let contested_by = by_web.ok().flatten().filter(|other| *other != did);
            Ok(NamedDid { did, contested_by })
        }
        (Err(reason), _) if reason.starts_with(SEVERAL) => Err(reason),
        (_, Ok(Some(did))) => Ok(NamedDid { did, contested_by: None }),
        (by_dns, by_web) => {
            let dns = by_dns.err().unwrap_or_else(|| "DNS has no did= record".to_owned());
            let web = by_web.err().unwrap_or_else(|| "its web server names no DID".to_owned());
            Err(format!("{dns}, and {web}; check the spelling"))
        }
    }
}

/// The beginning of the error for a handle with several DIDs.
const SEVERAL: &str = "DNS names several DIDs";

fn of_dns(net: &Net, handle: &Handle) -> Answer {
    let options = net.options();
    let servers = options.dns_servers.clone().unwrap_or_else(dns::system_servers);
    let name = format!("_atproto.{handle}");
    did_of_records(&dns::txt(&servers, &name, DNS_TIMEOUT.min(options.patience.first_byte))?)
}

/// Returns the only DID of the records. Records of other programs are skipped.
fn did_of_records(records: &[String]) -> Answer {
    let mut named: Vec<&str> =
        records.iter().filter_map(|record| record.strip_prefix("did=")).collect();
    named.sort_unstable();
    named.dedup();
    match named.as_slice() {
        [] => Ok(None),
        [one] => match one.trim().parse() {
            Ok(did) => Ok(Some(did)),
            Err(_) => Err("the did= record of DNS has no valid DID".to_owned()),
        },
        _ => Err(format!("{SEVERAL}; its owner has to remove all but one")),
    }
}

fn of_web_server(net: &Net, handle: &Handle) -> Answer {
    let bounds = Bounds {
        what: "atproto-did",
        form: Form::Text,
        max_bytes: MAX_WELL_KNOWN_BYTES,
        ..Bounds::JSON
    };
    let host = Host::https(handle.as_str()).map_err(|error| error.to_string())?;
    let request = Request::get(&host, "/.well-known/atproto-did", bounds).once();
    match net.client().bytes(&request) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            text.trim().parse().map(Some).map_err(|_| "its web server names no DID".to_owned())
        }
        Err(Error::Http { status: 404 | 410, .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn did(text: &str) -> Did {
        format!("did:web:{text}.com").parse().unwrap()
    }

    #[test]
    fn dns_wins() {
        let some = |text| Ok(Some(did(text)));
        let failed = || Err("no answer".to_owned());
        let agreed = NamedDid { did: did("a"), contested_by: None };
        assert_eq!(combine(some("a"), some("a")).unwrap(), agreed);
        assert_eq!(combine(some("a"), failed()).unwrap(), agreed);
        assert_eq!(combine(Ok(None), some("a")).unwrap(), agreed);
        assert_eq!(combine(failed(), some("a")).unwrap(), agreed);
        let contested = NamedDid { did: did("a"), contested_by: Some(did("b")) };
        assert_eq!(combine(some("a"), some("b")).unwrap(), contested);
        assert!(combine(Ok(None), Ok(None)).is_err() && combine(failed(), failed()).is_err());
        let several = did_of_records(&["did=did:web:a.com".into(), "did=did:web:b.com".into()]);
        assert!(combine(several, some("a")).unwrap_err().starts_with(SEVERAL));
    }

    #[test]
    fn records_of_other_programs_are_skipped() {
        let of = |records: &[&str]| {
            did_of_records(&records.iter().map(|&record| record.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of(&["v=spf1 -all", "did=did:web:a.com"]), Ok(Some(did("a"))));
        assert_eq!(of(&["did=did:web:a.com", "did=did:web:a.com"]), Ok(Some(did("a"))));
        assert_eq!(of(&["v=spf1 -all", "DID=did:web:a.com"]), Ok(None));
        assert!(of(&["did=alice"]).is_err());
    }
}
