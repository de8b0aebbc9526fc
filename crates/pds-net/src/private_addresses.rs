//! Which private addresses the user admits, and the check of every host and address.

use std::net::IpAddr;
use std::str::FromStr;

use crate::address::{Reach, is_reserved_name, reach};
use crate::host::Host;

/// The private addresses that may be dialled: those of this machine and of local networks.
///
/// Host names come from documents of others. Without this check such a document could reach servers that only this
/// machine can reach. `http:` is permitted to admitted hosts at private addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PrivateAddresses {
    /// No private address is dialled.
    #[default]
    Refuse,
    /// These hosts may have any address. An entry is `name` or `name:port`.
    Hosts(Vec<String>),
    /// All hosts may have private addresses, but not link-local ones.
    Allow,
}

/// The reason why a host or address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// The connection would not be encrypted.
    #[error("http: is permitted only to private addresses of hosts that --allow-private admits")]
    PlainHttp,
    /// The host is an IP address.
    #[error("the host is an IP address; --allow-private=HOST admits it")]
    IpLiteral,
    /// The port belongs to other services.
    #[error("the port is neither 443 nor at least 1024; --allow-private=HOST admits it")]
    Port,
    /// The name has no meaning on the public internet.
    #[error("the name is reserved for local use; --allow-private=HOST admits it")]
    ReservedName,
    /// The address is not public.
    #[error("the address is private; --allow-private=HOST admits it")]
    Private,
    /// The address is link-local.
    #[error("the address is link-local; only --allow-private=HOST with this host admits it")]
    LinkLocal,
}

impl PrivateAddresses {
    /// Returns whether the user admits a host.
    #[must_use]
    pub fn admits(&self, name: &str, port: u16) -> bool {
        match self {
            Self::Refuse => false,
            Self::Allow => true,
            Self::Hosts(_) => self.lists(name, port),
        }
    }

    /// Returns whether the list of the user has a host.
    fn lists(&self, name: &str, port: u16) -> bool {
        let Self::Hosts(hosts) = self else {
            return false;
        };
        let with_port = format!("{name}:{port}");
        let is_host =
            |entry: &String| [name, &with_port].iter().any(|host| entry.eq_ignore_ascii_case(host));
        hosts.iter().any(is_host)
    }

    /// Checks a host before its name is resolved.
    ///
    /// # Errors
    ///
    /// The rule that the host breaks, unless the user admits the host.
    pub fn check_host(&self, host: &Host) -> Result<(), AddressFault> {
        if let Some(address) = host.ip() {
            self.check_address(host.name(), host.port(), host.is_https(), address)?;
        }
        if self.admits(host.name(), host.port()) {
            return Ok(());
        }
        if !host.is_https() {
            return Err(AddressFault::PlainHttp);
        }
        if host.ip().is_some() {
            return Err(AddressFault::IpLiteral);
        }
        if is_reserved_name(host.name()) {
            return Err(AddressFault::ReservedName);
        }
        if host.port() != 443 && host.port() < 1024 {
            return Err(AddressFault::Port);
        }
        Ok(())
    }

    /// Checks an address that a host resolved to, before it is dialled.
    ///
    /// # Errors
    ///
    /// The rule that the address breaks.
    pub fn check_address(
        &self,
        name: &str,
        port: u16,
        is_https: bool,
        address: IpAddr,
    ) -> Result<(), AddressFault> {
        match reach(address) {
            Reach::Public if is_https => Ok(()),
            Reach::Public => Err(AddressFault::PlainHttp),
            Reach::Private if self.admits(name, port) => Ok(()),
            Reach::Private => Err(AddressFault::Private),
            Reach::LinkLocal if self.lists(name, port) => Ok(()),
            Reach::LinkLocal => Err(AddressFault::LinkLocal),
        }
    }
}

impl FromStr for PrivateAddresses {
    type Err = std::convert::Infallible;

