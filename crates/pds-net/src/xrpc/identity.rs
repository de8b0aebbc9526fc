//! `com.atproto.identity`: handles.

use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;
use serde::Deserialize;

use crate::error::Result;
use crate::host::Host;
use crate::net::Client;
use crate::request::{Bounds, Request};
use crate::xrpc::parsed;

#[derive(Deserialize)]
struct ResolvedHandle {
    #[serde(deserialize_with = "parsed::text")]
    did: Did,
}

/// Asks a server for the DID of a handle. The answer is a claim, which the document of the DID has to confirm.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn resolve_handle(client: Client<'_>, host: &Host, handle: &Handle) -> Result<Did> {
    let request = Request::query(host, "com.atproto.identity.resolveHandle", Bounds::JSON)
        .parameter("handle", handle.normalized().as_str());
    client.json(&request).map(|found: ResolvedHandle| found.did)
}
