//! The account and the keys that the user expects: given directly, or in a file of the account.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use pds::Expected;
use pds::commit::Commit;
use pds::crypto::{CryptoError, PublicKey};
use pds::data::limits::{MAX_DID_DOCUMENT_BYTES, MAX_PLC_LOG_BYTES};
use pds::identity::{DidDocument, KeyHistory, PlcLog};
use pds::syntax::Did;

use crate::arguments::record::check_account;
use crate::failures::exit::Stated;
use crate::input::foreign_file::{Kind, json_text};
use crate::input::secrets::{hint_of_secret, may_be_secret};
use crate::input::stream::read_limited;
use crate::process::progress::Watched;
use crate::process::text::say;
use crate::repository::open::peek;

/// The options that name the expected account and signer. They mean the same on every verb.
#[derive(Debug, clap::Args)]
pub(crate) struct IdentityArgs {
    /// Require this account [default: that of the repository, if there is one]
    #[arg(long)]
    did: Option<Did>,

    /// Require a signature by this key: did:key:z… or z… [default: the key that the repository knows, if there is one]
    #[arg(long, value_name = "DID_KEY")]
    key: Option<KeyText>,

    /// Require the account of this DID document, and a signature by its key (JSON file)
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    did_doc: Option<PathBuf>,

    /// Require the account of this did:plc audit log, and the key that was valid at the time of the commit (JSON file)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "did_doc"])]
    plc_log: Option<PathBuf>,
}

/// The text of a key. It is parsed later, because the parser of arguments repeats a wrong value, and the value may be
/// a secret.
#[derive(Clone, Debug)]
pub(crate) struct KeyText(String);

impl FromStr for KeyText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// The account and the keys that the user expects.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    did: Option<Did>,
    /// The key that must have signed, whenever that was.
    key: Option<PublicKey>,
    /// The keys over time, from a file of the account.
    keys: Option<KeyHistory>,
}

impl IdentityArgs {
    /// Tells whether the user gave any of them.
    pub(crate) fn is_given(&self) -> bool {
        self.did.is_some() || self.names_key()
    }

    /// Tells whether the user named a key, or a file with the keys.
    pub(crate) fn names_key(&self) -> bool {
        self.key.is_some() || self.did_doc.is_some() || self.plc_log.is_some()
    }

    /// Reads what the user gave.
    pub(crate) fn read(&self) -> Result<Identity> {
        let mut identity = match (&self.key, &self.did_doc, &self.plc_log) {
            (Some(key), ..) => Identity { key: Some(key.parse()?), ..Identity::default() },
            (None, Some(path), _) => {
                let text = read_text(path, MAX_DID_DOCUMENT_BYTES)?;
                Identity::of_document(&DidDocument::parse(&text).with_context(|| cannot_use(path))?)
            }
            (None, None, Some(path)) => {
                let text = read_text(path, MAX_PLC_LOG_BYTES)?;
                Identity::of_log(&PlcLog::parse(&text).with_context(|| cannot_use(path))?)
            }
            (None, None, None) => Identity::default(),
        };
        if let Some(did) = &self.did {
            if let Some(reason) = did.account_fault() {
                say(&format!("warning: no account can have {did}: {reason}"));
            }
            if let Some(found) = identity.did.as_ref().filter(|found| *found != did) {
                let message = format!("the file with the keys belongs to {found}, not to {did}");
                return Stated::no("wrong-did", message).fail();
            }
            identity.did = Some(did.clone());
        }
        Ok(identity)
    }
}

impl KeyText {
    /// Parses the key. The error does not repeat it.
    pub(crate) fn parse(&self) -> Result<PublicKey> {
        let text = self.0.trim();
        text.parse().map_err(|error: CryptoError| {
            let stated = Stated::usage(format!("the value of --key is not a public key: {error}"));
            match may_be_secret(text) {
                true => stated.hint(hint_of_secret()).into(),
                false => stated.into(),
            }
        })
    }
}

