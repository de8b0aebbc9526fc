//! `pds verify-proof`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::Record;
use pds::crypto::PublicKey;
use pds::data::Value;
use pds::syntax::{AtUri, RecordPath};
use pds::transfer::prove::{Proven, verify_proof};

use crate::answers::commit::CommitId;
use crate::answers::prove::Presence;
use crate::answers::prove::origin_text;
use crate::answers::verify_proof::ProofAnswer;
use crate::arguments::identity::IdentityArgs;
use crate::arguments::record::{RecordArg, check_account};
use crate::failures::exit::{Exit, Stated};
use crate::input::stream::open_file;
use crate::process::output::Output;
use crate::process::text::{counted_plain, rev_text, say, time_text};
use crate::records::json_form::NO_JSON_FORM;
use crate::screens::proof as screen;

/// Check a proof that a record is present or absent
///
/// Needs only the file and the keys of the account: --key, --did-doc or --plc-log. The file may have other blocks, so a
/// whole export proves every path. Exit code 0 if presence or absence is proven, 1 if the proof fails, 3 if the file is
/// not a CAR file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds verify-proof proof.car app.bsky.actor.profile/self --did-doc did.json\n  pds verify-proof proof.car app.bsky.actor.profile/self --plc-log proof.car.plc.json\n  pds verify-proof backup.car app.bsky.feed.post/3jzfcijpj2z2a --did-doc did.json"
)]
pub(crate) struct Args {
    /// CAR file: a proof by `pds prove` or by a server, or a whole export; - for stdin
    car: PathBuf,

    /// Record: collection/rkey, at-uri or bsky.app URL
    path: RecordArg,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Require exactly the blocks that `pds prove` writes, in any order, and if the rev is no time, the present
    /// key of the account
    #[arg(long)]
    strict: bool,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let no_key = "no key was given; use --key, --did-doc or --plc-log";
        let keys = identity.history().ok_or_else(|| Stated::usage(no_key))?;
        let path = self.path.path();
        let file = open_file(&self.car)?;
        let proven = verify_proof(file, path, &keys)
            .and_then(|proven| {
                if self.strict {
                    proven.require_exact()?;
                    proven.require_valid_key()?;
                }
                Ok(proven)
            })
            .with_context(|| format!("{} is not a valid proof", self.car.display()))?;
        self.path.path_in(proven.commit.did())?;
        check_account(identity.did(), proven.commit.did())?;
        print(&proven, path, out)?;
        Ok(Exit::Done)
    }
}

/// Prints what a proof shows.
fn print(proven: &Proven, path: &RecordPath, out: &mut Output) -> Result<()> {
    let Proven { commit, signed_by, record, .. } = &proven;
    let value = record.as_ref().and_then(shown_value);
    let (notes, time) = (notes(proven), proven.time_micros.map(time_text));
    let is_lines = !out.is_json() && out.terminal().is_none();
    if is_lines {
        say(&origin_text(commit, time.as_deref(), signed_by.key.as_ref()));
    }
    if !out.is_json() {
        notes.iter().for_each(|note| say(&format!("note: {note}")));
    }
    let answer = ProofAnswer {
        cid: Presence(record.as_ref().map(Record::cid)),
        commit: CommitId::of(commit),
        did: commit.did().as_str(),
        notes: &notes,
        signing_key: signed_by.key.as_ref().map(PublicKey::did_key),
        time,
        uri: AtUri::record(commit.did(), path).to_string(),
        value,
    };
    out.show(&answer, |terminal| screen::lines(&answer, &path.to_string(), terminal))
}

/// Returns the value of a record, or says why it cannot be shown.
fn shown_value(record: &Record) -> Option<Value> {
    let path = &record.path;
    match record.value() {
        Ok(value) if value.has_json_form() => return Some(value),
        Ok(_) => say(&format!("record {path} {NO_JSON_FORM}")),
        Err(error) => say(&format!("record {path} cannot be decoded: {error}")),
    }
    None
}

/// Describes what the rev does not show, and how the file differs from the proof that `pds prove` writes.
fn notes(proven: &Proven) -> Vec<String> {
    let mut notes = Vec::new();
    if proven.time_micros.is_none() {
        let rev = rev_text(proven.commit.rev());
        notes.push(match proven.may_be_later {
            true => format!(
                "rev {rev} is not a time of the account, and the key is a former one: the commit may be later than the \
                 change of the key"
            ),
            false => format!("rev {rev} is not a time of the account"),
        });
    }
    if let Some(cid) = proven.ends_above {
        notes.push(format!("the descent ends above node {cid}; some verifiers need that node"));
    }
    if let Some(cid) = proven.one_unneeded {
        let blocks = counted_plain(proven.unneeded, "block");
        notes
            .push(format!("the file has {blocks} that the proof does not need, for example {cid}"));
    }
    if proven.repeated > 0 {
        let sections = counted_plain(proven.repeated, "section");
        notes.push(format!("the file has {sections} with repeated blocks"));
    }
    notes
}
