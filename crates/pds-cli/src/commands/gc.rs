//! `pds gc`

use std::error::Error;
use std::iter::successors;
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Result;
use pds::retain::gc::{Keep, Swept};
use pds::store::StoreError;
use serde_json::{Map, Value, json};

use super::info::size_of;
use crate::failure::Exit;
use crate::open::Place;
use crate::output::{Output, say};
use crate::progress::Progress;

/// Delete what no ref and no line of the log reaches
///
/// The log reaches every state a ref has been in, so without --keep only remains of interrupted
/// work go, and blobs that no record of any state refers to. Others may go on reading and writing;
/// who reads a state that leaves is told to try again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds gc --dry-run --keep 100     what would go\n  \
    pds gc --keep 100               the log keeps the last 100 states of each ref")]
pub(crate) struct Args {
    /// Keep the last N states of each ref only; what a ref names at present is one of them
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,

    /// Keep blobs that nothing refers to for this many hours after they were stored: the record
    /// that does may be on its way
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    grace: u32,

    /// Tell what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        let before = size_of(&dir);
        let blob_age = Duration::from_secs(u64::from(self.grace) * 60 * 60);
        let keep = Keep { states: self.keep, blob_age };
        let mut progress = Progress::blocks("collecting");
        let swept = if self.dry_run {
            place.mirror()?.retain().reclaimable(&keep, &mut |blocks| progress.add(blocks))?
        } else {
            place.mirror()?.retain().gc(&keep, &mut |blocks| progress.add(blocks))?
        };
        drop(progress);
        // The repository is closed again, and with it the file next to the store is gone.
        let after = (!self.dry_run).then(|| size_of(&dir));
        let mut facts = facts(&swept);
        facts.push(("before", before));
        facts.extend(after.map(|after| ("after", after)));
        if !self.dry_run {
            out.has_done();
        }
        out.answer(
            || text(&facts),
            || {
                let mut json = json_of(&facts);
                json.insert("dryRun".to_owned(), json!(self.dry_run));
                json.into()
            },
        )?;
        Ok(tell_what_is_left(&swept))
    }
}

/// What went, by name.
pub(super) fn facts(swept: &Swept) -> Vec<(&'static str, u64)> {
    vec![
        ("states", swept.states),
        ("blocks", swept.blocks),
        ("blobs", swept.blobs),
        ("bytes", swept.bytes()),
    ]
}

pub(super) fn text(facts: &[(&str, u64)]) -> String {
    let lines: Vec<String> =
        facts.iter().map(|(name, value)| format!("{name:<8} {value}")).collect();
    lines.join("\n")
}

pub(super) fn json_of(facts: &[(&str, u64)]) -> Map<String, Value> {
    facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// Names what could not be done, and what to do about it.
pub(super) fn tell_what_is_left(swept: &Swept) -> Exit {
    for cid in &swept.undecodable {
        say(&format!(
            "record {cid} cannot be decoded: no blob was deleted, because what it refers to is not known"
        ));
    }
    if let Some(remains) = &swept.remains {
        // A blob is not the store.
        let first: &dyn Error = match remains {
            StoreError::Backend(cause) => cause.as_ref(),
            remains => remains,
        };
        let causes = successors(Some(first), |error| (*error).source());
        let reason: Vec<String> = causes.map(ToString::to_string).collect();
        let reason = reason.join(": ");
        say(&format!(
            "remains may still be in the files: {reason}; pds gc completes it when that is over"
        ));
    }
    if swept.undecodable.is_empty() && swept.remains.is_none() { Exit::Done } else { Exit::Partly }
}
