//! DIDs.

/// A decentralized identifier: the permanent name of an account, such as
/// `did:plc:ewvi7nxzyoun6zhxrhs64oiz`.
///
/// The method may be any valid one, whether or not this crate can resolve it. DIDs are
/// case-sensitive and have no normal form, so two DIDs are equal only if their bytes are equal. A
/// DID has at most 2,048 bytes.
///
/// Spec: [DID, "AT Protocol DID Identifier Syntax"](https://atproto.com/specs/did).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(Box<str>);

impl Did {
    /// Returns the method, the part between the first two colons.
    pub fn method(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Returns the reason why no account of the network can have this DID, or `None` if one may.
    ///
    /// The syntax is common to all methods. The two methods of accounts allow less: a did:plc is a hash of 24
    /// characters, and a did:web is the name of a host, without a path.
    ///
    /// ```
    /// use pds::syntax::Did;
    ///
    /// let did: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?;
    /// assert_eq!(did.account_fault(), None);
    /// let misspelt: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oi".parse()?;
    /// assert_eq!(misspelt.account_fault(), Some("a did:plc has 24 characters of a-z and 2-7"));
    /// # Ok::<(), pds::syntax::SyntaxError>(())
    /// ```
    #[must_use]
    pub fn account_fault(&self) -> Option<&'static str> {
        let identifier = self.0.splitn(3, ':').nth(2).unwrap_or_default();
        let is_base32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        let is_hash = || identifier.len() == PLC_CHARS && identifier.bytes().all(is_base32);
        match self.method() {
            "plc" if !is_hash() => Some("a did:plc has 24 characters of a-z and 2-7"),
            "web" if identifier.contains(':') => Some("the did:web of an account has no path"),
            "web" if !is_host(identifier) => {
                Some("the did:web of an account is the name of a host")
            }
            _ => None,
        }
    }
}

/// Returns whether a text is the name of a host. The local host may have a port, for tests.
fn is_host(text: &str) -> bool {
    let (name, port) =
        text.split_once("%3A").map_or((text, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_inside)
    };
    match port {
        Some(port) => name == "localhost" && port.parse::<u16>().is_ok(),
        None => name == "localhost" || name.contains('.') && name.split('.').all(is_label),
    }
}

checked_text!(Did, "DID", check);

fn check(did: &[u8]) -> Result<(), &'static str> {
    if did.len() > MAX_BYTES {
        return Err("a DID has at most 2048 bytes");
    }
    let Some(rest) = did.strip_prefix(b"did:") else {
        return Err("a DID starts with did:");
    };
    let mut parts = rest.splitn(2, |byte| *byte == b':');
    let method = parts.next().unwrap_or_default();
    if method.is_empty() || !method.iter().all(u8::is_ascii_lowercase) {
        return Err("the method of a DID is lower-case letters");
    }
    let identifier = parts.next().unwrap_or_default();
    let Some(last) = identifier.last() else {
        return Err("a DID has an identifier after its method");
    };
    if !identifier.iter().all(|byte| is_identifier_byte(*byte)) {
        return Err("the identifier of a DID holds only letters, digits and . _ : % -");
    }
    if matches!(last, b':' | b'%') {
        return Err("a DID does not end with a colon or a percent sign");
    }
    Ok(())
}

fn is_identifier_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'%' | b'-')
}

const MAX_BYTES: usize = 2048;

/// The number of characters of the hash in a did:plc.
const PLC_CHARS: usize = 24;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_no_account_can_have() {
        for (did, may_be) in [
            ("did:plc:z72i7hdynmk6r22z27h6tvur", true),
            ("did:plc:z72i7hdynmk6r22z27h6tvu", false),
            ("did:plc:z72i7hdynmk6r22z27h6tvurr", false),
            ("did:plc:z72i7hdynmk6r22z27h6tvu1", false),
            ("did:plc:Z72i7hdynmk6r22z27h6tvur", false),
            ("did:web:alice.example.com", true),
            ("did:web:localhost", true),
            ("did:web:localhost%3A3000", true),
            ("did:web:example.com%3A3000", false),
            ("did:web:example.com:alice", false),
            ("did:web:example", false),
            ("did:web:example..com", false),
            ("did:web:-a.com", false),
            // The rules of other methods are not known here.
            ("did:example:1", true),
        ] {
            assert_eq!(did.parse::<Did>().unwrap().account_fault().is_none(), may_be, "{did}");
        }
    }

    #[test]
    fn length_limit() {
        let of_length = |len: usize| format!("did:plc:{}", "v".repeat(len - 8)).parse::<Did>();
        assert!(of_length(2048).is_ok());
        assert!(of_length(2049).is_err());
        assert!(of_length(9).is_ok());
        assert!(of_length(8).is_err());
    }

    #[test]
    fn method_is_not_the_identifier() {
        for (text, method) in [("did:m:v", "m"), ("did:method::::val", "method")] {
            assert_eq!(text.parse::<Did>().unwrap().method(), method);
        }
    }

    #[test]
    fn refusals() {
        for bad in ["", "did", "did:", "did::x", "did:a", "did:a1:x", "did:a:x/y", "did:a:é"] {
            assert!(bad.parse::<Did>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in "did:[a-z]{1,9}:[a-zA-Z0-9._:%-]{0,40}[a-zA-Z0-9._-]") {
            let did = Did::try_from(text.clone()).unwrap();
            prop_assert_eq!(did.to_string(), text.clone());
            prop_assert_eq!(text.parse::<Did>().unwrap(), did);
        }

        #[test]
        fn never_panics(text in any::<String>(), rest in any::<String>()) {
            let _ = text.parse::<Did>();
            let _ = format!("did:plc:{rest}").parse::<Did>();
        }
    }
}
