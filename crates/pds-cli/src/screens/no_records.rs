//! The message about a filter that matches no record. Such a listing is empty, and no error.

use anyhow::Result;
use pds::syntax::{Nsid, RecordKey, RecordPath};
use pds::{ListOptions, Snapshot};

use crate::process::output::Output;
use crate::process::text::say;

/// Names on a terminal a collection or a record that none of the states has.
pub(crate) fn say_if_absent(
    collection: &Nsid,
    rkey: Option<&RecordKey>,
    states: &[&Snapshot],
    out: &Output,
) -> Result<()> {
    if out.terminal().is_none() {
        return Ok(());
    }
    for state in states {
        let is_present = match rkey {
            None => state.list(collection, &ListOptions::default()).next().is_some(),
            Some(rkey) => {
                state.find_cid(&RecordPath::new(collection.clone(), rkey.clone()))?.is_some()
            }
        };
        if is_present {
            return Ok(());
        }
    }
    match rkey {
        None => say(&format!("no records in {collection}")),
        Some(rkey) => say(&format!("no record {collection}/{rkey}")),
    }
    Ok(())
}
