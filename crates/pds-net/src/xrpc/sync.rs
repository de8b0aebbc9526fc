//! `com.atproto.sync`: repositories, blocks and blobs.

use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use serde::Deserialize;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::limits::{MAX_CIDS_A_REQUEST, MAX_CURSOR_BYTES};
use crate::net::Client;
use crate::request::{Bounds, Request};
use crate::xrpc::parsed;

/// The newest commit that a host has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LatestCommit {
    /// The commit.
    pub cid: Cid,
    /// The rev of the host. After an import it is not the rev in the commit.
    #[serde(deserialize_with = "parsed::text")]
    pub rev: Tid,
}

/// The state of an account on a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepoStatus {
    /// The account.
    #[serde(deserialize_with = "parsed::text")]
    pub did: Did,
    /// Whether the host serves the account.
    pub active: bool,
    /// Why it does not, such as `deactivated`.
    pub status: Option<String>,
    /// The rev of the host.
    #[serde(default, deserialize_with = "parsed::optional")]
    pub rev: Option<Tid>,
}

/// A page of the repositories of a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReposPage {
    /// The place of the next page, if there is one.
    pub cursor: Option<String>,
    /// The repositories.
    pub repos: Vec<ListedRepo>,
}

/// A repository of a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedRepo {
    /// The account.
    #[serde(deserialize_with = "parsed::text")]
    pub did: Did,
    /// The newest commit.
    pub head: Cid,
    /// The rev of the host.
    #[serde(deserialize_with = "parsed::text")]
    pub rev: Tid,
    /// Whether the host serves the account. Old hosts do not say it.
    pub active: Option<bool>,
    /// Why it does not.
    pub status: Option<String>,
}

/// A page of the blobs of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BlobsPage {
    /// The place of the next page, if there is one.
    pub cursor: Option<String>,
    /// The blobs.
    pub cids: Vec<Cid>,
}

fn query<'a>(host: &'a Host, method: &str, bounds: Bounds) -> Request<'a> {
    Request::query(host, &format!("com.atproto.sync.{method}"), bounds)
}

/// Returns the newest commit of an account.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn get_latest_commit(client: Client<'_>, host: &Host, did: &Did) -> Result<LatestCommit> {
    let request = query(host, "getLatestCommit", Bounds::JSON).parameter("did", did.as_str());
    client.json(&request)
}

/// Returns the state of an account.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn get_repo_status(client: Client<'_>, host: &Host, did: &Did) -> Result<RepoStatus> {
    let request = query(host, "getRepoStatus", Bounds::JSON).parameter("did", did.as_str());
    client.json(&request)
}

/// Opens the CAR file of a repository, or of what is new after a rev of the host, of at most `max_bytes`.
///
/// # Errors
///
/// As for [`Client::send`].
pub fn get_repo(
    client: Client<'_>,
    host: &Host,
    did: &Did,
    since: Option<&str>,
    max_bytes: u64,
) -> Result<Body> {
    let mut request = query(host, "getRepo", Bounds::car(max_bytes)).parameter("did", did.as_str());
    if let Some(since) = since {
        request = request.parameter("since", since);
    }
    Ok(client.send(&request)?.into_body())
}

/// Opens a CAR file of blocks, for the first [`MAX_CIDS_A_REQUEST`] CIDs, of at most `max_bytes`.
///
/// # Errors
///
/// As for [`Client::send`].
pub fn get_blocks(
    client: Client<'_>,
    host: &Host,
    did: &Did,
    cids: &[Cid],
    max_bytes: u64,
) -> Result<Body> {
    let mut request =
        query(host, "getBlocks", Bounds::car(max_bytes)).parameter("did", did.as_str());
    for cid in cids.iter().take(MAX_CIDS_A_REQUEST) {
        request = request.parameter("cids", &cid.to_string());
    }
    Ok(client.send(&request)?.into_body())
}

/// Asks for a blob of at most `max_bytes`, and gives it to a function.
///
/// # Errors
///
/// As for [`Client::read`].
pub fn get_blob<T>(
    client: Client<'_>,
    (host, did): (&Host, &Did),
    cid: &Cid,
    max_bytes: u64,
    read: impl Fn(Body) -> Result<T>,
) -> Result<T> {
    let request = query(host, "getBlob", Bounds::blob(max_bytes))
        .parameter("did", did.as_str())
        .parameter("cid", &cid.to_string());
    client.read(&request, read)
}

/// Returns a page of the repositories of a host, of at most 1,000.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn list_repos(client: Client<'_>, host: &Host, cursor: Option<&str>) -> Result<ReposPage> {
    let mut request = query(host, "listRepos", Bounds::JSON).parameter("limit", "1000");
    if let Some(cursor) = cursor {
        request = request.parameter("cursor", cursor);
    }
    let page: ReposPage = client.json(&request)?;
    check_cursor(&request, page.cursor.as_deref(), cursor)?;
    Ok(page)
}

/// Returns a page of the blobs of an account, of at most 1,000.
///
/// # Errors
///
/// As for [`Client::json`].
pub fn list_blobs(
    client: Client<'_>,
    host: &Host,
    did: &Did,
    cursor: Option<&str>,
) -> Result<BlobsPage> {
    let mut request = query(host, "listBlobs", Bounds::JSON)
        .parameter("did", did.as_str())
        .parameter("limit", "1000");
    if let Some(cursor) = cursor {
        request = request.parameter("cursor", cursor);
    }
    let page: BlobsPage = client.json(&request)?;
    check_cursor(&request, page.cursor.as_deref(), cursor)?;
    Ok(page)
}

/// Refuses a cursor that is too long, or that is the one of the request: the pages would never end.
fn check_cursor(request: &Request<'_>, next: Option<&str>, asked: Option<&str>) -> Result<()> {
    let reason = match next {
        Some(next) if next.len() > MAX_CURSOR_BYTES => "its cursor is too long",
        Some(_) if next == asked => "its cursor is the one of the request",
        _ => return Ok(()),
    };
    Err(Error::Answer { url: request.url(), reason: reason.to_owned() })
}
