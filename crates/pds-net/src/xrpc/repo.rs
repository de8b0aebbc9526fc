//! `com.atproto.repo`: accounts and records as a host describes them.

use pds_core::syntax::did::Did;
use serde::Deserialize;

use crate::error::Result;
use crate::host::Host;
use crate::net::Client;
use crate::request::{Bounds, Request};
use crate::xrpc::parsed;

/// What a host says about an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoDescription {
    /// The handle, as the host claims.
    pub handle: String,
    /// The account.
    #[serde(deserialize_with = "parsed::text")]
    pub did: Did,
    /// The collections of its records.
    pub collections: Vec<String>,
    /// Whether the host found that the handle names the account.
    pub handle_is_correct: bool,
}

/// Returns what a host says about an account.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn describe_repo(client: Client<'_>, host: &Host, did: &Did) -> Result<RepoDescription> {
    let request = Request::query(host, "com.atproto.repo.describeRepo", Bounds::JSON)
        .parameter("repo", did.as_str());
    client.json(&request)
}
