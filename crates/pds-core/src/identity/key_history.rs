//! The history of an account's signing keys, with the time in which each was valid.

use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::data::limits::MAX_CLOCK_DRIFT_MICROS;
use crate::syntax::datetime::Datetime;
use crate::syntax::did::Did;
use crate::syntax::tid::Tid;

/// The signing keys of an account, each with the period in which it was valid.
///
/// ```
/// use pds::crypto::{Curve, Signer, SigningKey};
/// use pds::identity::KeyHistory;
///
/// let key = SigningKey::generate(Curve::K256)?;
/// // A key without further information is valid at all times and for any account.
/// let keys = KeyHistory::from(key.public_key());
/// let signature = key.sign(b"message")?;
/// assert_eq!(keys.verify(None, b"message", &signature).unwrap().key, Some(key.public_key()));
/// assert!(keys.verify(None, b"other", &signature).is_err());
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    did: Option<Did>,
    periods: Vec<KeyPeriod>,
    /// The time of the last entry in the log, if the history comes from a log.
    ends_micros: Option<u64>,
}

/// A period with one valid signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPeriod {
    /// The key, or `None` if the account had no key, as after its end.
    pub key: Option<PublicKey>,
    /// The start of the period (inclusive), in microseconds since the Unix epoch.
    pub from_micros: u64,
    /// The end of the period (exclusive), in microseconds, or `None` if it has not ended.
    pub until_micros: Option<u64>,
}

/// The error for a signature that the account did not make, or not at that time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The account had no signing key at that time.
    #[error("the account had no key at the time of the commit: {}{}", at(*rev), after(*log_end, *rev))]
    NoKey {
        /// The rev of the commit.
        rev: Option<Tid>,
        /// The time of the last operation in the log, in microseconds, if the commit is later.
        log_end: Option<u64>,
    },
    /// The signature is by a key of the account that was not valid at that time.
    #[error(
        "signed with {key}, which was not the key of the account at the time of the commit: {}{}",
        at(*rev), after(*log_end, *rev)
    )]
    AnotherTime {
        /// The key that signed.
        key: Box<PublicKey>,
        /// The rev of the commit.
        rev: Option<Tid>,
        /// The time of the last operation in the log, in microseconds, if the commit is later.
        log_end: Option<u64>,
    },
    /// The signature is not by any key of the account.
    #[error("not signed with {key}{}", after(*log_end, *rev))]
    Invalid {
        /// The expected key.
        key: Box<PublicKey>,
        /// The rev of the commit.
        rev: Option<Tid>,
        /// The time of the last operation in the log, in microseconds, if the commit is later.
        log_end: Option<u64>,
        /// The problem with the signature.
        source: CryptoError,
    },
}

impl KeyHistory {
    /// Returns the history of these key changes, which are (time, key) in ascending order.
    pub(crate) fn of_changes(
        did: Did,
        changes: impl IntoIterator<Item = (u64, Option<PublicKey>)>,
    ) -> Self {
        let mut periods: Vec<KeyPeriod> = Vec::new();
        for (from_micros, key) in changes {
            match periods.last_mut() {
                Some(last) if last.key == key => continue,
                Some(last) => last.until_micros = Some(from_micros),
                None => {}
            }
            periods.push(KeyPeriod { key, from_micros, until_micros: None });
        }
        Self { did: Some(did), periods, ends_micros: None }
    }

    /// Sets the time of the last entry in the log.
    pub(crate) fn ending(self, ends_micros: Option<u64>) -> Self {
        Self { ends_micros, ..self }
    }

    /// Returns the account, if it is known.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Returns the periods without gaps, from the first to the current one.
    #[must_use]
    pub fn periods(&self) -> &[KeyPeriod] {
        &self.periods
    }

    /// Returns the period at a time in microseconds since the Unix epoch, or `None` before the
    /// account existed.
    #[must_use]
    pub fn at(&self, micros: u64) -> Option<&KeyPeriod> {
        self.periods.iter().rfind(|period| period.from_micros <= micros)
    }

