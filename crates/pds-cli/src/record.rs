//! The record that an argument names.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use pds::commit::Commit;
use pds::syntax::{AtIdentifier, AtUri, Did, Nsid, RecordKey, RecordPath, SyntaxError};

use crate::exit::Stated;

/// A record: `collection/rkey`, or an at-uri.
#[derive(Clone, Debug)]
pub(crate) struct RecordArg {
    did: Option<Did>,
    path: RecordPath,
}

impl RecordArg {
    /// Returns the path in any account.
    pub(crate) fn path(&self) -> &RecordPath {
        &self.path
    }

    /// Returns the path if the argument names no other account.
    pub(crate) fn path_in<'a>(&self, account: impl Into<Option<&'a Did>>) -> Result<&RecordPath> {
        check_account(self.did.as_ref(), account)?;
        Ok(&self.path)
    }
}

impl fmt::Display for RecordArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl FromStr for RecordArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<TargetArg>()? {
            TargetArg { did, collection, rkey: Some(rkey) } => {
                Ok(Self { did, path: RecordPath::new(collection, rkey) })
            }
            TargetArg { .. } => Err("name a record as collection/rkey".to_owned()),
        }
    }
}

/// A record, or the collection of a record to create.
#[derive(Clone, Debug)]
pub(crate) struct TargetArg {
    did: Option<Did>,
    pub(crate) collection: Nsid,
    pub(crate) rkey: Option<RecordKey>,
}

impl TargetArg {
    pub(crate) fn check_account(&self, account: &Did) -> Result<()> {
        check_account(self.did.as_ref(), account)
    }
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reason = |error: SyntaxError| error.to_string();
        if text.starts_with("at://") {
            let uri: AtUri = text.parse().map_err(reason)?;
            let did = match uri.authority() {
                AtIdentifier::Did(did) => Some(did.clone()),
                AtIdentifier::Handle(_) => {
                    return Err("handles cannot be resolved offline; use the DID".to_owned());
                }
            };
            let collection = uri.collection().cloned().ok_or("the at-uri has no collection")?;
            return Ok(Self { did, collection, rkey: uri.rkey().cloned() });
        }
        match text.split_once('/') {
            Some(_) => {
                let RecordPath { collection, rkey } = text.parse().map_err(reason)?;
                Ok(Self { did: None, collection, rkey: Some(rkey) })
            }
            None => Ok(Self { did: None, collection: text.parse().map_err(reason)?, rkey: None }),
        }
    }
}

/// Returns the at-uri of a record, or `None` if the commit names no account.
pub(crate) fn uri_of(commit: &Commit, path: &RecordPath) -> Option<String> {
    Some(AtUri::record(commit.known_did()?, path).to_string())
}

/// Checks that the account is the expected one, if an account is expected and the account is known.
pub(crate) fn check_account<'a>(
    said: Option<&Did>,
    account: impl Into<Option<&'a Did>>,
) -> Result<()> {
    match (said, account.into()) {
        (Some(said), Some(account)) if said != account => {
            let message = format!("this is the repository of {account}, not of {said}");
            Stated::no("wrong-did", message).fail()
        }
        _ => Ok(()),
    }
}
