//! The addresses that may be dialled: IP ranges, names that are reserved, and the hosts that the user admits.
//!
//! The address is checked after resolution, and the checked address is the one that is dialled. So a name that
//! resolves to something else on the second lookup gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// An address of the public internet.
    Public,
    /// An address of this machine, of a private network, or one that is reserved.
    Private,
    /// A link-local address. Clouds publish secrets of machines there.
    LinkLocal,
}

/// The IPv4 ranges that are not public: loopback, private, shared, documentation, multicast, reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The range of global unicast addresses of IPv6.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The parts of that range that are not public: protocol assignments with Teredo, documentation, and 6to4.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The prefixes before an IPv4 address: v4-mapped addresses, and NAT64.
const BEFORE_V4: [(Ipv6Addr, u32); 2] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
];

/// The link-local range of IPv4.
const LINK_LOCAL_V4: (Ipv4Addr, u32) = (Ipv4Addr::new(169, 254, 0, 0), 16);

/// The link-local range of IPv6.
const LINK_LOCAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

/// The last labels of names that have no meaning on the public internet.
const RESERVED_ENDINGS: [&str; 9] =
    ["local", "localhost", "internal", "invalid", "example", "arpa", "onion", "alt", "test"];

/// Returns how far an address reaches. An IPv4 address inside an IPv6 address is judged alike.
///
/// ```
/// use pds_net::address::{Reach, reach};
///
/// assert_eq!(reach("8.8.8.8".parse()?), Reach::Public);
/// assert_eq!(reach("::ffff:127.0.0.1".parse()?), Reach::Private);
/// assert_eq!(reach("169.254.169.254".parse()?), Reach::LinkLocal);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let is_in = |range: &(Ipv4Addr, u32)| {
        let bits = 32 - range.1;
        address.to_bits() >> bits == range.0.to_bits() >> bits
    };
    if is_in(&LINK_LOCAL_V4) {
        Reach::LinkLocal
    } else if NOT_PUBLIC_V4.iter().any(is_in) {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let is_in = |range: &(Ipv6Addr, u32)| {
        let bits = 128 - range.1;
        address.to_bits() >> bits == range.0.to_bits() >> bits
    };
    if BEFORE_V4.iter().any(is_in) {
        let [.., a, b, c, d] = address.octets();
        reach_v4(Ipv4Addr::new(a, b, c, d))
    } else if is_in(&LINK_LOCAL_V6) {
        Reach::LinkLocal
    } else if is_in(&GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(is_in) {
        Reach::Public
    } else {
        Reach::Private
    }
}

/// Returns whether a name has no meaning on the public internet: it has one label only, or a reserved ending.
#[must_use]
pub fn is_reserved_name(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('.') else {
        return true;
    };
    RESERVED_ENDINGS.iter().any(|ending| last.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "address_tests.rs"]
mod tests;
