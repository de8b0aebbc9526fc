//! `com.atproto.server`: facts about a host.

use serde::Deserialize;

use crate::error::Result;
use crate::host::Host;
use crate::net::Client;
use crate::request::{Bounds, Request};

/// What a host says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDescription {
    /// The DID of the host, as it claims.
    pub did: String,
    /// The endings of the handles that the host gives.
    #[serde(default)]
    pub available_user_domains: Vec<String>,
    /// Whether a new account needs an invite code.
    #[serde(default)]
    pub invite_code_required: bool,
    /// Whether a new account needs a telephone number.
    #[serde(default)]
    pub phone_verification_required: bool,
    /// The largest blob, if the host names it.
    pub blob_upload_limit: Option<u64>,
}

/// Returns what a host says about itself.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn describe_server(client: Client<'_>, host: &Host) -> Result<ServerDescription> {
    client.json(&Request::query(host, "com.atproto.server.describeServer", Bounds::JSON))
}
