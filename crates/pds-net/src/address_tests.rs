use proptest::prelude::*;

use super::*;

/// The ranges of the rules, as text: the first address, the last address, and the reach of all between.
const RANGES: [(&str, &str, Reach); 31] = [
    ("0.0.0.0", "0.255.255.255", Reach::Private),
    ("1.0.0.0", "9.255.255.255", Reach::Public),
    ("10.0.0.0", "10.255.255.255", Reach::Private),
    ("11.0.0.0", "100.63.255.255", Reach::Public),
    ("100.64.0.0", "100.127.255.255", Reach::Private),
    ("100.128.0.0", "126.255.255.255", Reach::Public),
    ("127.0.0.0", "127.255.255.255", Reach::Private),
    ("128.0.0.0", "169.253.255.255", Reach::Public),
    ("169.254.0.0", "169.254.255.255", Reach::LinkLocal),
    ("169.255.0.0", "172.15.255.255", Reach::Public),
    ("172.16.0.0", "172.31.255.255", Reach::Private),
    ("172.32.0.0", "191.255.255.255", Reach::Public),
    ("192.0.0.0", "192.0.0.255", Reach::Private),
    ("192.0.1.0", "192.0.1.255", Reach::Public),
    ("192.0.2.0", "192.0.2.255", Reach::Private),
    ("192.0.3.0", "192.88.98.255", Reach::Public),
    ("192.88.99.0", "192.88.99.255", Reach::Private),
    ("192.88.100.0", "192.167.255.255", Reach::Public),
    ("192.168.0.0", "192.168.255.255", Reach::Private),
    ("192.169.0.0", "198.17.255.255", Reach::Public),
    ("198.18.0.0", "198.19.255.255", Reach::Private),
    ("198.20.0.0", "198.51.99.255", Reach::Public),
    ("198.51.100.0", "198.51.100.255", Reach::Private),
    ("198.51.101.0", "203.0.112.255", Reach::Public),
    ("203.0.113.0", "203.0.113.255", Reach::Private),
    ("203.0.114.0", "223.255.255.255", Reach::Public),
    ("224.0.0.0", "255.255.255.255", Reach::Private),
    ("::", "::fffe:ffff:ffff", Reach::Private),
    ("2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Public),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
    ("2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Public),
];

/// Further ranges of IPv6.
const RANGES_V6: [(&str, &str, Reach); 9] = [
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
    ("2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Public),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
    ("2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Public),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
    ("3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Public),
    ("4000::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::LinkLocal),
    ("fec0::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
];

fn bits(text: &str) -> (bool, u128) {
    match text.parse().unwrap() {
        IpAddr::V4(address) => (true, u128::from(address.to_bits())),
        IpAddr::V6(address) => (false, address.to_bits()),
    }
}

fn address(is_v4: bool, bits: u128) -> IpAddr {
    if is_v4 {
        Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).into()
    } else {
        Ipv6Addr::from_bits(bits).into()
    }
}

#[test]
fn the_ranges_of_ipv4_leave_no_address_out() {
    let mut next = 0;
    for (first, last, _) in &RANGES[..27] {
        assert_eq!(bits(first).1, next, "{first}");
        next = bits(last).1 + 1;
    }
    assert_eq!(next, 1 << 32);
}

#[test]
fn spellings_of_one_address_are_judged_alike() {
    for (text, wanted) in [
        ("::1", Reach::Private),
        ("::ffff:8.8.8.8", Reach::Public),
        ("::ffff:10.0.0.1", Reach::Private),
        ("::ffff:169.254.169.254", Reach::LinkLocal),
        ("64:ff9b::8.8.8.8", Reach::Public),
        ("64:ff9b::7f00:1", Reach::Private),
        ("64:ff9b:1::8.8.8.8", Reach::Private),
        ("::8.8.8.8", Reach::Private),
        ("2002:7f00:1::", Reach::Private),
        ("2001:0:7f00:1::", Reach::Private),
        ("fd00::1", Reach::Private),
        ("2606:4700::1111", Reach::Public),
    ] {
        assert_eq!(reach(text.parse().unwrap()), wanted, "{text}");
    }
}

#[test]
fn names_that_mean_nothing_in_public() {
    for name in ["localhost", "a.localhost", "printer", "x.LOCAL", "a.test", "a.b.internal", ""] {
        assert!(is_reserved_name(name), "{name}");
    }
    for name in ["bsky.social", "test.com", "local.host", "example.com"] {
        assert!(!is_reserved_name(name), "{name}");
    }
}

proptest! {
    #[test]
    fn every_address_of_a_range_has_its_reach(at in 0..RANGES.len() + RANGES_V6.len(), part: u128) {
        let (first, last, wanted) = RANGES.iter().chain(&RANGES_V6).nth(at).unwrap();
        let ((is_v4, low), (_, high)) = (bits(first), bits(last));
        for one in [low, high, low + part % (high - low + 1)] {
            prop_assert_eq!(reach(address(is_v4, one)), *wanted, "{}", address(is_v4, one));
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_judged_by_its_own_rules(inner: u32) {
        let wanted = reach(Ipv4Addr::from_bits(inner).into());
        for prefix in ["::ffff:0:0", "64:ff9b::"] {
            let mapped = bits(prefix).1 | u128::from(inner);
            prop_assert_eq!(reach(Ipv6Addr::from_bits(mapped).into()), wanted);
        }
    }
}
