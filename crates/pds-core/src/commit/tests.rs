//! Tests of commits: signing, reading and refusing them.

use super::*;
use crate::crypto::curve::Curve;
use crate::crypto::signing_key::SigningKey;

fn unsigned() -> UnsignedCommit {
    UnsignedCommit {
        did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
        data: Cid::of(Codec::Cbor, b"data"),
        rev: "3jzfcijpj2z2a".parse().unwrap(),
        prev: Some(Cid::of(Codec::Cbor, b"prev")),
    }
}

/// Returns a commit with some fields changed, signed with these changes.
fn changed(key: &SigningKey, change: impl Fn(&mut Map)) -> Result<Commit, CommitError> {
    let mut fields = unsigned().fields();
    change(&mut fields);
    let signature = key.sign(&Value::Map(fields.clone()).encode()).unwrap();
    if fields.get("sig").is_none() {
        fields.insert("sig", signature.as_bytes().as_slice());
    }
    Commit::decode(&Block::new(Codec::Cbor, Value::Map(fields).encode()))
}

#[test]
fn a_signed_commit_is_decoded_and_verifies() {
    for curve in [Curve::K256, Curve::P256] {
        let key = SigningKey::generate(curve).unwrap();
        let commit = unsigned().sign(&key).unwrap();
        let read = Commit::decode(commit.block()).unwrap();
        assert_eq!(read, commit);
        assert_eq!(read.signing_bytes(), unsigned().signing_bytes());
        read.verify(&key.public_key()).unwrap();
        assert!(read.verify(&SigningKey::generate(curve).unwrap().public_key()).is_err());
    }
}

#[test]
fn unknown_fields_are_kept_and_stay_covered() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let commit = changed(&key, |fields| {
        fields.insert("extra", 1);
    })
    .unwrap();
    commit.verify(&key.public_key()).unwrap();
    assert_eq!(commit.deviations(), [Deviation::UnknownField("extra".to_owned())]);
}

#[test]
fn each_field_must_be_valid() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let field_of = |change: &dyn Fn(&mut Map)| match changed(&key, change) {
        Err(CommitError::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for field in ["did", "rev", "data", "version"] {
        assert_eq!(field_of(&|fields| drop(fields.remove(field))), field);
    }
    for field in FIELDS {
        assert_eq!(field_of(&|fields| drop(fields.insert(field, "no"))), field);
    }
    let raw = Cid::of(Codec::Raw, b"x");
    assert_eq!(field_of(&|fields| drop(fields.insert("data", raw))), "data");
    assert_eq!(field_of(&|fields| drop(fields.insert("sig", vec![0; 65]))), "sig");
    assert_eq!(field_of(&|fields| drop(fields.insert("version", 4))), "version");
    let without_prev = changed(&key, |fields| drop(fields.remove("prev"))).unwrap();
    assert_eq!(without_prev.deviations(), [Deviation::PrevMissing]);
}

#[test]
fn version_2_is_read_with_and_without_rev() {
    let key = SigningKey::generate(Curve::P256).unwrap();
    for has_rev in [true, false] {
        let commit = changed(&key, |fields| {
            fields.insert("version", 2);
            if !has_rev {
                fields.remove("rev");
            }
        })
        .unwrap();
        assert_eq!((commit.version(), commit.rev().is_some()), (2, has_rev));
        commit.verify(&key.public_key()).unwrap();
    }
}
