//! Labels of domain names, which handles and NSID authorities consist of.

/// Checks one label of a domain name: the part of a handle or of an NSID authority between dots.
pub(crate) fn check_label(label: &[u8]) -> Result<(), &'static str> {
    let (Some(first), Some(last)) = (label.first(), label.last()) else {
        return Err("a domain label is not empty");
    };
    if label.len() > MAX_LABEL_BYTES {
        return Err("a domain label has at most 63 bytes");
    }
    if *first == b'-' || *last == b'-' {
        return Err("a domain label does not start or end with a hyphen");
    }
    if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Err("a domain label holds only letters, digits and hyphens");
    }
    Ok(())
}

/// The limit of RFC 1035, section 2.3.4.
const MAX_LABEL_BYTES: usize = 63;

#[cfg(test)]
mod tests {
    use crate::syntax::label::check_label;

    #[test]
    fn label_limits() {
        for good in ["a", "0", "a-b", "a--b", "A9", &"o".repeat(63)] {
            assert_eq!(check_label(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "a_b", "a b", "é", &"o".repeat(64)] {
            assert!(check_label(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
