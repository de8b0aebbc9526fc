//! `pds unpack`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::data::ReadError;
use pds::unfinished::UnfinishedDir;
use pds::{RecordEntry, Snapshot};

use crate::answers::unpack::UnpackAnswer;
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::process::new_directory::{existing, publish_directory};
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::records::record_files::{
    FileNames, Odd, UNFINISHED_RECORDS, check_is_new, clear_records, directory_name, write_commit,
    write_record,
};
use crate::repository::open::Place;
use crate::screens::files::unpacked;

/// Write every record as a JSON file
///
/// Writes DIR/<did>/<collection>/<rkey>.json and DIR/<did>/_commit.json. A record that cannot be decoded is
/// written as <rkey>.cbor, and so is a record whose JSON would mean another record. Exit code 6 if a record is missing,
/// or could not be written as JSON.
///
/// With --portable, capital letters and the characters that Windows forbids are written as % and two digits, and long
/// names go on in a directory whose name ends with %. pds apply reads both kinds of directories back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds -R backup.car unpack records/\n  \
    pds unpack stick/ --portable")]
pub(crate) struct Args {
    /// Directory to write to
    dir: PathBuf,

    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Write names that every file system accepts: Windows, macOS, USB sticks
    #[arg(long)]
    portable: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.dir.is_file() {
            let message = format!("{} is a file, not a directory to write to", self.dir.display());
            return Stated::usage(message).hint("the form is: pds unpack FILE.car DIR").fail();
        }
        let (source, at) = place.source_at(self.at.as_ref())?;
        self.of(&source.snapshot(at)?, out)
    }

    fn of(&self, snapshot: &Snapshot, out: &mut Output) -> Result<Exit> {
        let did = snapshot.commit().known_did();
        let names = if self.portable { FileNames::Portable } else { FileNames::Plain };
        let name = match (did, names) {
            (None, _) => NO_ACCOUNT,
            (Some(did), FileNames::Plain) => directory_name(did, ONE_BY_ONE)?,
            (Some(did), FileNames::Portable) => did.as_str(),
        };
        let dir = names.path(&self.dir, name, "");
        check_is_new(&dir)?;
        // If the work is interrupted, no new directory is left.
        let base = existing(&self.dir);
        clear_records(base, &self.dir);
        let staging = UnfinishedDir::create_in(base, UNFINISHED_RECORDS)
            .with_context(|| format!("cannot write to {}", base.display()))?;
        write_commit(snapshot.commit(), staging.path())?;
        let (mut written, mut odd, mut gaps) = (0_u64, 0_u64, Gaps::default());
        let mut progress = Progress::things("records", None);
        for entry in snapshot.records() {
            progress.add(1);
            let Some(entry) = gaps.pass(entry)? else { continue };
            match one(snapshot, &entry, staging.path(), names)? {
                Ok(()) => written += 1,
                Err(Odd(message)) => {
                    say(&message);
                    odd += 1;
                }
            }
        }
        drop(progress);
        publish_directory(&staging, staging.path(), &dir)?;
        out.has_done();
        let is_whole = odd == 0 && gaps.is_empty();
        let shown = dir.display().to_string();
        out.show(&UnpackAnswer { records: written }, |terminal| {
            unpacked(written, &shown, is_whole, terminal)
        })?;
        Ok(if odd == 0 { gaps.exit() } else { Exit::Partly })
    }
}

fn one(
    snapshot: &Snapshot,
    entry: &RecordEntry,
    dir: &Path,
    names: FileNames,
) -> Result<Result<(), Odd>> {
    let RecordEntry { path, cid } = entry;
    let odd = |what: &str| Ok(Err(Odd(format!("{path} {what}"))));
    match snapshot.blocks().get(cid) {
        Ok(Some(block)) => write_record(&block, path, dir, names),
        Ok(None) => odd("is missing"),
        Err(ReadError::Damaged { .. }) => odd("is damaged"),
        Err(error) => Err(error.into()),
    }
}

/// The name of the directory if the commit names no account.
const NO_ACCOUNT: &str = "unknown-account";

const ONE_BY_ONE: &str = "pds ls --all lists the records; pds get PATH prints one";
