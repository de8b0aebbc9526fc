//! Who signed: keys on the two atproto curves, their text forms, and signatures.
//!
//! # Vocabulary
//!
//! - **curve**: secp256k1 (`k256`) or NIST P-256 (`p256`). Every reader must know both.
//! - **multikey**: a key as text: `z` + base58btc of a two-byte prefix, which names the curve and
//!   tells public from secret, and the key itself.
//! - **did:key**: `did:key:` + the multikey of a public key. A P-256 key starts `did:key:zDn`, a
//!   secp256k1 key `did:key:zQ3s`.
//! - **legacy form**: what old DID documents hold: `z` + base58btc of the bare curve point, so
//!   that the curve has to come from elsewhere.
//! - **low-S**: (r, s) and (r, n − s) sign the same message, n being the order of the curve. Only
//!   the one with s ≤ n/2 is accepted, or anyone could change the bytes, and so the CID, of a
//!   signed commit.
//!
//! # Invariants
//!
//! - A [`PublicKey`] is a point on its curve, checked when it was read. It has one `did:key`: equal
//!   keys print equally, and no two texts of that form read as the same key.
//! - [`PublicKey::verify`] accepts low-S signatures only, and every [`SigningKey`] makes only
//!   those, on both curves. The same key and message always give the same signature (RFC 6979).
//! - Secret bytes are overwritten once they are no longer needed, and appear in no `Debug` output
//!   and no error. What cannot be promised: the compiler and the curve arithmetic may leave copies
//!   on the stack.
//! - Messages are hashed here, with SHA-256: callers pass the bytes, never a digest.
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

mod curve;
mod did_key;
mod error;
mod multikey;
mod point;
mod public_key;
mod signature;
mod signing_key;
#[cfg(test)]
mod tests;

pub use curve::Curve;
pub use did_key::DidKey;
pub use error::CryptoError;
pub use public_key::PublicKey;
pub use signature::{Signature, Signer};
pub use signing_key::SigningKey;
