//! The answers of `pds identity`.

use std::fmt;

use pds::data::Cid;
use serde::Serialize;

/// An account as its identity names it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityAnswer {
    pub(crate) did: String,
    /// The handle, if it resolves to the account.
    pub(crate) handle: Option<String>,
    /// The handle that the document names.
    pub(crate) claimed_handle: Option<String>,
    pub(crate) host: String,
    pub(crate) signing_key: Option<String>,
    /// The keys that may change the identity, the most powerful first; none for a did:web.
    pub(crate) rotation_keys: Vec<RotationKey>,
    /// Until when a more powerful key can take back the last operation, if it can.
    pub(crate) recovery_until: Option<String>,
}

/// A key that may change the identity.
#[derive(Serialize)]
pub(crate) struct RotationKey {
    pub(crate) key: String,
    pub(crate) owner: &'static str,
}

impl fmt::Display for IdentityAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { did, handle, claimed_handle, host, signing_key, .. } = self;
        let handle = match (handle, claimed_handle) {
            (Some(handle), _) => handle.clone(),
            (None, Some(claimed)) => format!("{claimed} (not verified)"),
            (None, None) => "-".to_owned(),
        };
        let signing_key = signing_key.as_deref().unwrap_or("-");
        write!(
            f,
            "did       {did}\nhandle    {handle}\nhost      {host}\nkey       {signing_key}"
        )?;
        for RotationKey { key, owner } in &self.rotation_keys {
            write!(f, "\nrotation  {key} ({owner})")?;
        }
        match &self.recovery_until {
            Some(until) => write!(f, "\nrecovery  until {until}"),
            None => Ok(()),
        }
    }
}

/// An operation of a log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationRow {
    pub(crate) cid: Cid,
    pub(crate) time: String,
    #[serde(skip)]
    pub(crate) created_micros: u64,
    pub(crate) changes: Vec<String>,
    pub(crate) signed_by: String,
    pub(crate) nullified: bool,
}

impl fmt::Display for OperationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cid, time, changes, signed_by, nullified, .. } = self;
        let undone = if *nullified { "\tundone" } else { "" };
        write!(f, "{time}\t{cid}\t{}\t{signed_by}{undone}", changes.join(", "))
    }
}

/// A result of `pds identity check`.
#[derive(Serialize)]
pub(crate) struct IdentityFinding {
    pub(crate) code: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) message: String,
}

display!(IdentityFinding, "{severity} {code}: {message}", severity, code, message);
