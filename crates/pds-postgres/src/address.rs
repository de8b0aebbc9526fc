//! The address of a database, with an optional account: `postgres://me@localhost/repos#did:web:…`.

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
/// assert_eq!(address.to_string(), "postgres://me@db.example.com:5432/repos#did:web:example.com");
/// assert!("postgres://me:secret@db.example.com/repos".parse::<Address>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(crate) user: String,
    /// The name of a machine, or the directory of a socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    did: Option<Did>,
}

/// The error for a text that is not a valid address. It never contains a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid database address: {0}")]
pub struct AddressError(String);

impl AddressError {
    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
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
        let wrong = |reason: &str| AddressError(reason.to_owned());
        let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| wrong("it does not start with postgres://"))?;
        let (rest, did) = match rest.split_once('#') {
            Some((rest, did)) => {
                (rest, Some(did.parse().map_err(|_| wrong("the part after # is not a DID"))?))
            }
            None => (rest, None),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = server.rsplit_once('@').unwrap_or(("", server));
        if user.contains(':') {
            return Err(wrong("it contains a password: use PGPASSWORD or a password file"));
        }
        let (host, port) = match place.rsplit_once(':') {
            // A colon inside brackets belongs to an IPv6 address.
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("the port is not a number"))?)
            }
            _ => (place, DEFAULT_PORT),
        };
        let mut host = decode(host.trim_start_matches('[').trim_end_matches(']'))?;
        let mut mode = env::var("PGSSLMODE").unwrap_or_default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("host", directory)) => host = decode(directory)?,
                Some(("sslmode", asked)) => mode = asked.to_owned(),
                _ => return Err(wrong("the parameters are host and sslmode")),
            }
        }
        if !["", "disable", "allow", "prefer"].contains(&&*mode) {
            return Err(wrong("encrypted connections are not supported: use a tunnel"));
        }
        let (mut user, database) = (decode(user)?, decode(database)?);
        if user.is_empty() {
            let of_system = || env::var("USER").or_else(|_| env::var("USERNAME"));
            user = env::var("PGUSER").or_else(|_| of_system()).unwrap_or_default();
        }
        for (part, name) in [(&host, "host"), (&user, "user"), (&database, "database")] {
            if part.is_empty() || part.contains('\0') {
                return Err(AddressError(format!("the {name} is missing")));
            }
        }
        Ok(Self { user, host, port, database, did })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, database, did } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { encode(host) };
        write!(f, "postgres://{}@{host}:{port}/{}", encode(user), encode(database))?;
        did.as_ref().map_or(Ok(()), |did| write!(f, "#{did}"))
    }
}

fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn decode(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError("a percent sign is not followed by two hexadecimal digits".into());
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        let code = Some(code).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.ok_or_else(wrong)?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| AddressError("it is not UTF-8".to_owned()))
}

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

const DEFAULT_PORT: u16 = 5432;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_and_shown() {
        for (text, shown) in [
            ("postgres://me@host/db", "postgres://me@host:5432/db"),
            ("postgresql://me@host:9/db#did:web:a.b", "postgres://me@host:9/db#did:web:a.b"),
            ("postgres://a%40b@h/d%2Fb", "postgres://a%40b@h:5432/d%2Fb"),
            ("postgres://me@%2Frun%2Fpg/db", "postgres://me@%2Frun%2Fpg:5432/db"),
            ("postgres://me@/db?host=/run/pg", "postgres://me@%2Frun%2Fpg:5432/db"),
            ("postgres://me@[::1]:9/db?sslmode=disable", "postgres://me@[::1]:9/db"),
            ("postgres://me@[::1]/db", "postgres://me@[::1]:5432/db"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for (text, reason) in [
            ("mysql://me@host/db", "start with postgres://"),
            ("postgres://me:pass@host/db", "PGPASSWORD"),
            ("postgres://me:@host/db", "PGPASSWORD"),
            ("postgres://me@host", "database is missing"),
            ("postgres://me@/db", "host is missing"),
            ("postgres://me@host:x/db", "port"),
            ("postgres://me@host:65536/db", "port"),
            ("postgres://me@host/db?sslmode=require", "encrypted"),
            ("postgres://me@host/db?password=pass", "parameters"),
            ("postgres://me@host/db#alice", "not a DID"),
            ("postgres://me@ho%zzst/db", "percent"),
            ("postgres://me@host/d%0", "percent"),
            ("postgres://me@host/d%é", "percent"),
            ("postgres://me@host/%ff", "UTF-8"),
            ("postgres://me@host/%00", "database is missing"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("pass@") && !error.contains("=pass"), "{error}");
        }
    }
}
