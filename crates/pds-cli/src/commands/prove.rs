//! `pds prove`

use std::ffi::OsString;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::Record;
use pds::syntax::{AtUri, RecordPath};
use pds::transfer::export::Exported;
use pds::transfer::prove::{Proof, verify_proof};

use crate::answers::commit::CommitId;
use crate::answers::prove::{Presence, ProveAnswer, origin_of};
use crate::arguments::identity::IdentityFile;
use crate::arguments::record_at::RecordAtArg;
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::{Exit, Stated};
use crate::process::destination::{check_is_free, check_is_no_terminal, named, write_file};
use crate::process::output::Output;
use crate::process::text::{counted_plain, rev_text, say};
use crate::repository::open::Place;
use crate::screens::proof::written as screen;
use crate::terminal::numbers::size;

/// Write a CAR file that proves that a record is present or absent
///
/// The file has the commit, the nodes of the tree down to the record, and the record. `pds verify-proof` and other
/// verifiers check it with the key of the account, without the repository and without the network.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds prove app.bsky.actor.profile/self -o proof.car\n  pds -R backup.car prove app.bsky.feed.post/3jzfcijpj2z2a --with-identity log.json -o proof.car"
)]
pub(crate) struct Args {
    /// Record: collection/rkey, an at-uri or a bsky.app URL; REV:PATH proves it in a state
    #[arg(value_name = "PATH")]
    path: RecordAtArg,

    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Copy a DID document or a did:plc audit log next to the proof, so that it can be checked after a key change
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
            let message = "--with-identity writes files next to the proof and needs -o FILE";
            return Stated::usage(message).fail();
        }
        check_is_no_terminal(self.output.as_deref())?;
        let at = self.path.state(self.at.clone())?;
        let snapshot = place.snapshot(at.as_ref())?;
        let path = self.path.record.path_in(place.account(snapshot.commit().known_did()))?;
        let proof = snapshot.prove(path)?;
        let presence = Presence(proof.record().map(Record::cid));
        let Some(file) = to else {
            proof.write_car(out.bytes())?;
            say(&presence.to_string());
            say(&origin_of(proof.commit()));
            return Ok(Exit::Done);
        };
        let Exported { blocks, bytes, .. } = self.write(file, &proof, path)?;
        let commit = proof.commit();
        let uri = AtUri::record(commit.did(), path).to_string();
        out.has_done();
        let id = CommitId::of(commit);
        let answer = ProveAnswer { blocks, bytes, cid: presence, commit: id, uri };
        let (path, rev) = (path.to_string(), rev_text(commit.rev()));
        out.show(&answer, |terminal| screen(presence.0.as_ref(), &path, &rev, terminal))?;
        if !out.is_json() {
            say(&origin_of(commit));
            let length = match out.terminal() {
                Some(_) => size(bytes),
                None => counted_plain(bytes, "byte"),
            };
            say(&format!("{}, {length}", counted_plain(blocks, "block")));
        }
        Ok(Exit::Done)
    }

    /// Writes the proof, and the identity files next to it.
    fn write(&self, file: &Path, proof: &Proof, path: &RecordPath) -> Result<Exported> {
        let identities = self.identity_files(file, proof, path)?;
        check_is_free(file, self.force)?;
        for (path, _) in &identities {
            check_is_free(path, self.force)?;
        }
        // The proof is written last, so that its identity files exist when it does.
        for (path, identity) in &identities {
            write_file(path, self.force, |out| Ok(out.write_all(identity.text.as_bytes())?))?;
        }
        write_file(file, self.force, |out| Ok(proof.write_car(out)?))
    }

    /// Reads the files to copy next to the proof, and checks the proof with each of them.
    fn identity_files(
        &self,
        file: &Path,
        proof: &Proof,
        path: &RecordPath,
    ) -> Result<Vec<(PathBuf, IdentityFile)>> {
        let mut identities: Vec<(PathBuf, IdentityFile)> = Vec::new();
        if self.with_identity.is_empty() {
            return Ok(identities);
        }
        let mut car = Vec::new();
        proof.write_car(&mut car)?;
        for from in &self.with_identity {
            let identity = IdentityFile::read(from)?;
            verify_proof(Cursor::new(&car), path, &identity.keys)
                .with_context(|| format!("{} does not match the proof", from.display()))?;
            let mut name = OsString::from(file);
            name.push(format!(".{}", identity.ending));
            if identities.iter().any(|(other, _)| *other == Path::new(&name)) {
                let message = "--with-identity accepts one DID document and one audit log";
                return Stated::usage(message).fail();
            }
            identities.push((name.into(), identity));
        }
        Ok(identities)
    }
}
