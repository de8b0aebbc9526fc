//! `pds verify-proof`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::Value;
use pds::syntax::{AtUri, RecordPath};
use pds::transfer::prove::{Proven, verify_proof};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::Exit;
use crate::identity::KeysArg;
use crate::open::{RecordArg, open_stream};
use crate::output::{Output, commit_json, say};

/// Check a proof that a record is there, or that it is not
///
/// With nothing but the file and what is known of the account. Exit code 0 if it is proven that the
/// record is present or absent, 1 if the proof fails, 3 if the file is no CAR file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds verify-proof proof.car app.bsky.actor.profile/self --key did:key:zQ3sh…\n  pds verify-proof proof.car app.bsky.actor.profile/self --plc-log proof.car.plc.json"
)]
pub(crate) struct Args {
    /// The CAR file that prove has written
    car: PathBuf,

    /// collection/rkey or an at-uri
    path: RecordArg,

    #[command(flatten)]
    keys: KeysArg,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let keys = self.keys.read()?;
        let path = self.path.path();
        let proven = verify_proof(open_stream(Some(&self.car))?, path, &keys)
            .with_context(|| format!("{} proves nothing", self.car.display()))?;
        self.path.path_in(proven.commit.did())?;
        let value = proven.record.as_ref().and_then(|record| {
            let said = |error| say(&format!("record {path} cannot be decoded: {error}"));
            record.value().map_err(said).ok()
        });
        if out.is_json() {
            out.json(&Answer { path, proven: &proven, value })?;
            return Ok(Exit::Done);
        }
        match &proven.record {
            Some(record) => out.line(&format!("present {}", record.cid()))?,
            None => out.line("absent")?,
        }
        if let Some(value) = value {
            out.json_pretty(&value)?;
        }
        Ok(Exit::Done)
    }
}

/// Written as it is: a record may be large, and a copy of it in JSON larger.
struct Answer<'a> {
    path: &'a RecordPath,
    proven: &'a Proven,
    value: Option<Value>,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Proven { commit, signed_by, record, .. } = self.proven;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("cid", &record.as_ref().map(pds::Record::cid))?;
        map.serialize_entry("commit", &commit_json(commit.cid(), commit.rev()))?;
        map.serialize_entry("did", commit.did().as_str())?;
        let key = signed_by.key.as_ref().map(pds::crypto::PublicKey::did_key);
        map.serialize_entry("signingKey", &key)?;
        map.serialize_entry("uri", AtUri::record(commit.did(), self.path).as_str())?;
        map.serialize_entry("value", &self.value)?;
        map.end()
    }
}
