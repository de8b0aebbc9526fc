//! `pds gc`

use std::error::Error;
use std::iter::successors;
use std::num::{NonZeroUsize, ParseIntError};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use pds::Repo;
use pds::retain::gc::{Keep, Swept};
use pds::store::StoreError;

use super::info::size_of;
use crate::answers::gc::GcAnswer;
use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::questions::{DeletionArgs, can_ask, confirm, declined};
use crate::process::text::say;
use crate::repository::logged_states::LoggedStates;
use crate::repository::open::Place;
use crate::screens::gc::{self as screen, Kept};
use crate::terminal::numbers::{counted, size};

/// Delete blocks and blobs that no ref and no log entry reaches
///
/// The log reaches every state that a ref has had. Without --keep, only unreferenced blobs and the remains
/// of interrupted work are deleted. Other processes may read and write at the same time; a reader of a
/// deleted state gets an error and can try again. With --keep, a question comes first on a terminal, since states are
/// deleted for good. Scripts are not asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds gc --dry-run --keep 100     show what would be deleted\n  \
    pds gc --keep 100               keep the last 100 states of each ref")]
pub(crate) struct Args {
    /// Keep only the last N states of each ref, including the present one
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep: Option<NonZeroUsize>,

    /// Keep unreferenced blobs for this many hours after they were stored, because a record may still refer to
    /// them
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    grace: u32,

    #[command(flatten)]
    deletion: DeletionArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        let before = size_of(&dir);
        let blob_age = Duration::from_secs(u64::from(self.grace) * 60 * 60);
        let keep = Keep::default().states(self.keep).blob_age(blob_age);
        let has_screen = out.terminal().is_some();
        let (swept, kept) = match self.deletion.dry_run {
            true => {
                let repo = place.unchanged()?;
                let swept = plan(&repo, &keep)?;
                kept_after(&repo, &swept, has_screen).map(|kept| (swept, kept))?
            }
            false => {
                let repo = place.mirror()?;
                if self.keep.is_some() && !self.deletion.yes && can_ask() {
                    ask(&plan(&repo, &keep)?)?;
                }
                let mut progress = Progress::things("blocks", None);
                let swept = repo.retain().gc(&keep, &mut |blocks| progress.add(blocks))?;
                if swept.blocks + swept.moves + swept.blobs > 0 {
                    out.has_done();
                }
                (swept, kept_after(&repo, &Swept::default(), has_screen)?)
            }
        };
        // The repository is closed again, so the -wal file is gone.
        let after = (!self.deletion.dry_run).then(|| size_of(&dir));
        let answer = GcAnswer {
            after,
            before,
            blobs: swept.blobs,
            blocks: swept.blocks,
            bytes: swept.bytes(),
            dry_run: self.deletion.dry_run,
            remains: swept.remains_elsewhere.clone(),
            states: swept.states,
        };
        out.show(&answer, |terminal| screen::lines(&answer, &kept, terminal))?;
        Ok(report_rest(&swept))
    }
}

/// Counts what would be deleted.
fn plan(repo: &Repo, keep: &Keep) -> Result<Swept> {
    let mut progress = Progress::things("blocks", None);
    Ok(repo.retain().plan_gc(keep, &mut |blocks| progress.add(blocks))?.swept)
}

/// Counts what a repository has without some data that is not deleted yet. Only a screen shows that.
fn kept_after(repo: &Repo, swept: &Swept, has_screen: bool) -> Result<Kept> {
    let mut kept = Kept::default();
    if has_screen {
        let maintain = repo.store().maintain();
        let blocks = maintain.map_or(Ok(0), |maintain| maintain.block_count())?;
        kept.blocks = blocks.saturating_sub(swept.blocks);
        kept.states = LoggedStates::of(repo)?.count.saturating_sub(swept.states);
        repo.blobs().list(&mut |_| {
            kept.blobs += 1;
            ControlFlow::Continue(())
        })?;
        kept.blobs = kept.blobs.saturating_sub(swept.blobs);
    }
    Ok(kept)
}

/// Asks whether states may be deleted.
fn ask(swept: &Swept) -> Result<()> {
    if swept.states == 0 {
        return Ok(());
    }
    let (states, blocks) = (counted(swept.states, "state"), counted(swept.blocks, "block"));
    let (blobs, bytes) = (counted(swept.blobs, "blob"), size(swept.bytes()));
    let text = format!(
        "This deletes {states} with {blocks} and {blobs} ({bytes}). It cannot be undone.\nGo on?"
    );
    if confirm(&text)? { Ok(()) } else { declined() }
}

/// Prints what could not be done and the next step.
pub(super) fn report_rest(swept: &Swept) -> Exit {
    for cid in &swept.undecodable {
        say(&format!(
            "record {cid} cannot be decoded, so its blobs are unknown; no blob was deleted"
        ));
    }
    if let Some(remains) = &swept.remains {
        // The failure may concern a blob file, so the prefix of the store is left out.
        let first: &dyn Error = match remains {
            StoreError::Backend(cause) => cause.as_ref(),
            remains => remains,
        };
        let causes = successors(Some(first), |error| (*error).source());
        let reason: Vec<String> = causes.map(ToString::to_string).collect();
        let reason = reason.join(": ");
        say(&format!(
            "the files may still contain deleted data: {reason}; run pds gc again to finish"
        ));
    }
    if let Some(places) = &swept.remains_elsewhere {
        say(&format!("deleted data may still be in {places}"));
    }
    if swept.undecodable.is_empty() && swept.remains.is_none() { Exit::Done } else { Exit::Partly }
}

/// Parses the number of states to keep.
fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    let number: usize = text.parse().map_err(|error: ParseIntError| error.to_string())?;
    NonZeroUsize::new(number).ok_or_else(|| "it must be 1 or more".to_owned())
}
