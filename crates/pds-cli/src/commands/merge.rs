//! `pds merge`

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use anyhow::{Context, Result};
use pds::car::CarFile;
use pds::data::{Blocks, Overlay, Value};
use pds::local::open::{is_repository, open_without_key};
use pds::merge::commit::{MergeBase, MergeKind, MergeOptions, Merged};
use pds::syntax::Did;
use pds::{Error, RecordChange, Repo, Resolution, Side};

use super::import::warn;
use crate::answers::merge::{ConflictRow, MergeAnswer};
use crate::arguments::identity::{Identity, IdentityArgs};
use crate::arguments::record::RecordArg;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::arguments::write_args::{CommitArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::progress::{Progress, Steps};
use crate::process::text::say;
use crate::repository::blob_notes::{say_copied, say_missing};
use crate::repository::open::{Place, about_file, open_file_or_repository, resolve, state_in};
use crate::screens::merge::{Stopped, lines as conflict_lines};
use crate::screens::moves::merged as merged_lines;

/// Merge the changes of another branch or another device
///
/// Compares both sides record by record with the state that both started from, and writes one signed commit.
/// If HEAD has no changes of its own, it moves to the other commit. A change on one side only is taken. A record
/// that both sides changed differently is a conflict: conflicts are listed, and nothing is written until --ours,
/// --theirs or --take resolves them. A file or another repository is verified first, and its commit stays under the
/// ref `merged`. With --accept-clock, that commit may have a rev in the future.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds merge draft\n  pds merge phone.car\n  \
    pds merge ../phone            merge another repository on this machine\n  \
    pds merge phone.car --theirs --take ours:app.bsky.actor.profile/self\n\n\
    Write the file with pds export --chain on the other device, so that the common state can be found.\n\n\
    Prints the commit that HEAD points to now, and its rev, then the changes here as in pds diff: \
    + path cid, ~ path old new, - path cid. From a directory, the blobs that records refer to are copied. A CAR file \
    has no blobs: pds blob missing lists those that are not stored.\n\n\
    A conflict is one line: ! path, then the CIDs of the common state, ours and theirs; - means no record.\n\n\
    Exit code 0 if the other commit is merged now, or was merged earlier; 1 if there are conflicts, or if no common \
    state is known; 6 if it is merged, but blobs are damaged in the other repository.")]
pub(crate) struct Args {
    /// Commit to merge (see pds help revisions), also of a .car file or another repository of the same account
    #[arg(value_name = "REV")]
    theirs: StateArg,

    /// Resolve conflicts with our version
    #[arg(long, conflicts_with = "theirs_hold")]
    ours: bool,

    /// Resolve conflicts with their version
    #[arg(id = "theirs_hold", long = "theirs")]
    theirs_hold: bool,

    /// Resolve the conflict over this record with our or their version; may be given more than once
    #[arg(long, value_name = "ours|theirs:PATH")]
    take: Vec<TakeArg>,

    /// State that both sides started from, if it cannot be found. `empty` means no such state: records that
    /// only one side has are then kept
    #[arg(long, value_name = "REV")]
    base: Option<StateArg>,

    #[command(flatten)]
    identity: IdentityArgs,

    #[command(flatten)]
    commit: CommitArgs,
}

/// A record, and the side that resolves its conflict.
#[derive(Clone, Debug)]
struct TakeArg {
    side: Side,
    record: RecordArg,
}

impl FromStr for TakeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (side, record) = match text.split_once(':') {
            Some(("ours", record)) => (Side::Ours, record),
            Some(("theirs", record)) => (Side::Theirs, record),
            _ => return Err("the value must start with ours: or theirs:".to_owned()),
        };
        Ok(Self { side, record: record.parse()? })
    }
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let repo = self.commit.open(place, out)?;
        let did = account_of(&repo)?;
        let options = self.options(place, &repo, &did)?;
        let merged = match self.merge(&repo, &identity, options, out)? {
            Ok(merged) => merged,
            Err(exit) => return Ok(exit),
        };
        if merged.how != MergeKind::Nothing {
            out.has_done();
        }
        warn(&merged.findings, out);
        let exit = say_copied(&merged.blobs, out);
        warn_of_blobs(&repo, &merged.changes, out)?;
        if merged.how == MergeKind::Nothing && !out.is_json() && out.terminal().is_none() {
            say("nothing to merge: already up to date");
        }
        out.show(&MergeAnswer(&merged), |terminal| merged_lines(&merged, terminal))?;
        Ok(exit)
    }

    /// Merges, or lists the conflicts and returns the exit code.
    fn merge(
        &self,
        repo: &Repo,
        identity: &Identity,
        mut options: MergeOptions,
        out: &mut Output,
    ) -> Result<Result<Merged, Exit>> {
        let (ours, theirs) = (repo.history().ref_name().as_str(), self.theirs.to_string());
        let store: &dyn Blocks = repo.store().as_ref();
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        let merge = repo.merge().with_progress(pds::Progress::new(&count));
        let stopped = |error, blocks: &dyn Blocks, out: &mut Output| {
            let sides = Some([ours, theirs.as_str()]);
            let stopped = Stopped { verb: "merged", sides, blocks, hint: DECIDE };
            list_conflicts(error, &stopped, out).map(Err)
        };
        match state_in(repo, &self.theirs) {
            Settled::Revision(revision) => {
                identity.check(repo.checkout(revision)?.commit())?;
                let merged = merge.revision(revision, &options);
                steps.finish();
                merged.map(Ok).or_else(|error| stopped(error.into(), store, out))
            }
            Settled::File(path) => {
                let from = if is_repository(path)? { Some(open_without_key(path)?) } else { None };
                let file = open_file_or_repository(path)?;
                options.key = identity.key_for(&file)?;
                let car = CarFile::open(file)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let blobs = from.as_ref().map(|from| from.blobs().as_ref());
                let merged = merge.car_with_blobs(&car, blobs, &options);
                steps.finish();
                let blocks = Overlay { over: &car, under: store };
                merged.map(Ok).or_else(|error| stopped(about_file(error, path), &blocks, out))
            }
        }
    }

    fn options(&self, place: &Place, repo: &Repo, did: &Did) -> Result<MergeOptions> {
        let mut paths = HashMap::new();
        for TakeArg { side, record } in &self.take {
            let path = record.path_in(place.account(did))?;
            if paths.insert(path.clone(), *side).is_some_and(|other| other != *side) {
                return Stated::usage(format!("--take names both sides for {path}")).fail();
            }
        }
        let rest = match (self.ours, self.theirs_hold) {
            (true, _) => Some(Side::Ours),
            (_, true) => Some(Side::Theirs),
            _ => None,
        };
        let base = match &self.base {
            None => None,
            Some(base) if base.to_string() == "empty" => Some(MergeBase::Empty),
            Some(base) => Some(MergeBase::Commit(resolve(repo, base)?)),
        };
        let resolution = Resolution::default().paths(paths).rest(rest);
        Ok(MergeOptions::default().base(base).resolution(resolution))
    }
}

