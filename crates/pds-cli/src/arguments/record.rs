//! The record that an argument names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use pds::commit::Commit;
use pds::syntax::{AtIdentifier, AtUri, Did, Nsid, RecordKey, RecordPath, SyntaxError};

use crate::arguments::bsky_url::{self, UrlTarget, is_url};
use crate::failures::exit::Stated;
use crate::records::stored_handles::confirms;

/// A record: `collection/rkey`, an at-uri, or a URL of bsky.app.
#[derive(Clone, Debug)]
pub(crate) struct RecordArg {
    authority: Option<AtIdentifier>,
    path: RecordPath,
}

impl RecordArg {
    /// Returns the path in any account.
    pub(crate) fn path(&self) -> &RecordPath {
        &self.path
    }

    /// Returns the path if the argument names no other account.
    pub(crate) fn path_in<'a>(&self, account: impl Into<Account<'a>>) -> Result<&RecordPath> {
        account.into().check_named(self.authority.as_ref())?;
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
            TargetArg { authority, collection, rkey: Some(rkey) } => {
                Ok(Self { authority, path: RecordPath::new(collection, rkey) })
            }
            TargetArg { .. } => Err("name a record as collection/rkey".to_owned()),
        }
    }
}

/// A record, or the collection of a record to create.
#[derive(Clone, Debug)]
pub(crate) struct TargetArg {
    pub(crate) authority: Option<AtIdentifier>,
    pub(crate) collection: Nsid,
    pub(crate) rkey: Option<RecordKey>,
}

impl TargetArg {
    /// Returns the record, if the argument names one.
    pub(crate) fn record(&self) -> Option<RecordArg> {
        let path = RecordPath::new(self.collection.clone(), self.rkey.clone()?);
        Some(RecordArg { authority: self.authority.clone(), path })
    }

    pub(crate) fn check_account<'a>(&self, account: impl Into<Account<'a>>) -> Result<()> {
        account.into().check_named(self.authority.as_ref())
    }
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reason = |error: SyntaxError| error.to_string();
        if is_url(text) {
            let UrlTarget { authority, collection, rkey } = bsky_url::parse(text)?;
            return Ok(Self { authority: Some(authority), collection, rkey: Some(rkey) });
        }
        if text.starts_with("at://") {
            let uri: AtUri = text.parse().map_err(reason)?;
            let collection = uri.collection().cloned().ok_or("the at-uri has no collection")?;
            let authority = Some(uri.authority().clone());
            return Ok(Self { authority, collection, rkey: uri.rkey().cloned() });
        }
        let (collection, rkey) = match text.split_once('/') {
            Some(_) => {
                let RecordPath { collection, rkey } = text.parse().map_err(reason)?;
                (collection, Some(rkey))
            }
            None => (text.parse().map_err(reason)?, None),
        };
        Ok(Self { authority: None, collection, rkey })
    }
}

/// The account of a repository, as far as it is known, and the directory that may have its handles.
#[derive(Clone, Debug)]
pub(crate) struct Account<'a> {
    did: Option<&'a Did>,
    directory: Option<PathBuf>,
}

impl<'a> Account<'a> {
    /// Returns the account of the repository in a directory, whose handles are read there.
    pub(crate) fn in_directory(did: Option<&'a Did>, directory: Option<PathBuf>) -> Self {
        Self { did, directory }
    }

    /// Checks that an argument names this account, if it names one. A handle needs a stored document that has it.
    pub(crate) fn check_named(&self, authority: Option<&AtIdentifier>) -> Result<()> {
        let handle = match authority {
            None => return Ok(()),
            Some(AtIdentifier::Did(did)) => return check_account(Some(did), self.did),
            Some(AtIdentifier::Handle(handle)) => handle,
        };
        let confirms =
            |did: &Did| self.directory.as_deref().is_some_and(|dir| confirms(dir, did, handle));
        if self.did.is_some_and(confirms) {
            return Ok(());
        }
        let account = self.did.map_or_else(|| "its DID".to_owned(), ToString::to_string);
        let message = format!(
            "no stored identity document has the handle {handle}, and handles cannot be resolved \
             offline; write {account} in its place"
        );
        Stated::usage(message).fail()
    }
}

impl<'a> From<&'a Did> for Account<'a> {
    fn from(did: &'a Did) -> Self {
        Some(did).into()
    }
}

impl<'a> From<Option<&'a Did>> for Account<'a> {
    fn from(did: Option<&'a Did>) -> Self {
        Self { did, directory: None }
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

/// Tells whether a text names a record or a collection.
pub(crate) fn is_target(text: &str) -> bool {
    text.parse::<TargetArg>().is_ok()
}
