//! Connections: names are resolved once, and only checked addresses are dialled.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    TcpConnector, Transport,
};

use crate::private_addresses::{AddressFault, PrivateAddresses};

/// The rule for addresses. The proxy of the user is exempt, because the user chose it.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) private: PrivateAddresses,
    pub(crate) proxy: Option<Uri>,
}

/// An address that was not dialled, as an error inside of an error of the HTTP library.
#[derive(Debug)]
pub(crate) struct NotDialled {
    pub(crate) host: String,
    pub(crate) fault: AddressFault,
}

impl fmt::Display for NotDialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.fault)
    }
}

impl std::error::Error for NotDialled {}

impl Rule {
    /// Checks an address that will be dialled for a URL.
    fn check(&self, uri: &Uri, address: IpAddr) -> Result<(), NotDialled> {
        let is_same =
            |proxy: &Uri| (proxy.scheme(), proxy.authority()) == (uri.scheme(), uri.authority());
        if self.proxy.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        let name = uri.host().unwrap_or_default();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        self.private
            .check_address(name, port, is_https, address)
            .map_err(|fault| NotDialled { host: format!("{name} ({address})"), fault })
    }
}

/// A resolver that keeps only the addresses that may be dialled.
#[derive(Debug)]
pub(crate) struct CheckedResolver(pub(crate) Arc<Rule>);

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        let mut refused = None;
        for address in &found {
            match self.0.check(uri, address.ip()) {
                Ok(()) => kept.push(*address),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if kept.is_empty() => Err(ureq::Error::Other(error.into())),
            _ => Ok(kept),
        }
    }
}

/// The last step before the TCP connection: checks the addresses that will be dialled, again.
#[derive(Debug)]
struct CheckedConnector(Arc<Rule>);

impl<In: Transport> Connector<In> for CheckedConnector {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        if chained.is_none() {
            for address in &details.addrs {
                let address: &SocketAddr = address;
                let checked = self.0.check(details.uri, address.ip());
                checked.map_err(|error| ureq::Error::Other(error.into()))?;
            }
        }
        Ok(chained)
    }
}

/// Returns the steps from a URL to a connection: the proxy of the user, the check, TCP and TLS.
pub(crate) fn connector(rule: &Arc<Rule>) -> impl Connector<Out = impl Transport> {
    ().chain(ConnectProxyConnector::default())
        .chain(CheckedConnector(Arc::clone(rule)))
        .chain(TcpConnector::default())
        .chain(RustlsConnector::default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ureq::Timeout;
    use ureq::unversioned::transport::time::Duration;

    use super::*;

    fn resolve(private: PrivateAddresses, proxy: Option<&str>, url: &str) -> Result<usize, String> {
        let proxy = proxy.map(|proxy| proxy.parse().unwrap());
        let resolver = CheckedResolver(Arc::new(Rule { private, proxy }));
        let timeout = NextTimeout {
            after: Duration::NotHappening,
            reason: Timeout::Resolve,
            ..NextTimeout::default()
        };
        let found = resolver.resolve(&url.parse().unwrap(), &Config::default(), timeout);
        found.map(|found| found.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_checked_after_resolution() {
        let refuse = PrivateAddresses::Refuse;
        assert_eq!(resolve(refuse.clone(), None, "https://8.8.8.8/"), Ok(1));
        for url in ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "http://8.8.8.8/"]
        {
            assert!(resolve(refuse.clone(), None, url).is_err(), "{url}");
            assert!(resolve(refuse.clone(), Some("http://proxy:3128"), url).is_err(), "{url}");
        }
        // The C library takes this for 127.0.0.1.
        assert!(resolve(refuse, None, "https://0x7f.1/").is_err());
        assert!(resolve(PrivateAddresses::Allow, None, "https://localhost/").is_ok());
    }

    #[test]
    fn the_proxy_of_the_user_may_be_private() {
        let proxy = Some("http://127.0.0.1:3128");
        let refuse = PrivateAddresses::Refuse;
        assert_eq!(resolve(refuse.clone(), proxy, "http://127.0.0.1:3128"), Ok(1));
        assert!(resolve(refuse.clone(), proxy, "https://127.0.0.1:3128").is_err());
        assert!(resolve(refuse, proxy, "http://127.0.0.1:3129").is_err());
    }
}
