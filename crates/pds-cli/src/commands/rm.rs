//! `pds rm`

use std::collections::HashSet;

use anyhow::Result;
use pds::store::RefName;
use pds::{Batch, Error, Write, WriteOptions};

use crate::answers::put::WrittenRow;
use crate::clock::ClockArg;
use crate::exit::Exit;
use crate::open::Place;
use crate::output::Output;
use crate::record::RecordArg;
use crate::screens::written::print;

/// Delete records in one signed commit
///
/// If one of the records does not exist, none is deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds rm com.example.note/first com.example.note/second")]
pub(crate) struct Args {
    /// Records: collection/rkey or at-uris
    #[arg(required = true)]
    paths: Vec<RecordArg>,

    /// Write to this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    #[command(flatten)]
    clock: ClockArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = self.clock.on(place.branch(self.ref_name.as_ref())?, out)?;
        let did = repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
        // A record that is named twice is deleted once.
        let mut seen = HashSet::new();
        let mut writes = Vec::new();
        for record in &self.paths {
            let path = record.path_in(place.account(&did))?;
            if seen.insert(path) {
                writes.push(Write::delete(path.clone()));
            }
        }
        let options = WriteOptions::default().message("rm".to_owned());
        let written = repo.write(Batch::new(&writes).with(options))?;
        out.has_done();
        print(WrittenRow::all(&written), out)?;
        Ok(Exit::Done)
    }
}
