//! `pds merge`

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::builder::{OsStringValueParser, TypedValueParser};
use pds::car::CarFile;
use pds::data::Value;
use pds::merge::commit::{How, MergeBase, MergeOptions, Merged};
use pds::store::RefName;
use pds::syntax::{AtUri, Did};
use pds::{Error, RecordChange, Repo, Resolution, Revision, Side};
use serde_json::json;

use super::import::warn;
use super::revert::print_conflicts;
use crate::failure::{Exit, Stated};
use crate::identity::SignedByArg;
use crate::open::{Place, RecordArg, about_file, open_file_or_repository};
use crate::output::{Output, commit_json, rev_text, say};
use crate::state::{StateArg, resolve};

/// Bring together what two branches, or two devices, have changed
///
/// Record by record, against the state that both started from, as one signed commit; where there is
/// nothing of one's own, HEAD moves to the other commit. What only one side has changed holds; what both
/// have changed, each in its own way, is a conflict: it is listed, and nothing is done until it is said
/// which side holds. What comes from a file is verified first, and kept under the ref merged.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds merge draft\n  pds merge phone.car\n  \
    pds merge ../phone            another repository on this machine\n  \
    pds merge phone.car --theirs --take ours:app.bsky.actor.profile/self\n\n\
    A file is made with pds export --chain, so that the state both started from can be found.\n\n\
    The answer is the commit that HEAD names now, and its rev; then what that has changed here, as with \
    pds diff: + path cid, ~ path old new, - path cid. The log says merge, and which commit was merged. Blobs \
    do not come along with records: pds blob missing lists those that are not here.\n\n\
    A conflict is a line: ! path, the CID that both started from, ours, theirs; - stands for no record.\n\n\
    Exit code 0 if all of it is here now, or was before; 1 if there are conflicts, or it is not known what \
    both started from.")]
pub(crate) struct Args {
    /// What to merge: a ref, a commit CID, a rev, a .car file of the same account, or the directory of
    /// another repository
    #[arg(value_name = "REV", value_parser = OsStringValueParser::new().try_map(theirs))]
    theirs: StateArg,

    /// In a conflict, keep what stands here
    #[arg(long, conflicts_with = "theirs_hold")]
    ours: bool,

    /// In a conflict, take what comes in
    #[arg(id = "theirs_hold", long = "theirs")]
    theirs_hold: bool,

    /// In a conflict over this record, keep ours or take theirs; may be given more than once
    #[arg(long, value_name = "ours|theirs:PATH")]
    take: Vec<TakeArg>,

    /// The state that both started from, where it cannot be found; empty where there is none
    #[arg(long, value_name = "REV")]
    base: Option<StateArg>,

    #[command(flatten)]
    signed_by: SignedByArg,

