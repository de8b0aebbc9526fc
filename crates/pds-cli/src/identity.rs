//! The keys that may sign, as the user gives them: a key, or a file that lists keys.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::crypto::PublicKey;
use pds::data::limits::{MAX_DID_DOCUMENT_BYTES, MAX_PLC_LOG_BYTES};
use pds::identity::{DidDocument, KeyHistory, PlcLog};

use crate::exit::Stated;
use crate::open::peek;
use crate::progress::Watched;
use crate::record::check_account;
use crate::stream::read_limited;

/// The expected signer of an import: a key, or the key that was valid at the time of the commit.
#[derive(Debug, clap::Args)]
pub(crate) struct SignedByArg {
    /// Require the commit to be signed by this key [default: the repository's known key]. The key is remembered.
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,

    /// Require the key that the audit log of the did:plc account lists for the time of the commit. The key is
    /// remembered
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    plc_log: Option<PathBuf>,
}

impl SignedByArg {
    /// Returns the key that must have signed the commit of a file; `None` if the user gave none.
    pub(crate) fn key_for(&self, file: &Watched) -> Result<Option<PublicKey>> {
        let Some(log) = &self.plc_log else { return Ok(self.key.clone()) };
        let keys = read_plc_log(log)?.key_history();
        let unread = || Stated::bad_input("the file has no readable commit");
        let commit = peek(file).ok_or_else(unread)?;
        check_account(keys.did(), commit.did())?;
        let period = keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature());
        let period = period.map_err(|error| {
            Stated::no(
                "refused",
                format!("commit {}: {:#}", commit.cid(), anyhow::Error::new(error)),
            )
        })?;
        Ok(period.key.clone())
    }
}

/// The expected signer of a proof, in one of three forms.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeysArg {
    /// Key of the account
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,

    /// DID document of the account (JSON file)
    #[arg(long, value_name = "FILE")]
    did_doc: Option<PathBuf>,

    /// Audit log of the did:plc account (JSON file): the key must have been valid at the time of the commit
    #[arg(long, value_name = "FILE")]
    plc_log: Option<PathBuf>,
}

impl KeysArg {
    pub(crate) fn read(&self) -> Result<KeyHistory> {
        match (&self.key, &self.did_doc, &self.plc_log) {
            (Some(key), ..) => Ok(key.clone().into()),
            (None, Some(path), _) => {
                let text = read_text(path, MAX_DID_DOCUMENT_BYTES)?;
                let document = DidDocument::parse(&text).with_context(|| cannot_use(path))?;
                Ok(document.key_history())
            }
            (None, None, Some(path)) => Ok(read_plc_log(path)?.key_history()),
            (None, None, None) => {
                Stated::usage("no key was given; use --key, --did-doc or --plc-log").fail()
            }
        }
    }
}

/// Reads an audit log and checks all of it.
pub(crate) fn read_plc_log(path: &Path) -> Result<PlcLog> {
    let text = read_text(path, MAX_PLC_LOG_BYTES)?;
    PlcLog::parse(&text).with_context(|| cannot_use(path))
}

/// A file that lists the keys of an account, with its text unchanged.
pub(crate) struct IdentityFile {
    /// The ending of its name next to a proof.
    pub(crate) ending: &'static str,
    pub(crate) text: String,
    pub(crate) keys: KeyHistory,
}

impl IdentityFile {
    /// Reads a DID document or an audit log, and finds out which it is.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, MAX_PLC_LOG_BYTES)?;
        let (ending, keys) = if text.trim_start().starts_with('[') {
            ("plc.json", PlcLog::parse(&text).map(|log| log.key_history()))
        } else {
            ("did.json", DidDocument::parse(&text).map(|document| document.key_history()))
        };
        let keys = keys.with_context(|| cannot_use(path))?;
        Ok(Self { ending, text, keys })
    }
}

fn read_text(path: &Path, limit: usize) -> Result<String> {
    let bytes = read_limited(Some(path), limit).with_context(|| cannot_use(path))?;
    let not_text = |_| Stated::bad_input(format!("{} is not a text file", path.display()));
    Ok(String::from_utf8(bytes).map_err(not_text)?)
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use {}", path.display())
}
