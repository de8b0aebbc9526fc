//! The history of an account's signing keys, with the time in which each was valid.

use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::data::limits::MAX_CLOCK_DRIFT_MICROS;
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
    #[error("the account had no key at the time of the commit: {}", at(*rev))]
    NoKey {
        /// The rev of the commit.
        rev: Option<Tid>,
    },
    /// The signature is by a key of the account that was not valid at that time.
    #[error("signed with {key}, which was not the key of the account at the time of the commit: {}", at(*rev))]
    AnotherTime {
        /// The key that signed.
        key: Box<PublicKey>,
        /// The rev of the commit.
        rev: Option<Tid>,
    },
    /// The signature is not by any key of the account.
    #[error("not signed with {key}")]
    Invalid {
        /// The expected key.
        key: Box<PublicKey>,
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
        Self { did: Some(did), periods }
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

    /// Verifies that a signature is by the key that was valid at a rev, and returns the period of
    /// that key.
    ///
    /// The clocks of a server and of a directory differ, and servers sign the first commit before
    /// the directory knows the account. So in the five minutes on either side of a change, both
    /// keys are valid. Without a rev, only a key with an unlimited period is valid.
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
        let mut refused = KeyError::NoKey { rev };
        let mut tried = Vec::new();
        for period in self.periods.iter().filter(|period| period.may_hold(rev)) {
            let Some(key) = &period.key else { continue };
            match key.verify(message, signature) {
                Ok(()) => return Ok(period),
                Err(source) => refused = KeyError::Invalid { key: Box::new(key.clone()), source },
            }
            tried.push(key);
        }
        let others = self.periods.iter().filter_map(|period| period.key.as_ref());
        let mut others = others.filter(|key| !tried.contains(key));
        match others.find(|key| key.verify(message, signature).is_ok()) {
            Some(key) => Err(KeyError::AnotherTime { key: Box::new(key.clone()), rev }),
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
        Self { did: None, periods: vec![always] }
    }
}

fn at(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "the commit has no rev".to_owned(), |rev| format!("rev {rev}"))
}
