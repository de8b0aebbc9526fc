//! Cryptography: keys on the two atproto curves, their text forms, and signatures.
//!
//! # Vocabulary
//!
//! - **curve**: secp256k1 (`k256`) or NIST P-256 (`p256`). Every reader must support both.
//! - **multikey**: a key as text: `z` + base58btc of a two-byte prefix and the key. The prefix
//!   names the curve, and distinguishes public from secret keys.
//! - **did:key**: `did:key:` + the multikey of a public key. A P-256 key starts with `did:key:zDn`,
//!   a secp256k1 key with `did:key:zQ3s`.
//! - **legacy form**: the form in old DID documents: `z` + base58btc of the curve point alone. The
//!   document names the curve separately.
//! - **low-S**: (r, s) and (r, n − s) sign the same message, where n is the order of the curve.
//!   Only the signature with s ≤ n/2 is accepted. Otherwise third parties could change the bytes,
//!   and so the CID, of a signed commit.
//!
//! # Invariants
//!
//! - A [`PublicKey`] is a valid point on its curve, checked when it is parsed. Every key has
//!   exactly one `did:key`, and two texts of that form never parse as the same key.
//! - [`PublicKey::verify`] accepts low-S signatures only, and a [`SigningKey`] makes no others, on
//!   both curves. The same key and message always result in the same signature (RFC 6979).
//! - Secret bytes are overwritten after their last use. No `Debug` output and no error shows them.
//!   There is one exception: the compiler and the curve arithmetic may leave copies on the stack.
//! - This module hashes messages, with SHA-256: callers pass the bytes, never a digest.
//!
//! Rules: <https://atproto.com/specs/cryptography>.
//!
//! # Example
//!
//! ```
//! use pds::crypto::{Curve, PublicKey, Signer, SigningKey};
//!
//! let key = SigningKey::generate(Curve::K256)?;
//! let signature = key.sign(b"some bytes")?;
//!
//! // Elsewhere, knowing only the text of the public key:
//! let public = PublicKey::from_did_key(&key.public_key().did_key())?;
//! public.verify(b"some bytes", &signature)?;
//! assert!(public.verify(b"other bytes", &signature).is_err());
//! # Ok::<(), pds::crypto::CryptoError>(())
//! ```
//!
//! [`PublicKey`]: public_key::PublicKey
//! [`PublicKey::verify`]: public_key::PublicKey::verify
//! [`SigningKey`]: signing_key::SigningKey

pub mod curve;
mod curve_name;
pub(crate) mod curve_point;
pub mod did_key;
pub mod error;
pub(crate) mod multikey;
pub mod public_key;
pub mod signature;
pub mod signer;
pub mod signing_key;
#[cfg(test)]
mod tests;