    /// Returns the time of a rev in microseconds, or `None` if the rev names no time of the account.
    ///
    /// A rev from before the first operation of the account is no time; see also [`Tid::rev_micros`]. Such a rev says
    /// nothing about the key of its commit.
    #[must_use]
    pub fn time_of(&self, rev: Tid) -> Option<u64> {
        let begins = self.periods.first().map_or(0, |period| period.from_micros);
        rev.rev_micros().filter(|micros| micros.saturating_add(MAX_CLOCK_DRIFT_MICROS) >= begins)
    }

    /// Returns whether a commit may be later than the period of its key: the period has ended, and the rev
    /// [is no time](Self::time_of). Anyone who has that key can have signed such a commit.
    #[must_use]
    pub fn may_be_later(&self, rev: Option<Tid>, period: &KeyPeriod) -> bool {
        period.until_micros.is_some() && rev.is_some_and(|rev| self.time_of(rev).is_none())
    }

    /// Verifies that a signature is by the key that was valid at a rev, and returns the period of
    /// that key.
    ///
    /// The clocks of a server and of a directory differ, and servers sign the first commit before
    /// the directory knows the account. So in the five minutes on either side of a change, both
    /// keys are valid. If the rev [is no time](Self::time_of), every key of the account is valid, and the
    /// newest that fits is returned; see [`may_be_later`](Self::may_be_later). Without a rev, only a key with an
    /// unlimited period is valid.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn verify(
        &self,
        rev: Option<Tid>,
        message: &[u8],
        signature: &Signature,
    ) -> Result<&KeyPeriod, KeyError> {
        let log_end = rev.and_then(|rev| self.ends_micros.filter(|end| *end < rev.micros()));
        let mut refused = KeyError::NoKey { rev, log_end };
        let mut tried = Vec::new();
        let is_timeless = rev.is_some_and(|rev| self.time_of(rev).is_none());
        let may_hold = |period: &&KeyPeriod| is_timeless || period.may_hold(rev);
        for period in self.periods.iter().rev().filter(may_hold) {
            let Some(key) = period.key.as_ref().filter(|key| !tried.contains(key)) else {
                continue;
            };
            match key.verify(message, signature) {
                Ok(()) => return Ok(period),
                Err(source) if tried.is_empty() => {
                    let key = Box::new(key.clone());
                    refused = KeyError::Invalid { key, rev, log_end, source };
                }
                Err(_) => {}
            }
            tried.push(key);
        }
        let others = self.periods.iter().filter_map(|period| period.key.as_ref());
        let mut others = others.filter(|key| !tried.contains(key));
        match others.find(|key| key.verify(message, signature).is_ok()) {
            Some(key) => Err(KeyError::AnotherTime { key: Box::new(key.clone()), rev, log_end }),
            None => Err(refused),
        }
    }
}

impl KeyPeriod {
    /// Returns whether a commit with this rev may be from this period.
    fn may_hold(&self, rev: Option<Tid>) -> bool {
        let Some(rev) = rev else {
            return self.from_micros == 0 && self.until_micros.is_none();
        };
        let micros = rev.micros();
        self.from_micros <= micros.saturating_add(MAX_CLOCK_DRIFT_MICROS)
            && self
                .until_micros
                .is_none_or(|until| micros < until.saturating_add(MAX_CLOCK_DRIFT_MICROS))
    }
}

impl From<PublicKey> for KeyHistory {
    fn from(key: PublicKey) -> Self {
        let always = KeyPeriod { key: Some(key), from_micros: 0, until_micros: None };
        Self { did: None, periods: vec![always], ends_micros: None }
    }
}

/// Says that a log may be too old for a commit.
fn after(log_end: Option<u64>, rev: Option<Tid>) -> String {
    let (Some(end), Some(rev)) = (log_end, rev) else { return String::new() };
    let [end, made] = [end, rev.micros()].map(second_text);
    format!("; the log ends {end}, before the commit ({made}), so a newer log may have the key")
}

/// Returns a time in UTC, to the second.
fn second_text(micros: u64) -> String {
    time_text(micros / 1_000_000 * 1_000_000)
}

/// Returns a time in UTC.
pub(crate) fn time_text(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(Datetime::from_unix_micros);
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn at(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "the commit has no rev".to_owned(), |rev| format!("rev {rev}"))
}