    /// Merge into another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

/// A record, and the side that holds for it.
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
            _ => return Err("it starts with ours: or theirs:".to_owned()),
        };
        Ok(Self { side, record: record.parse()? })
    }
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.branch(self.ref_name.as_ref())?;
        let did = repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
        let mut options = self.options(&repo, &did)?;
        let theirs = match self.theirs.clone() {
            StateArg::Revision(revision) => or_directory(&repo, revision)?,
            file @ StateArg::File(_) => file,
        };
        let merged = match &theirs {
            StateArg::Revision(revision) => {
                repo.merge().revision(revision, &options).map_err(anyhow::Error::from)
            }
            StateArg::File(path) => {
                let file = open_file_or_repository(path)?;
                options.key = self.signed_by.key_for(&file)?;
                let car = CarFile::open(file)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                repo.merge().car(&car, &options).map_err(|error| about_file(error, path))
            }
        };
        let merged = merged.or_else(|error| {
            if let Some(Error::Conflicts(conflicts)) = error.downcast_ref() {
                print_conflicts(conflicts, out)?;
            }
            Err(error)
        })?;
        warn(&merged.findings);
        warn_of_blobs(&repo, &merged.changes)?;
        out.has_done();
        print(&merged, &did, out)?;
        Ok(Exit::Done)
    }

    fn options(&self, repo: &Repo, did: &Did) -> Result<MergeOptions> {
        let mut paths = HashMap::new();
        for TakeArg { side, record } in &self.take {
            let path = record.path_in(did)?;
            if paths.insert(path.clone(), *side).is_some_and(|other| other != *side) {
                return Err(Stated::usage(format!("both sides are taken for {path}")).into());
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
        Ok(MergeOptions { base, resolution: Resolution { paths, rest }, key: None })
    }
}

/// Reads what is to be merged: the directory of another repository may have a name that no revision has.
fn theirs(given: OsString) -> Result<StateArg, String> {
    let path = PathBuf::from(&given);
    StateArg::parse(given).or_else(|reason| match pds::local::open::is_repository(&path) {
        // Nothing is the name of nothing, wherever one stands.
        _ if path.as_os_str().is_empty() => Err(reason),
        Ok(false) => Err(reason),
        // What cannot be told is when it is opened.
        _ => Ok(StateArg::File(path)),
    })
}

/// Takes the name of another repository, where no ref has it, for that.
fn or_directory(repo: &Repo, revision: Revision) -> Result<StateArg> {
    let name = revision.to_string();
    let path = PathBuf::from(&name);
    let is_ref = || -> Result<bool> {
        Ok(repo.history().refs()?.iter().any(|(known, _)| known.as_str() == name))
    };
    Ok(match pds::local::open::is_repository(&path)? && !is_ref()? {
        true => StateArg::File(path),
        false => StateArg::Revision(revision),
    })
}

fn print(merged: &Merged, did: &Did, out: &mut Output) -> Result<()> {
    let (cid, rev) = (merged.commit.cid(), merged.commit.rev());
    if out.is_json() {
        let how = match merged.how {
            How::Nothing => "nothing",
            How::FastForward => "fast-forward",
            How::Commit => "commit",
        };
        let changes: Vec<serde_json::Value> =
            merged.changes.iter().map(|change| change_json(change, did)).collect();
        return out.json(&json!({
            "blocks": merged.new_blocks,
            "how": how,
            "changes": changes,
            "commit": commit_json(cid, rev),
        }));
    }
    if merged.how == How::Nothing {
        say("nothing to merge: all of it is here");
    }
    out.line(&format!("{cid}\t{}", rev_text(rev)))?;
    for RecordChange { path, before, after } in &merged.changes {
        out.line(&match (before, after) {
            (None, Some(new)) => format!("+ {path} {new}"),
            (Some(old), Some(new)) => format!("~ {path} {old} {new}"),
            (Some(old), None) => format!("- {path} {old}"),
            (None, None) => continue,
        })?;
    }
    Ok(())
}

fn change_json(change: &RecordChange, did: &Did) -> serde_json::Value {
    let action = match (change.before, change.after) {
        (None, _) => "create",
        (Some(_), Some(_)) => "update",
        (Some(_), None) => "delete",
    };
    json!({
        "action": action,
        "uri": AtUri::record(did, &change.path).as_str(),
        "cid": change.after.map(|cid| cid.to_string()),
        "prev": change.before.map(|cid| cid.to_string()),
    })
}

/// Says how many of the records that came in refer to blobs that did not.
fn warn_of_blobs(repo: &Repo, changes: &[RecordChange]) -> Result<()> {
    let mut missing = 0_u64;
    for cid in changes.iter().filter_map(|change| change.after) {
        let Some(block) = repo.store().clone().get(&cid)? else { continue };
        // What cannot be decoded is kept as it is; whether it refers to blobs is not known.
        let Ok(value) = Value::decode(block.bytes()) else { continue };
        for blob in value.blobs() {
            missing += u64::from(repo.blobs().open(&blob.cid)?.is_none());
        }
    }
    if missing > 0 {
        let blobs = if missing == 1 { "1 blob is" } else { &format!("{missing} blobs are") };
        say(&format!("warning: {blobs} referred to and not here; pds blob missing lists them"));
    }
    Ok(())
}
