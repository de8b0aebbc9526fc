//! `pds verify-proof`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::Record;
use pds::crypto::PublicKey;
use pds::syntax::AtUri;
use pds::transfer::prove::{Proven, verify_proof};

use crate::answers::commit::CommitId;
use crate::answers::prove::Presence;
use crate::answers::verify_proof::ProofAnswer;
use crate::exit::Exit;
use crate::identity::KeysArg;
use crate::output::Output;
use crate::record::RecordArg;
use crate::stream::open_stream;
use crate::text::say;

/// Check a proof that a record is present or absent
///
/// Needs only the file and the keys of the account. Exit code 0 if presence or absence is proven, 1 if the proof
/// fails, 3 if the file is not a CAR file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds verify-proof proof.car app.bsky.actor.profile/self --key did:key:zQ3sh…\n  pds verify-proof proof.car app.bsky.actor.profile/self --plc-log proof.car.plc.json"
)]
pub(crate) struct Args {
    /// CAR file that `pds prove` wrote
    car: PathBuf,

    /// Record: collection/rkey or an at-uri
    path: RecordArg,

    #[command(flatten)]
    keys: KeysArg,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let keys = self.keys.read()?;
        let path = self.path.path();
        let proven = verify_proof(open_stream(Some(&self.car))?, path, &keys)
            .with_context(|| format!("{} is not a valid proof", self.car.display()))?;
        self.path.path_in(proven.commit.did())?;
        let Proven { commit, signed_by, record, .. } = &proven;
        let value = record.as_ref().and_then(|record| {
            let said = |error| say(&format!("record {path} cannot be decoded: {error}"));
            record.value().map_err(said).ok()
        });
        out.answer(&ProofAnswer {
            cid: Presence(record.as_ref().map(Record::cid)),
            commit: CommitId::of(commit),
            did: commit.did().as_str(),
            signing_key: signed_by.key.as_ref().map(PublicKey::did_key),
            uri: AtUri::record(commit.did(), path).to_string(),
            value,
        })?;
        Ok(Exit::Done)
    }
}