    /// Parses the value of `--allow-private` and `PDS_ALLOW_PRIVATE`: `1` or `true` for all hosts, `0`, `false` or
    /// nothing for none, or a list with commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = || text.split(',').map(str::trim);
        if entries().any(|entry| matches!(entry, "1" | "true")) {
            return Ok(Self::Allow);
        }
        let hosts = entries().filter(|entry| !matches!(*entry, "" | "0" | "false"));
        let hosts: Vec<String> = hosts.map(str::to_owned).collect();
        Ok(if hosts.is_empty() { Self::Refuse } else { Self::Hosts(hosts) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(rule: &str, host: &str) -> Result<(), AddressFault> {
        let rule: PrivateAddresses = rule.parse().unwrap();
        rule.check_host(&host.parse().unwrap())
    }

    #[test]
    fn hosts_of_documents() {
        assert_eq!(check("0", "https://bsky.social"), Ok(()));
        assert_eq!(check("0", "https://bsky.social:8443"), Ok(()));
        assert_eq!(check("0", "https://bsky.social:22"), Err(AddressFault::Port));
        assert_eq!(check("0", "http://bsky.social"), Err(AddressFault::PlainHttp));
        assert_eq!(check("0", "https://8.8.8.8"), Err(AddressFault::IpLiteral));
        assert_eq!(check("0", "https://[2606:4700::1]"), Err(AddressFault::IpLiteral));
        assert_eq!(check("0", "https://10.0.0.1"), Err(AddressFault::Private));
        assert_eq!(check("0", "https://localhost"), Err(AddressFault::ReservedName));
        assert_eq!(check("0", "https://pds"), Err(AddressFault::ReservedName));
    }

    #[test]
    fn admitted_hosts() {
        assert_eq!(check("1", "http://localhost:2583"), Ok(()));
        assert_eq!(check("1", "http://127.0.0.1:2583"), Ok(()));
        assert_eq!(check("1", "http://8.8.8.8"), Err(AddressFault::PlainHttp));
        assert_eq!(check("1", "https://169.254.169.254"), Err(AddressFault::LinkLocal));
        assert_eq!(check("a.test, b.test:80", "https://a.test:22"), Ok(()));
        assert_eq!(check("a.test, b.test:80", "http://B.test:80"), Ok(()));
        assert_eq!(check("b.test:80", "http://b.test:81"), Err(AddressFault::PlainHttp));
        assert_eq!(check("169.254.169.254", "http://169.254.169.254"), Ok(()));
    }

    #[test]
    fn values_of_the_option() {
        let parsed = |text: &str| text.parse::<PrivateAddresses>().unwrap();
        let hosts = |hosts: &[&str]| {
            PrivateAddresses::Hosts(hosts.iter().map(|host| (*host).to_owned()).collect())
        };
        for all in ["1", "true", " 1 ", "a.test,1"] {
            assert_eq!(parsed(all), PrivateAddresses::Allow, "{all}");
        }
        for none in ["", " ", "0", "false", ","] {
            assert_eq!(parsed(none), PrivateAddresses::Refuse, "{none}");
        }
        assert_eq!(parsed("a.test, b.test:80,"), hosts(&["a.test", "b.test:80"]));
    }

    #[test]
    fn addresses_after_resolution() {
        let check = |rule: &str, is_https, address: &str| {
            let rule: PrivateAddresses = rule.parse().unwrap();
            rule.check_address("a.test", 443, is_https, address.parse().unwrap())
        };
        assert_eq!(check("0", true, "8.8.8.8"), Ok(()));
        assert_eq!(check("0", true, "127.0.0.1"), Err(AddressFault::Private));
        assert_eq!(check("0", true, "fe80::1"), Err(AddressFault::LinkLocal));
        assert_eq!(check("1", true, "fe80::1"), Err(AddressFault::LinkLocal));
        assert_eq!(check("a.test", true, "fe80::1"), Ok(()));
        assert_eq!(check("b.test", true, "127.0.0.1"), Err(AddressFault::Private));
        assert_eq!(check("a.test", false, "127.0.0.1"), Ok(()));
        assert_eq!(check("a.test", false, "8.8.8.8"), Err(AddressFault::PlainHttp));
    }
}
