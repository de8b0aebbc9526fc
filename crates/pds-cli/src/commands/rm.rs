//! `pds rm`

use anyhow::Result;
use pds::store::Expect;
use pds::syntax::RecordPath;
use pds::{Error, Snapshot, SpooledBatch, SpooledWritten, StepKind, Write, WriteOptions};

use crate::answers::put::WrittenRow;
use crate::arguments::record::Account;
use crate::arguments::record_pattern::RecordsArg;
use crate::arguments::write_args::{CommitArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::progress::{Progress, Steps};
use crate::process::questions::{DeletionArgs, can_ask, confirm, declined, needs_yes};
use crate::repository::open::Place;
use crate::screens::planned::Plan;
use crate::screens::written::print_read;
use crate::terminal::numbers::counted;

/// Delete records in one signed commit
///
/// If one of the records does not exist, none is deleted. A collection means all of its records, and a star at the end
/// of a pattern means all records whose paths begin like that. The shell must not see the star: put the pattern in
/// quotes. On a terminal, a question names the number of records; elsewhere --yes is required. pds revert HEAD
/// restores them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds rm com.example.note/first com.example.note/second\n  \
    pds rm 'com.example.note/n*' --dry-run     list the records\n  \
    pds rm app.bsky.feed.post --yes            delete all records of a collection\n  \
    pds rm 'app.bsky.*' --yes                  delete those of several collections")]
pub(crate) struct Args {
    /// Records: collection/rkey, at-uri or bsky.app URL; or patterns: collection, 'collection/*',
    /// 'collection/abc*' or 'app.bsky.feed.*'
    #[arg(required = true)]
    paths: Vec<RecordsArg>,

    #[command(flatten)]
    deletion: DeletionArgs,

    #[command(flatten)]
    commit: CommitArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = match self.deletion.dry_run {
            true => place.unchanged_on(self.commit.ref_name.as_ref())?,
            false => self.commit.open(place, out)?,
        };
        let did = account_of(&repo)?;
        let (snapshot, account) = (repo.snapshot()?, place.account(&did));
        let is_bulk = self.paths.iter().any(|path| matches!(path, RecordsArg::Beginning(_)));
        if is_bulk {
            let mut count = 0_u64;
            self.each(&snapshot, &account, &mut |_| {
                count += 1;
                Ok(())
            })?;
            if !self.deletion.yes && !self.deletion.dry_run {
                self.ask(count)?;
            }
        }
        if self.deletion.dry_run {
            self.check_all_exist(&snapshot, &account)?;
            let mut plan = Plan::default();
            self.each(&snapshot, &account, &mut |path| plan.add(&did, &path, out))?;
            return plan.finish(out).map(|()| Exit::Done);
        }
        let mut batch = SpooledBatch::on(&repo)?;
        self.each(&snapshot, &account, &mut |path| Ok(batch.push(&Write::delete(path))?))?;
        let written = commit(batch)?;
        out.has_done();
        print_read(WrittenRow::spooled(&written), out)?;
        if out.terminal().is_some() {
            let undo = match &self.commit.ref_name {
                Some(name) => format!("pds revert {name} --ref {name} restores them"),
                None => "pds revert HEAD restores them".to_owned(),
            };
            out.hint(&undo)?;
        }
        Ok(Exit::Done)
    }

    /// Passes on the records that the arguments name, each once. A pattern may find a million, so none is held.
    fn each(
        &self,
        snapshot: &Snapshot,
        account: &Account<'_>,
        take: &mut dyn FnMut(RecordPath) -> Result<()>,
    ) -> Result<()> {
        let mut progress = Progress::things("records", None);
        for (at, records) in self.paths.iter().enumerate() {
            let earlier = self.paths.get(..at).unwrap_or_default();
            let mut take_new = |path: RecordPath| match earlier.iter().any(|one| one.fits(&path)) {
                true => Ok(()),
                false => take(path),
            };
            match records {
                RecordsArg::One(record) => take_new(record.path_in(account.clone())?.clone())?,
                RecordsArg::Beginning(beginning) => {
                    let mut is_found = false;
                    for path in beginning.records(snapshot, account)? {
                        is_found = true;
                        progress.add(1);
                        take_new(path?)?;
                    }
                    if !is_found {
                        let message = format!("no record matches {beginning}");
                        let stated = Stated::no("not-found", message);
                        return stated.hint("pds ls lists the collections").fail();
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses a record that does not exist, as the commit would.
    fn check_all_exist(&self, snapshot: &Snapshot, account: &Account<'_>) -> Result<()> {
        for path in &self.paths {
            let RecordsArg::One(record) = path else { continue };
            let path = record.path_in(account.clone())?;
            if snapshot.find_cid(path)?.is_none() {
                let (path, expected) = (path.clone(), Expect::Present);
                return Err(Error::Conflict { path, expected, found: None }.into());
            }
        }
        Ok(())
    }

    fn ask(&self, count: u64) -> Result<()> {
        let names: Vec<String> = self.paths.iter().map(RecordsArg::to_string).collect();
        let work = format!("deleting {} ({})", counted(count, "record"), names.join(" "));
        if !can_ask() {
            return needs_yes(&work);
        }
        let question = format!("Delete {} ({})?", counted(count, "record"), names.join(" "));
        if confirm(&question)? { Ok(()) } else { declined() }
    }
}

/// Makes the deletions in one commit.
fn commit(batch: SpooledBatch<'_>) -> Result<SpooledWritten> {
    let steps = Steps::of(StepKind::Records, batch.len());
    let count = |step, more| steps.add(step, more);
    let options = WriteOptions::default().message("rm".to_owned());
    Ok(batch.with_progress(pds::Progress::new(&count)).commit(&options)?)
}
