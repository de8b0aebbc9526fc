//! `pds show`

use std::ffi::OsString;
use std::io::Write;

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::{Block, Codec, Value};
use pds::history::commits::PastCommit;
use pds::history::commits_in_file::commits_in_file;
use pds::identity::KeyHistory;
use pds::{Error, Revision};

use super::changed::print_stat;
use super::diff::print_changes;
use super::logged_commit::{LoggedCommit, ref_names, sweep_of};
use crate::answers::show::BlockAnswer;
use crate::arguments::history_args::{ChangeArgs, PathFilter};
use crate::arguments::identity::IdentityArgs;
use crate::arguments::record::check_account;
use crate::arguments::shown::{OpenState, Shown};
use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::records::changes::Outcome;
use crate::records::json_form::check_json_form;
use crate::repository::open::{Place, Source};
use crate::repository::signed::Signed;
use crate::screens;
use crate::screens::show::Verdict;

/// Show the changes of a commit, or any block, decoded
///
/// A commit is shown as in pds log, with the records that it changed as in pds diff. Any other block is shown as JSON,
/// and so is a commit with --block. With --key, --did-doc or --plc-log, exit code 1 if another key signed the commit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds show\n  pds show HEAD~1 -p\n  pds show HEAD --block\n  \
        pds show bafyreidwydhkxbncvxuvbwefh5wchyyei7fikeu4oplmgkynqmsvpcjo2i")]
pub(crate) struct Args {
    /// Commit (see pds help revisions), the CID of any block or six letters of it or more, or REV:PATH, to show a
    /// record of a state
    #[arg(value_name = "REV|CID", default_value = "HEAD")]
    what: OsString,

    #[command(flatten)]
    form: ChangeArgs,

    /// Show the block of the commit, decoded
    #[arg(long, conflicts_with_all = ["patch", "stat", "name_only"])]
    block: bool,

    /// Write the exact bytes of the block
    #[arg(long, conflicts_with_all = ["json", "patch", "stat", "name_only"])]
    cbor: bool,

    #[command(flatten)]
    identity: IdentityArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (source, at, commit) = match Shown::find(place, &self.what)? {
            Shown::State(state) => {
                let OpenState { source, at, snapshot } = *state;
                (source, at, snapshot.commit().clone())
            }
            Shown::Block(block, Some(source)) if is_commit(&block) && !self.block && !self.cbor => {
                let commit = Commit::decode_with_faults(&block)?;
                (source, Some(block.cid().into()), commit)
            }
            Shown::Block(block, _) => return self.show_block(&block, out),
        };
        match self.block || self.cbor {
            true => self.show_block(commit.block(), out),
            false => self.show_commit(&source, at.as_ref(), &commit, out),
        }
    }

    fn show_block(&self, block: &Block, out: &mut Output) -> Result<Exit> {
        if self.cbor {
            out.bytes().write_all(block.bytes())?;
            return Ok(Exit::Done);
        }
        let value = match block.cid().codec() {
            Codec::Raw => Value::from(block.bytes()),
            Codec::Cbor => {
                let undecodable =
                    || format!("block {} cannot be decoded; use --cbor for its bytes", block.cid());
                Value::decode(block.bytes()).with_context(undecodable)?
            }
        };
        check_json_form(&value, &format!("block {}", block.cid()))?;
        out.answer(&BlockAnswer(value))?;
        Ok(Exit::Done)
    }

    fn show_commit(
        &self,
        source: &Source,
        at: Option<&Revision>,
        commit: &Commit,
        out: &mut Output,
    ) -> Result<Exit> {
        let identity = self.identity.read()?;
        check_account(identity.did(), commit.known_did())?;
        let keys = identity.history();
        let past = past_commit(source, at)?;
        let listed = LoggedCommit::new(
            source,
            &past,
            keys.as_ref(),
            &PathFilter::default(),
            sweep_of(source)?,
        )?;
        let mut exit = listed.exit;
        match out.terminal().is_some() && !self.form.name_only {
            true => {
                let verdict = verdict(source, commit, keys.as_ref(), &listed)?;
                if matches!(verdict, Verdict::Invalid) && exit == Exit::Done {
                    exit = Exit::No;
                }
                let refs = ref_names(source)?;
                let arrival = past.arrival.as_ref();
                screens::show::print_head(commit, arrival, &refs, &verdict, out)?;
            }
            false if !self.form.name_only => out.answer(&listed.row(&past))?,
            false => {}
        }
        let filter = PathFilter::default();
        let Some(pair) = &listed.pair else { return Ok(exit) };
        let outcome = if self.form.stat {
            print_stat(pair, &filter, None, out)?
        } else if out.terminal().is_some() && !self.form.patch && !self.form.name_only {
            screens::diff::print_paths(pair, &filter, out)?
        } else {
            print_changes(pair, &filter, self.form, out)?
        };
        Ok(match outcome {
            Outcome { is_partial: true, .. } if exit == Exit::Done => Exit::Partly,
            _ => exit,
        })
    }
}

fn is_commit(block: &Block) -> bool {
    block.cid().codec() == Codec::Cbor && Commit::decode_with_faults(block).is_ok()
}

/// Returns the commit of a state, with the commit before it.
fn past_commit(source: &Source, at: Option<&Revision>) -> Result<PastCommit> {
    let past = match source {
        Source::Repo(repo) => repo.history().commits(at)?.next().transpose()?,
        Source::Car(car) => commits_in_file(car.as_ref(), at)?.next().transpose()?,
    };
    past.ok_or_else(|| Error::NoCommit(pds::store::RefName::head()).into())
}

/// Judges the signature of a commit by the keys that the user gave, or else by the known key.
fn verdict(
    source: &Source,
    commit: &Commit,
    keys: Option<&KeyHistory>,
    listed: &LoggedCommit<'_>,
) -> Result<Verdict> {
    if keys.is_some() {
        return Ok(match &listed.signed {
            Some(Signed { key: Some(key), .. }) => Verdict::Valid(key.to_string()),
            Some(Signed { is_wrong: true, .. }) => Verdict::Invalid,
            _ => Verdict::Unchecked,
        });
    }
    let Source::Repo(repo) = source else { return Ok(Verdict::Unchecked) };
    Ok(match repo.keys().of(commit)? {
        Some(key) if commit.verify(&key).is_ok() => Verdict::Valid(key.to_string()),
        Some(_) => Verdict::Invalid,
        None => Verdict::Unchecked,
    })
}
