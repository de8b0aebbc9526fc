//! `pds identity`

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use pds::Repo;
use pds::crypto::PublicKey;
use pds::data::limits::PLC_RECOVERY_MICROS;
use pds::identity::{PlcData, PlcEntry, PlcLog};
use pds::local::open::open_without_key;
use pds_net::account::Account;
use pds_net::error::Error as NetError;
use pds_net::mirror::handle::Mirror;
use pds_net::mirror::stored_identity::{check_stored, check_stored_document};
use pds_net::resolve::who::Who;

use crate::answers::identity::{IdentityAnswer, IdentityFinding, OperationRow, RotationKey};
use crate::arguments::network_args::NetworkArgs;
use crate::failures::exit::{Exit, Stated};
use crate::input::secret_file::read_secret;
use crate::process::output::Output;
use crate::process::text::{counted_plain, say, time_text};
use crate::repository::open::Place;
use crate::screens::identity as screen;

/// Show and check the identity of an account: its host, its handle and its keys
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds identity show alice.example.com\n  pds identity log alice.example.com\n  \
    pds identity check"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: IdentityVerb,
}

#[derive(Debug, Subcommand)]
enum IdentityVerb {
    /// Print the host, the handle and the keys
    ///
    /// A handle counts only if it resolves to the account. The rotation keys may change the identity; the first one is
    /// the most powerful. They are "ours" if --rotation-key has them. Whose the others are is not public: a host names
    /// its own to its accounts only.
    #[command(after_help = "Example:\n  pds identity show alice.example.com")]
    Show(WithKeys),
    /// List the operations on the identity, oldest first: what changed, and the rotation key that signed it
    #[command(after_help = "Example:\n  pds identity log alice.example.com")]
    Log(Common),
    /// Compare the log, the document and the stored copies, and say whether the account could be moved without its host
    ///
    /// Exit code 1 if something is wrong, or if no rotation key of --rotation-key could move the account.
    #[command(after_help = "Examples:\n  pds identity check\n  \
        pds identity check alice.example.com --rotation-key rotation.key")]
    Check(WithKeys),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Account [default: that of the repository]
    account: Option<Who>,

    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Debug, clap::Args)]
struct WithKeys {
    #[command(flatten)]
    common: Common,

    /// File with a rotation key of yours; may be given several times
    #[arg(long, value_name = "FILE")]
    rotation_key: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            IdentityVerb::Show(verb) => verb.show(place, out),
            IdentityVerb::Log(verb) => verb.log(place, out),
            IdentityVerb::Check(verb) => verb.check(place, out),
        }
    }
}

impl Common {
    /// Returns the account that is meant. `verb` is the name of the command.
    fn who(&self, place: &Place, verb: &str) -> Result<Who> {
        match &self.account {
            Some(Who::Host(host)) => {
                let message = format!("{host} is a host, and not an account");
                let hint = "name one of its accounts by its handle or DID";
                Stated::usage(message).hint(hint).fail()
            }
            Some(who) => Ok(who.clone()),
            None => match repo_of(place)?.did()? {
                Some(did) => Ok(Who::Did(did)),
                None => {
                    let message = format!("name the account: pds identity {verb} ACCOUNT");
                    Stated::usage(message).fail()
                }
            },
        }
    }

    fn found(&self, who: &Who, out: &mut Output) -> Result<Account> {
        let account = self.network.net()?.account(who)?;
        for warning in &account.warnings {
            out.warn(warning.clone());
        }
        Ok(account)
    }

    fn log(&self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (name, log) = match self.who(place, "log")? {
            // The log of an account that was ended has no document next to it.
            Who::Did(did) if did.method() == "plc" => {
                let log = self.network.net()?.operation_log(&did)?;
                (did, Some(log))
            }
            who => {
                let account = self.found(&who, out)?;
                (account.did, account.log)
            }
        };
        let Some(log) = &log else {
            let message = format!("{name} has no log: its domain names its keys");
            return Stated::no("no-log", message).fail();
        };
        let rows = log.entries().iter().map(|entry| {
            let before = log.entries().iter().find(|before| entry.prev == Some(before.cid));
            OperationRow {
                cid: entry.cid,
                created_micros: entry.created_micros,
                time: time_text(entry.created_micros),
                changes: changes(before, entry),
                signed_by: entry.signed_by.did_key(),
                nullified: entry.nullified,
            }
        });
        let rows: Vec<OperationRow> = rows.collect();
        match out.terminal() {
            Some(terminal) => {
                let lines = screen::operations(&rows, terminal);
                out.lines(lines)?;
            }
            None => out.answers(&rows)?,
        }
        Ok(Exit::Done)
    }
}

impl WithKeys {
    fn own_keys(&self) -> Result<Vec<PublicKey>> {
        self.rotation_key.iter().map(|file| Ok(read_secret(file, None)?.public_key())).collect()
    }

    fn show(&self, place: &Place, out: &mut Output) -> Result<Exit> {
        let own = self.own_keys()?;
        let account = self.common.found(&self.common.who(place, "show")?, out)?;
        let data = account.log.as_ref().and_then(|log| log.current().data.as_ref());
        let keys = data.map(|data| &data.rotation_keys[..]).unwrap_or_default();
        let rotation_keys = keys.iter().map(|key| {
            let owner = if own.contains(key) { "ours" } else { "unknown" };
            RotationKey { key: key.did_key(), owner }
        });
        let answer = IdentityAnswer {
            did: account.did.to_string(),
            handle: account.handle.as_ref().map(ToString::to_string),
            claimed_handle: account.document.handles().first().map(ToString::to_string),
            host: account.host.to_string(),
            signing_key: account.key().map(PublicKey::did_key),
            rotation_keys: rotation_keys.collect(),
            recovery_until: account.log.as_ref().and_then(recovery_until).map(time_text),
        };
        out.answer(&answer)?;
        Ok(Exit::Done)
    }

