//! The file `upstream.json`: what a mirror knows of its host.

use std::path::Path;

use pds::local::layout::UPSTREAM_FILE;
use pds_core::data::cid::Cid;
use pds_core::syntax::datetime::Datetime;
use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;
use pds_core::syntax::tid::Tid;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::mirror::small_file::{bad, read_json, write_json};
use crate::xrpc::parsed;

/// What a mirror knows of its host. It is a hint: the store names the account, and the signed commit names the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Upstream {
    /// The version of the file, 1.
    version: u32,
    /// The account.
    #[serde(serialize_with = "parsed::write", deserialize_with = "parsed::text")]
    pub did: Did,
    /// The host from which the last state came.
    pub host: Host,
    /// The handle, if it was verified.
    #[serde(
        default,
        serialize_with = "parsed::write_optional",
        deserialize_with = "parsed::optional"
    )]
    pub handle: Option<Handle>,
    /// The commit of the last state.
    #[serde(default)]
    pub head: Option<Cid>,
    /// The rev that the host gave to this state. After an import, it is not the rev in the commit.
    #[serde(
        default,
        serialize_with = "parsed::write_optional",
        deserialize_with = "parsed::optional"
    )]
    pub host_rev: Option<Tid>,
    /// Why the host does not serve the account, such as `deactivated`.
    #[serde(default)]
    pub status: Option<String>,
    /// Whether each blob of the last state was fetched, or is listed as missing.
    #[serde(default)]
    pub complete: bool,
    /// The number of blobs that are listed as missing.
    #[serde(default)]
    pub missing: u64,
    /// The last time when the identity of the account was checked.
    #[serde(
        default,
        serialize_with = "parsed::write_optional",
        deserialize_with = "parsed::optional"
    )]
    pub checked_at: Option<Datetime>,
    /// The last time when the host was asked for a newer state.
    #[serde(
        default,
        serialize_with = "parsed::write_optional",
        deserialize_with = "parsed::optional"
    )]
    pub pulled_at: Option<Datetime>,
    /// The place in an event stream.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// A place in the event stream of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The server.
    pub url: Host,
    /// The number of the last event whose effects are stored.
    pub seq: u64,
}

impl Upstream {
    /// Returns what is known of a host before the first state.
    pub(crate) fn new(did: Did, host: Host) -> Self {
        Self {
            version: VERSION,
            did,
            host,
            handle: None,
            head: None,
            host_rev: None,
            status: None,
            complete: false,
            missing: 0,
            checked_at: None,
            pulled_at: None,
            cursor: None,
        }
    }

    /// Reads the file of a repository directory, or returns `None` if it has none: it does not follow a host.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::error::Error::File) if the file cannot be used.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(UPSTREAM_FILE);
        let Some(read) = read_json::<Self>(&path, MAX_BYTES)? else { return Ok(None) };
        if read.version != VERSION {
            let reason = match read.version {
                version if version > VERSION => {
                    format!("a later release wrote it, as version {version}; use that release")
                }
                version => format!("version {version} of the file does not exist"),
            };
            return Err(bad(&path, &reason));
        }
        Ok(Some(read))
    }

    /// Replaces the file.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        write_json(&dir.join(UPSTREAM_FILE), self)
    }
}

/// The version of the file.
const VERSION: u32 = 1;

/// The largest file. Real ones have less than 1 KiB.
const MAX_BYTES: u64 = 1 << 20;
