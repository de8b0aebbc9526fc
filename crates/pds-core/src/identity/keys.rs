//! Which key was to sign commits at which time.

use crate::crypto::{CryptoError, PublicKey, Signature};
use crate::data::limits::MAX_CLOCK_DRIFT_MICROS;
use crate::syntax::{Did, Tid};

/// The keys of an account, each with the time in which it was the one to sign commits.
///
/// ```
/// use pds::crypto::{Curve, Signer, SigningKey};
/// use pds::identity::KeyHistory;
///
/// let key = SigningKey::generate(Curve::K256)?;
/// // A key of which no more is known: it holds for all times, and for any account.
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

/// A time in which one key was the one to sign commits.
///
/// ```
/// # use pds::crypto::{Curve, SigningKey};
/// # let key = SigningKey::generate(Curve::P256)?.public_key();
/// let keys = pds::identity::KeyHistory::from(key.clone());
/// let always = &keys.periods()[0];
/// assert_eq!((&always.key, always.from_micros, always.until_micros), (&Some(key), 0, None));
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPeriod {
    /// The key; `None` where there was none, as after the end of an account.
    pub key: Option<PublicKey>,
    /// The first moment, in microseconds since the Unix epoch.
    pub from_micros: u64,
    /// The first moment after it; `None` where it has not ended.
    pub until_micros: Option<u64>,
}

/// A signature that the account did not make, or not at that time.
///
/// ```
/// use pds::identity::KeyError;
///
/// let error = KeyError::NoKey { rev: None };
/// assert_eq!(error.to_string(), "the account had no key when it was made: it has no rev");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The account had no key to sign with at that time.
    #[error("the account had no key when it was made: {}", at(*rev))]
    NoKey {
        /// When.
        rev: Option<Tid>,
    },
    /// It is a signature by a key of the account, whose time had not come or was over.
    #[error("signed with {key}, which was not the key of the account when it was made: {}", at(*rev))]
    AnotherTime {
        /// Which key.
        key: Box<PublicKey>,
        /// When.
        rev: Option<Tid>,
    },
    /// It is a signature by no key of the account.
    #[error("not signed with {key}")]
    Invalid {
        /// The key that should have signed.
        key: Box<PublicKey>,
        /// What is wrong with the signature.
        source: CryptoError,
    },
}

impl KeyHistory {
    /// Makes a history of the times from which on an account had a key, in ascending order.
    pub(super) fn of_changes(
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

    /// Returns the account, as far as it is known.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Returns the times, from the first to the present one, without gaps.
    #[must_use]
    pub fn periods(&self) -> &[KeyPeriod] {
        &self.periods
    }

    /// Finds the time in which a moment lies, in microseconds since the Unix epoch; `None` before
    /// there was an account.
    #[must_use]
    pub fn at(&self, micros: u64) -> Option<&KeyPeriod> {
        self.periods.iter().rfind(|period| period.from_micros <= micros)
    }

    /// Checks that a signature is by the key that was valid at a rev, and returns that key's time.
    ///
    /// The clocks of a server and of a directory differ, and servers sign the first commit before
    /// the directory knows the account: up to five minutes on either side of a change both keys are
    /// good. Without a rev only a key that holds for all times can be.
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
    /// Tells whether a commit with this rev may be from this time.
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
    rev.map_or_else(|| "it has no rev".to_owned(), |rev| format!("rev {rev}"))
}