impl Identity {
    fn of_document(document: &DidDocument) -> Self {
        let (key, keys) = (document.signing_key().cloned(), Some(document.key_history()));
        Self { did: Some(document.did().clone()), key, keys }
    }

    fn of_log(log: &PlcLog) -> Self {
        Self { did: Some(log.did().clone()), key: None, keys: Some(log.key_history()) }
    }

    /// Returns the expected account.
    pub(crate) fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Returns the properties to verify a repository against.
    pub(crate) fn expected(&self) -> Expected<'_> {
        let keys = self.keys_in_time();
        Expected::default().did(self.did()).key(self.key.as_ref()).keys(keys)
    }

    /// Returns the keys that decide on signatures by the time of the commit.
    pub(crate) fn keys_in_time(&self) -> Option<&KeyHistory> {
        // A document says nothing about times. If it names no key, its history says so.
        self.keys.as_ref().filter(|_| self.key.is_none())
    }

    /// Returns the keys of the account over time, or `None` if the user gave none.
    pub(crate) fn history(&self) -> Option<KeyHistory> {
        self.keys.clone().or_else(|| self.key.clone().map(KeyHistory::from))
    }

    /// Returns the key that must have signed the commit of a file, after a check of its account; `None` if the user
    /// gave none.
    pub(crate) fn key_for(&self, file: &Watched) -> Result<Option<PublicKey>> {
        if self.did.is_none() && self.keys.is_none() {
            return Ok(self.key.clone());
        }
        match peek(file) {
            Some(commit) => self.key_of(&commit),
            // A slice without changes has no commit. If it must have one, the import says so.
            None if self.keys.is_none() || self.key.is_some() => Ok(self.key.clone()),
            None => Stated::bad_input("the file has no readable commit").fail(),
        }
    }

    /// Returns the key that must have signed a commit, after a check of its account.
    pub(crate) fn key_of(&self, commit: &Commit) -> Result<Option<PublicKey>> {
        check_account(self.did(), commit.known_did())?;
        let Some(keys) = &self.keys else { return Ok(self.key.clone()) };
        let period = keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature());
        let period = period.map_err(|error| {
            Stated::no(
                "refused",
                format!("commit {}: {:#}", commit.cid(), anyhow::Error::new(error)),
            )
        })?;
        Ok(period.key.clone())
    }

    /// Checks that a key is the one of the account at present.
    pub(crate) fn check_key(&self, key: &PublicKey) -> Result<()> {
        let of_file = || self.keys.as_ref().map(|keys| keys.periods().last()?.key.clone());
        let expected = match &self.key {
            Some(key) => Some(key.clone()),
            None => match of_file() {
                Some(None) => {
                    return Stated::no("wrong-key", "the file names no present key of the account")
                        .fail();
                }
                expected => expected.flatten(),
            },
        };
        match expected.filter(|expected| expected != key) {
            Some(expected) => {
                let message = format!(
                    "the secret belongs to {key}, but the key of the account is {expected}"
                );
                Stated::no("wrong-key", message).fail()
            }
            None => Ok(()),
        }
    }

    /// Checks that a stored commit belongs to the account and is signed with its key.
    pub(crate) fn check(&self, commit: &Commit) -> Result<()> {
        if let Some(key) = self.key_of(commit)?
            && let Err(error) = commit.verify(&key)
        {
            let message = format!("commit {} is not signed with {key}: {error}", commit.cid());
            return Stated::no("refused", message).fail();
        }
        Ok(())
    }
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
        let (ending, keys) = if PlcLog::looks_like(&text) {
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
    if let kind @ Kind::ServerError(_) = Kind::of(&bytes) {
        return kind.refusal(path, "a DID document or an audit log").fail();
    }
    let bytes = json_text(bytes, Some(path))?;
    let not_text = |_| Stated::bad_input(format!("{} is not a text file", path.display()));
    let text = String::from_utf8(bytes).map_err(not_text)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use {}", path.display())
}
