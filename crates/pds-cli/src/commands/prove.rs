//! `pds prove`

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::syntax::{AtUri, RecordPath};
use pds::transfer::export::Exported;
use pds::transfer::prove::{Proof, verify_proof};
use serde_json::json;

use crate::destination::{check_is_free, named, write_file};
use crate::failure::{Exit, Stated};
use crate::identity::IdentityFile;
use crate::open::{Place, RecordArg};
use crate::output::{Output, commit_json, counted, say};
use crate::state::StateArg;

/// Write the smallest CAR file that proves that a record is there, or that it is not
///
/// Whoever knows the key of the account can check it with pds verify-proof, without the repository
/// and without the network.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds prove app.bsky.actor.profile/self -o proof.car\n  pds -R backup.car prove app.bsky.feed.post/3jzfcijpj2z2a --with-identity log.json -o proof.car"
)]
pub(crate) struct Args {
    /// collection/rkey or an at-uri
    path: RecordArg,

    /// The file; stdout if not given
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// The state to prove: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// A DID document or a did:plc audit log to keep beside the proof, for when keys have changed
    #[arg(long, value_name = "FILE")]
    with_identity: Vec<PathBuf>,

    /// Overwrite the files
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let to = named(self.output.as_deref());
        if to.is_none() && !self.with_identity.is_empty() {
            let message = "--with-identity puts files beside the proof: it takes -o FILE";
            return Err(Stated::usage(message).into());
        }
        if self.output.is_none() && io::stdout().is_terminal() {
            return Err(Stated::usage("a CAR file is not for a terminal: use -o FILE").into());
        }
        let snapshot = place.snapshot(self.at.as_ref())?;
        let path = self.path.path_in(snapshot.commit().did())?;
        let proof = snapshot.prove(path)?;
        let Some(file) = to else {
            proof.write_car(out.bytes())?;
            say(&answer(&proof));
            return Ok(Exit::Done);
        };
        let beside = self.beside(file, &proof, path)?;
        check_is_free(file, self.force)?;
        for (path, _) in &beside {
            check_is_free(path, self.force)?;
        }
        // The proof comes last: where it is, what belongs to it is there too.
        for (path, identity) in &beside {
            write_file(path, self.force, |out| Ok(out.write_all(identity.text.as_bytes())?))?;
        }
        let Exported { blocks, bytes, .. } =
            write_file(file, self.force, |out| Ok(proof.write_car(out)?))?;
        let commit = proof.commit();
        out.has_done();
        out.answer(
            || answer(&proof),
            || {
                json!({
                    "uri": AtUri::record(commit.did(), path).as_str(),
                    "cid": proof.record().map(|record| record.cid().to_string()),
                    "commit": commit_json(commit.cid(), commit.rev()),
                    "blocks": blocks,
                    "bytes": bytes,
                })
            },
        )?;
        if !out.is_json() {
            say(&format!("{}, {}", counted(blocks, "block"), counted(bytes, "byte")));
        }
        Ok(Exit::Done)
    }

    /// Reads what is to lie beside the proof, each with its path, and checks the proof with it.
    fn beside(
        &self,
        file: &Path,
        proof: &Proof,
        path: &RecordPath,
    ) -> Result<Vec<(PathBuf, IdentityFile)>> {
        let mut beside: Vec<(PathBuf, IdentityFile)> = Vec::new();
        if self.with_identity.is_empty() {
            return Ok(beside);
        }
        let mut car = Vec::new();
        proof.write_car(&mut car)?;
        for from in &self.with_identity {
            let identity = IdentityFile::read(from)?;
            verify_proof(&car[..], path, &identity.keys)
                .with_context(|| format!("{} is of no use to this proof", from.display()))?;
            let mut name = OsString::from(file);
            name.push(format!(".{}", identity.ending));
            if beside.iter().any(|(other, _)| *other == Path::new(&name)) {
                let message = "--with-identity takes one DID document and one audit log";
                return Err(Stated::usage(message).into());
            }
            beside.push((name.into(), identity));
        }
        Ok(beside)
    }
}

fn answer(proof: &Proof) -> String {
    match proof.record() {
        Some(record) => format!("present {}", record.cid()),
        None => "absent".to_owned(),
    }
}
