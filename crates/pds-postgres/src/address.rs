//! The address of a database, with an optional account: `postgres://me@localhost/repos#did:web:…`.

use postgres::Config;
use postgres::config::SslMode;
use std::env;
use std::fmt;
use std::str::FromStr;

use pds_core::syntax::did::Did;

/// The address of a database: `postgres://[USER@]HOST[:PORT]/DATABASE[?host=DIR][#DID]`.
///
/// The host may be a percent-encoded directory of a socket. The parameter `host` names such a
/// directory too. Without a user, `PGUSER` or the user of the system is used. An address never
/// contains a password, because addresses end up in logs and process lists: it comes from
/// `PGPASSWORD` or from a password file.
///
/// ```
/// use pds_postgres::address::Address;
///
/// let address: Address = "postgres://me@db.example.com/repos#did:web:example.com".parse()?;
/// assert_eq!(address.to_string(), "postgres://me@db.example.com/repos#did:web:example.com");
/// assert!("postgres://me:secret@db.example.com/repos".parse::<Address>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL of the database, without the account.
    pub(crate) url: String,
    did: Option<Did>,
}

/// The error for a text that is not a valid address. It never contains a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid database address: {0}")]
pub struct AddressError(&'static str);

impl AddressError {
    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.0
    }
}

impl Address {
    /// Returns the account that the address names.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Returns the same database with another account.
    #[must_use]
    pub fn with_did(self, did: Option<Did>) -> Self {
        Self { did, ..self }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (url, did) = match text.split_once('#') {
            Some((url, did)) => (url, Some(did.parse())),
            None => (text, None),
        };
        let did = did.transpose().map_err(|_| AddressError("the part after # is not a DID"))?;
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(AddressError("it does not start with postgres://"));
        }
        // The error of the library may name a part of a password.
        let config: Config = url.parse().map_err(|_| AddressError("it is not a valid URL"))?;
        let mode = env::var("PGSSLMODE").unwrap_or_default();
        let is_encrypted = config.get_ssl_mode() == SslMode::Require
            || !["", "disable", "allow", "prefer"].contains(&&*mode);
        let problem = if config.get_password().is_some() {
            "it contains a password: use PGPASSWORD or a password file"
        } else if is_encrypted {
            "encrypted connections are not supported: use a tunnel"
        } else if config.get_hosts().is_empty() {
            "the host is missing"
        } else if config.get_dbname().is_none() {
            "the database is missing"
        } else {
            return Ok(Self { url: url.to_owned(), did });
        };
        Err(AddressError(problem))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        self.did.as_ref().map_or(Ok(()), |did| write!(f, "#{did}"))
    }
}

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_as_they_were_given() {
        for text in [
            "postgres://me@host/db",
            "postgresql://me@host:9/db#did:web:a.b",
            "postgres://me@%2Frun%2Fpg/db",
            "postgres://me@/db?host=/run/pg",
            "postgres://me@[::1]:9/db?sslmode=disable",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for (text, reason) in [
            ("mysql://me@host/db", "start with postgres://"),
            ("postgres://me:pass@host/db", "PGPASSWORD"),
            ("postgres://me:@host/db", "PGPASSWORD"),
            ("postgres://me@host/db?password=pass", "PGPASSWORD"),
            ("postgres://me@host", "database is missing"),
            ("postgres://me@/db", "host is missing"),
            ("postgres://me@host:65536/db", "not a valid URL"),
            ("postgres://me:pass@ho?pass=1/db", "not a valid URL"),
            ("postgres://me:pass#pass@host/db", "not a DID"),
            ("postgres://me@host/db?sslmode=require", "encrypted"),
            ("postgres://me@host/db?sslmode=verify-full", "not a valid URL"),
            ("postgres://me@host/db#alice", "not a DID"),
            ("postgres://me@host/%ff", "not a valid URL"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("pass@") && !error.contains("=pass"), "{error}");
        }
    }
}
