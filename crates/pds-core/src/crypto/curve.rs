//! The two elliptic curves of atproto keys.

use std::fmt;

/// The name of one of the two elliptic curves of atproto keys.
///
/// An account may use either curve, and a reader must support both (atproto spec, Cryptography).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256k1, named "k256" in the spec: the curve of most accounts.
    K256,
    /// NIST P-256, also called secp256r1, named "p256" in the spec: the curve of hardware and
    /// browsers.
    P256,
}

impl Curve {
    /// Returns the short name in the spec: `k256` or `p256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::K256 => "k256",
            Self::P256 => "p256",
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
