//! `pds rm`

use std::collections::HashSet;

use anyhow::Result;
use pds::syntax::{AtUri, Did, RecordPath};
use pds::{Batch, Repo, Write, WriteOptions};

use crate::answers::put::{PlannedRow, WrittenRow};
use crate::arguments::record_pattern::RecordsArg;
use crate::arguments::write_args::{CommitArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::questions::{DeletionArgs, can_ask, confirm, declined, needs_yes};
use crate::repository::open::Place;
use crate::screens::written::print;
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
        let paths = self.records(&repo, &did, place)?;
        if self.deletion.dry_run {
            let uri = |path: &RecordPath| AtUri::record(&did, path).to_string();
            paths.iter().try_for_each(|path| out.answer(&PlannedRow::deletion(uri(path))))?;
            return Ok(Exit::Done);
        }
        let is_bulk = self.paths.iter().any(|path| matches!(path, RecordsArg::Beginning(_)));
        if is_bulk && !self.deletion.yes {
            self.ask(paths.len() as u64)?;
        }
        let writes: Vec<Write> = paths.into_iter().map(Write::delete).collect();
        let options = WriteOptions::default().message("rm".to_owned());
        let written = repo.write(Batch::new(&writes).with(options))?;
        drop(writes);
        out.has_done();
        print(WrittenRow::all(&written), out)?;
        if out.terminal().is_some() {
            let undo = match &self.commit.ref_name {
                Some(name) => format!("pds revert {name} --ref {name} restores them"),
                None => "pds revert HEAD restores them".to_owned(),
            };
            out.hint(&undo)?;
        }
        Ok(Exit::Done)
    }

    /// Finds the records that the arguments name, each once.
    fn records(&self, repo: &Repo, did: &Did, place: &Place) -> Result<Vec<RecordPath>> {
        let mut found = Vec::new();
        // One pattern finds no record twice, and may find a million.
        let mut seen = HashSet::new();
        let is_alone = self.paths.len() == 1;
        let mut add = |path: RecordPath| {
            if is_alone || seen.insert(path.clone()) {
                found.push(path);
            }
        };
        let snapshot = repo.snapshot()?;
        for records in &self.paths {
            match records {
                RecordsArg::One(record) => add(record.path_in(place.account(did))?.clone()),
                RecordsArg::Beginning(beginning) => {
                    let mut count = 0_u64;
                    for path in beginning.records(&snapshot, &place.account(did))? {
                        add(path?);
                        count += 1;
                    }
                    if count == 0 {
                        let message = format!("no record matches {beginning}");
                        let stated = Stated::no("not-found", message);
                        return stated.hint("pds ls lists the collections").fail();
                    }
                }
            }
        }
        Ok(found)
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