/// Prints how many blobs the merged records refer to that are not stored.
fn warn_of_blobs(repo: &Repo, changes: &[RecordChange], out: &mut Output) -> Result<()> {
    let mut blobs = BTreeSet::new();
    let mut progress = Progress::things("records", Some(changes.len() as u64));
    for RecordChange { after, .. } in changes {
        progress.add(1);
        let Some(cid) = *after else { continue };
        let Some(block) = repo.store().get(&cid)? else { continue };
        // A record that cannot be decoded is kept unchanged; its blobs are unknown.
        let Ok(value) = Value::decode(block.bytes()) else { continue };
        blobs.extend(value.blobs().map(|blob| blob.cid));
    }
    drop(progress);
    say_missing(repo, &blobs, false, out)
}

/// Lists the records that both sides changed, if they are the error. On a terminal, that is the answer; otherwise the
/// error is returned.
pub(super) fn list_conflicts(
    error: anyhow::Error,
    stopped: &Stopped<'_>,
    out: &mut Output,
) -> Result<Exit> {
    let Some(Error::Conflicts(conflicts)) = error.downcast_ref() else { return Err(error) };
    let Some(terminal) = out.terminal().cloned() else {
        out.answers(conflicts.changes.conflicts.iter().map(ConflictRow::from))?;
        return Err(error);
    };
    out.lines(conflict_lines(conflicts, stopped, &terminal))?;
    Ok(Exit::No)
}

const DECIDE: &str = "decide with --ours, --theirs, or --take theirs:PATH for each record";
