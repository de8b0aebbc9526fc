//! Signatures in every form but the right one, on both curves.

use data_encoding::HEXLOWER;
use pds::commit::Commit;
use pds::crypto::{Curve, PublicKey, Signature, Signer, SigningKey};
use pds::data::{Block, Value};
use pds::identity::KeyHistory;
use pds::syntax::RecordPath;
use pds::transfer::prove::{ProofError, verify_proof};
use pds::verify::car::verify_car;
use pds::{Code, Expected, Severity};

use super::commits::small;
use super::forge::{block, fields, sign};
use super::torture::row;

/// The order of a curve.
fn order(curve: Curve) -> Vec<u8> {
    let hex = match curve {
        Curve::K256 => "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        Curve::P256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    };
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

/// Returns the order of a curve minus a number.
fn negated(curve: Curve, number: &[u8]) -> Vec<u8> {
    let (order, mut result, mut borrow) = (order(curve), vec![0; 32], 0_i16);
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(number[at]) - borrow;
        borrow = i16::from(digit < 0);
        result[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    result
}

/// Returns the other signature of the same message that mathematics allows.
pub(super) fn high(curve: Curve, signature: &Signature) -> Vec<u8> {
    let (r, s) = signature.as_bytes().split_at(32);
    [r, &negated(curve, s)].concat()
}

/// Returns a signature in the form of most other protocols.
pub(super) fn der(signature: &Signature) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(31);
        let sign = if bytes[start] >= 0x80 { vec![0] } else { vec![] };
        let content = [&sign[..], &bytes[start..]].concat();
        [&[2, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    };
    let (r, s) = signature.as_bytes().split_at(32);
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}

/// All wrong forms of a signature, each with the code of its fault.
fn wrong(curve: Curve, right: &Signature, message: &[u8]) -> Vec<(&'static str, Vec<u8>, Code)> {
    let (r, s) = right.as_bytes().split_at(32);
    let zero = [0; 32];
    let by = |curve, byte| {
        let key = SigningKey::from_bytes(curve, &[byte; 32]).unwrap();
        key.sign(message).unwrap().as_bytes().to_vec()
    };
    let other = if curve == Curve::K256 { Curve::P256 } else { Curve::K256 };
    let reversed = |part: &[u8]| part.iter().rev().copied().collect::<Vec<u8>>();
    let (field, invalid) = (Code::CommitField, Code::SignatureInvalid);
    vec![
        ("no bytes", vec![], field),
        ("63 bytes", right.as_bytes()[..63].to_vec(), field),
        ("65 bytes", [&right.as_bytes()[..], &[0]].concat(), field),
        ("a zero before it", [&[0], &right.as_bytes()[..]].concat(), field),
        ("twice", [&right.as_bytes()[..], right.as_bytes()].concat(), field),
        ("DER", der(right), field),
        ("high-S", high(curve, right), Code::SignatureHighS),
        ("r and s swapped", [s, r].concat(), invalid),
        ("little-endian", [reversed(r), reversed(s)].concat(), invalid),
        ("r zero", [&zero, s].concat(), invalid),
        ("s zero", [r, &zero].concat(), invalid),
        ("all zero", vec![0; 64], invalid),
        ("all ones", vec![0xff; 64], invalid),
        ("r is the order", [&order(curve), s].concat(), invalid),
        ("s is the order", [r, &order(curve)].concat(), invalid),
        ("r negated", [&negated(curve, r), s].concat(), invalid),
        ("by another key", by(curve, 4), invalid),
        ("by the same secret on the other curve", by(other, 3), invalid),
    ]
}

/// Checks a commit with a signature, by the file and as a proof.
fn check(commit: &Block, key: &PublicKey, name: &str, code: Option<Code>) {
    let file = small().with_commit(commit.clone()).file();
    let mut errors = Vec::new();
    let expected = Expected::default().key(key);
    let report = verify_car(std::io::Cursor::new(&file), &expected, &mut |found| {
        if found.severity() == Severity::Error {
            errors.push(found.code());
        }
    });
    // Numbers that are no signature at all may also be above half the order.
    if code == Some(Code::SignatureInvalid) && errors == [Code::SignatureHighS] {
        errors = vec![Code::SignatureInvalid];
    }
    assert_eq!(errors, code.into_iter().collect::<Vec<_>>(), "{name}");
    assert_eq!(report.unwrap().is_ok(), code.is_none(), "{name}");
    let keys: KeyHistory = key.clone().into();
    let path: RecordPath = "com.example.note/a".parse().unwrap();
    let proven = verify_proof(std::io::Cursor::new(&file), &path, &keys);
    match code {
        None => assert!(proven.unwrap().record.is_some(), "{name}"),
        Some(_) => assert!(
            matches!(proven, Err(ProofError::Signature { .. } | ProofError::Commit(_))),
            "{name}"
        ),
    }
    if let Ok(commit) = Commit::decode(commit) {
        assert_eq!(commit.verify(key).is_ok(), code.is_none(), "{name}");
    }
}

#[test]
fn only_the_one_form_of_a_signature_is_valid() {
    let mut tried = 0;
    for curve in [Curve::K256, Curve::P256] {
        let key = SigningKey::from_bytes(curve, &[3; 32]).unwrap();
        let public = key.public_key();
        // Several messages, because numbers with a leading zero or a high bit have forms of their own in DER.
        for n in 0..24 {
            let mut unsigned = fields(small().data);
            unsigned.insert("note", n);
            let message = Value::Map(unsigned.clone()).encode();
            let right = key.sign(&message).unwrap();
            check(&block(sign(unsigned.clone(), &key)), &public, "the right one", None);
            for (name, bytes, code) in wrong(curve, &right, &message) {
                let mut signed = unsigned.clone();
                signed.insert("sig", bytes);
                check(&block(signed), &public, &format!("{curve}: {name}"), Some(code));
                tried += 1;
            }
            // The right signature of another message.
            let mut other = unsigned.clone();
            other.insert("note", n + 1);
            other.insert("sig", right.as_bytes().as_slice());
            let name = format!("{curve}: of another message");
            check(&block(other), &public, &name, Some(Code::SignatureInvalid));
            tried += 1;
        }
    }
    row("mutations: signatures", tried, "each refused for its reason");
}
