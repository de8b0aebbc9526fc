//! Who may sign, as the user says it: a key, or a file that names keys.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::crypto::PublicKey;
use pds::data::limits::{MAX_DID_DOCUMENT_BYTES, MAX_PLC_LOG_BYTES};
use pds::identity::{DidDocument, KeyHistory, PlcLog};

use crate::failure::Stated;
use crate::open::{check_account, peek, read_limited};
use crate::progress::Watched;

/// Whose signature is believed for what comes in: a key, or that of the commit's time.
#[derive(Debug, clap::Args)]
pub(crate) struct SignedByArg {
    /// The key that must have signed the commit; the one that is known here if not given. It counts as
    /// the key of this commit from then on, and as that of the repository where none is known yet
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,

    /// The audit log of the did:plc account: the key of the commit's time must have signed it, and counts
    /// as one given by --key
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    plc_log: Option<PathBuf>,
}

impl SignedByArg {
    /// Returns the key that must have signed the commit of a file; `None` where nothing was said.
    pub(crate) fn key_for(&self, file: &Watched) -> Result<Option<PublicKey>> {
        let Some(log) = &self.plc_log else { return Ok(self.key.clone()) };
        let keys = read_plc_log(log)?.key_history();
        let unread = || Stated::bad_input("the file has no commit that can be read");
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

/// Whose signature is believed: one of three ways to say it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeysArg {
    /// The key of the account
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,

    /// The DID document of the account, a JSON file
    #[arg(long, value_name = "FILE")]
    did_doc: Option<PathBuf>,

    /// The audit log of the did:plc account, a JSON file: the key of the time counts
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
            (None, None, None) => Err(Stated::usage("no key was given").into()),
        }
    }
}

/// Reads an operation log and checks all of it.
pub(crate) fn read_plc_log(path: &Path) -> Result<PlcLog> {
    let text = read_text(path, MAX_PLC_LOG_BYTES)?;
    PlcLog::parse(&text).with_context(|| cannot_use(path))
}

/// A file that says who may sign, kept as it is.
pub(crate) struct IdentityFile {
    /// What its name ends with where it lies beside a proof.
    pub(crate) ending: &'static str,
    pub(crate) text: String,
    pub(crate) keys: KeyHistory,
}

impl IdentityFile {
    /// Reads a DID document or an operation log, whichever it is.
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
    let not_text = |_| Stated::bad_input(format!("{} is no text", path.display()));
    Ok(String::from_utf8(bytes).map_err(not_text)?)
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use {}", path.display())
}
