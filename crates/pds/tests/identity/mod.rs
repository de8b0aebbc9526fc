//! Who may sign, and since when: logs and documents made here, whole and damaged.

mod documents;
mod keys;
mod logs;
mod plc;
mod verify;

use pds::crypto::{Curve, SigningKey};

/// Some keys, always the same ones, on both curves.
fn keys<const N: usize>() -> [SigningKey; N] {
    std::array::from_fn(|n| {
        let curve = if n % 2 == 0 { Curve::K256 } else { Curve::P256 };
        SigningKey::from_bytes(curve, &[u8::try_from(n + 1).unwrap(); 32]).unwrap()
    })
}