    fn check(&self, place: &Place, out: &mut Output) -> Result<Exit> {
        let own = self.own_keys()?;
        let account = match self.common.found(&self.common.who(place, "check")?, out) {
            Err(error) if is_tombstone(&error) => {
                let message = error.to_string();
                out.answer(&IdentityFinding { code: "tombstone", severity: "error", message })?;
                return Ok(Exit::No);
            }
            found => found?,
        };
        let mut findings = Vec::new();
        let mut add = |severity, code, message: String| {
            findings.push(IdentityFinding { code, severity, message });
        };
        if account.handle.is_none() {
            let claimed = account.document.handles().first();
            let message = match claimed {
                Some(claimed) => format!("{claimed} does not resolve to {}", account.did),
                None => format!("{} names no handle", account.did),
            };
            add("warning", "handle-not-verified", message);
        }
        if let Err(error) = compare_stored(place, &account) {
            let code = match error.is_refusal() {
                true => "stored-identity-differs",
                false => "stored-identity-unreadable",
            };
            add("error", code, error.to_string());
        }
        match account.log.as_ref().map(PlcLog::current) {
            None => {
                add("note", "did-web", "the owner of the domain controls the account".to_owned());
            }
            // An ended account was not found.
            Some(PlcEntry { data: None, .. }) => {}
            Some(PlcEntry { data: Some(data), .. }) => match rank(data, &own) {
                None => add("error", "no-rotation-key", no_key_text(own.is_empty())),
                Some(0) => {}
                Some(rank) => add(
                    "warning",
                    "rotation-key-below-host",
                    format!(
                        "{} before yours in the list can undo your operation for 72 hours",
                        counted_plain(rank as u64, "key")
                    ),
                ),
            },
        }
        let is_ok = findings.iter().all(|finding| finding.severity != "error");
        for finding in &findings {
            out.answer(finding)?;
        }
        if findings.is_empty() && !out.is_json() {
            say("the identity agrees with its log, and a key of yours could move the account");
        }
        Ok(if is_ok { Exit::Done } else { Exit::No })
    }
}

/// Compares an account with its copies in a mirror, if the directory is one of the account.
fn compare_stored(place: &Place, account: &Account) -> Result<(), NetError> {
    let Ok(dir) = place.directory() else { return Ok(()) };
    let did = open_without_key(&dir).and_then(|repo| repo.did());
    if did.ok().flatten().as_ref() != Some(&account.did) {
        return Ok(());
    }
    let Some(mirror) = Mirror::open(&dir)? else { return Ok(()) };
    check_stored(&mirror, account)?;
    check_stored_document(&mirror)
}

fn no_key_text(is_unnamed: bool) -> String {
    let keys = match is_unnamed {
        true => "no key was named with --rotation-key",
        false => "none of your keys may change the identity",
    };
    format!("{keys}: if the host fails, you cannot move the account")
}

/// Returns whether the account has ended.
fn is_tombstone(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(NetError::Tombstone { .. }))
}

/// Returns the place of the most powerful of our keys.
fn rank(data: &PlcData, own: &[PublicKey]) -> Option<usize> {
    data.rotation_keys.iter().position(|key| own.contains(key))
}

fn repo_of(place: &Place) -> Result<Repo> {
    Ok(open_without_key(place.directory()?)?)
}

/// Returns the end of the time in which a more powerful key can take back the last operation.
fn recovery_until(log: &PlcLog) -> Option<u64> {
    let last = log.current();
    let before = log.entries().iter().find(|before| last.prev == Some(before.cid))?;
    let is_strongest = before.data.as_ref()?.rotation_keys.first() == Some(&last.signed_by);
    let until = last.created_micros.saturating_add(PLC_RECOVERY_MICROS);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    (!is_strongest && now < until).then_some(until)
}

/// Returns what an operation changed, as short texts.
fn changes(before: Option<&PlcEntry>, entry: &PlcEntry) -> Vec<String> {
    let Some(after) = &entry.data else { return vec!["the account was ended".to_owned()] };
    let Some(before) = before.and_then(|before| before.data.as_ref()) else {
        return vec!["the account was created".to_owned()];
    };
    let mut changes = Vec::new();
    if before.also_known_as != after.also_known_as {
        changes.push(format!("names: {}", after.also_known_as.join(" ")));
    }
    if before.services != after.services {
        let services = after.services.values().map(|service| service.endpoint.as_str());
        changes.push(format!("services: {}", services.collect::<Vec<_>>().join(" ")));
    }
    if before.verification_methods != after.verification_methods {
        let keys = after.verification_methods.values().map(String::as_str);
        changes.push(format!("keys: {}", keys.collect::<Vec<_>>().join(" ")));
    }
    if before.rotation_keys != after.rotation_keys {
        let keys: Vec<String> = after.rotation_keys.iter().map(PublicKey::did_key).collect();
        changes.push(format!("rotation keys: {}", keys.join(" ")));
    }
    if changes.is_empty() {
        changes.push("no change".to_owned());
    }
    changes
}
