//! The keys that may sign, with their times: generated logs and documents, valid and damaged.

mod documents;
mod extended;
mod keys;
mod log_damage;
mod log_model;
mod logs;
mod operations;
pub(crate) mod plc;
mod verify;

use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::identity::{IdentityError, OperationFault, PlcLog};

use self::plc::{Directory, HOUR, START, update};

/// Returns keys on both curves, the same in every run.
pub(crate) fn keys<const N: usize>() -> [SigningKey; N] {
    std::array::from_fn(|n| {
        let curve = if n % 2 == 0 { Curve::K256 } else { Curve::P256 };
        SigningKey::from_bytes(curve, &[u8::try_from(n + 1).unwrap(); 32]).unwrap()
    })
}

/// Three operations by the second rotation key. The second operation changes the signing key.
pub(crate) fn three() -> (Directory, [Cid; 3]) {
    let [a, b, old, new] = keys();
    let mut log = Directory::default();
    let first = log.take(update(&[&a, &b], &old, None), &b, START);
    let second = log.take(update(&[&a, &b], &new, Some(first)), &b, START + HOUR);
    let third = log.take(update(&[&a, &b], &new, Some(second)), &b, START + 2 * HOUR);
    (log, [first, second, third])
}

/// Returns the fault of a log, and the index of the faulty operation.
fn fault(log: &Directory) -> (usize, OperationFault) {
    match PlcLog::parse(&log.json()) {
        Err(IdentityError::Operation { index, fault }) => (index, fault),
        other => panic!("{other:?}"),
    }
}

fn nullified(log: &PlcLog) -> Vec<bool> {
    log.entries().iter().map(|entry| entry.nullified).collect()
}
