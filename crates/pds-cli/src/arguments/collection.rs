//! The argument that names a collection.

use std::str::FromStr;

use anyhow::Result;
use pds::syntax::{AtIdentifier, Nsid, SyntaxError};

use crate::arguments::record::{Account, TargetArg};

/// A collection: `com.example.note`, perhaps with a slash at its end, or an at-uri.
#[derive(Clone, Debug)]
pub(crate) struct CollectionArg {
    authority: Option<AtIdentifier>,
    collection: Nsid,
}

impl CollectionArg {
    /// Returns the collection if the argument names no other account.
    pub(crate) fn collection_in(&self, account: &Account<'_>) -> Result<&Nsid> {
        account.check_named(self.authority.as_ref())?;
        Ok(&self.collection)
    }
}

impl FromStr for CollectionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('/').unwrap_or(text);
        match name.parse() {
            Ok(TargetArg { authority, collection, rkey: None }) => {
                Ok(Self { authority, collection })
            }
            _ => {
                let collection = text.parse().map_err(|error: SyntaxError| error.to_string())?;
                Ok(Self { authority: None, collection })
            }
        }
    }
}
