//! `pds rm`

use std::collections::HashSet;

use anyhow::Result;
use pds::store::RefName;
use pds::{Error, Write, WriteOptions};

use super::put::print_written;
use crate::failure::Exit;
use crate::open::{Place, RecordArg};
use crate::output::Output;

/// Delete records, as one signed commit
///
/// If one of them does not exist, none is deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds rm com.example.note/first com.example.note/second")]
pub(crate) struct Args {
    /// collection/rkey or at-uris
    #[arg(required = true)]
    paths: Vec<RecordArg>,

    /// Write to another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.branch(self.ref_name.as_ref())?;
        let did = repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
        // Named twice it is deleted once.
        let mut seen = HashSet::new();
        let mut writes = Vec::new();
        for record in &self.paths {
            let path = record.path_in(&did)?;
            if seen.insert(path) {
                writes.push(Write::delete(path.clone()));
            }
        }
        let options = WriteOptions::default().message("rm".to_owned());
        let written = repo.write(pds::Batch::new(&writes).with(options.clone()))?;
        out.has_done();
        print_written(&written, out)?;
        Ok(Exit::Done)
    }
}
