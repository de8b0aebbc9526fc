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
        let UnsignedCommit { did, data, rev, prev } = unsigned();
        assert_eq!((read.known_did(), read.did()), (Some(&did), &did));
        assert_eq!((read.data(), read.rev(), read.prev()), (data, Some(rev), prev));
        let raw = Block::new(Codec::Raw, commit.block().bytes());
        assert_eq!(Commit::decode(&raw), Err(CommitError::NotACommit { cid: raw.cid() }));
        read.verify(&key.public_key()).unwrap();
        assert!(read.verify(&SigningKey::generate(curve).unwrap().public_key()).is_err());
    }
}

/// A signer that names another key than the one it signs with.
struct Mistaken(SigningKey, SigningKey);

impl Signer for Mistaken {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        self.1.sign(message)
    }
}

#[test]
fn a_signature_by_another_key_than_the_named_one_makes_no_commit() {
    let key = |_| SigningKey::generate(Curve::P256).unwrap();
    let [named, other] = [0, 1].map(key);
    let refused = unsigned().sign(&Mistaken(named, other));
    assert!(matches!(refused, Err(CryptoError::Mismatch)), "{refused:?}");
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
fn a_malformed_field_hides_no_other_field() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let cid = Cid::of(Codec::Raw, b"x");
    let changes: [(&'static str, &[Option<Value>]); 6] = [
        ("did", &[None, Some(Value::from("did:")), Some(Value::from(1)), Some(Value::Null)]),
        ("rev", &[None, Some(Value::from("3jzfcijpj2z2")), Some(Value::Link(cid))]),
        ("prev", &[Some(Value::from("no")), Some(Value::Link(cid)), Some(Value::from(0))]),
        (
            "sig",
            &[None, Some(Value::from(vec![1; 7])), Some(Value::from("sig")), Some(Value::Null)],
        ),
        ("version", &[None, Some(Value::from(4)), Some(Value::from(-1)), Some(Value::from("3"))]),
        ("data", &[None, Some(Value::Link(cid)), Some(Value::Null)]),
    ];
    let good = unsigned().sign(&key).unwrap();
    for (field, value) in
        changes.iter().flat_map(|(field, values)| values.iter().map(move |v| (*field, v)))
    {
        let mut fields = unsigned().fields();
        let change = |fields: &mut Map| match value {
            Some(value) => drop(fields.insert(field, value.clone())),
            None => drop(fields.remove(field)),
        };
        change(&mut fields);
        let signature = key.sign(&Value::Map(fields.clone()).encode()).unwrap();
        fields.insert("sig", signature.as_bytes().as_slice());
        if field == "sig" {
            change(&mut fields);
        }
        let block = Block::new(Codec::Cbor, Value::Map(fields).encode());
        let refused = Commit::decode(&block).unwrap_err();
        assert!(
            matches!(refused, CommitError::Field { field: named, .. } if named == field),
            "{refused}"
        );
        let read = match Commit::decode_with_faults(&block) {
            Err(error) if field == "data" => {
                assert_eq!(error, refused);
                continue;
            }
            read => read.unwrap(),
        };
        assert_eq!(read.faults().iter().map(|fault| fault.field).collect::<Vec<_>>(), [field]);
        assert!(FIELDS.iter().all(|name| read.is_well_formed(name) == (*name != field)), "{field}");
        assert_eq!(read.known_did().is_some(), field != "did");
        assert_eq!(read.verify(&key.public_key()).is_ok(), field != "sig");
        assert_eq!(read.data(), good.data());
        let others = |commit: &Commit| {
            let sound = |name: &str| name != field;
            (
                sound("did").then(|| commit.did().clone()),
                sound("rev").then(|| commit.rev()),
                sound("prev").then(|| commit.prev()),
                sound("version").then(|| commit.version()),
            )
        };
        assert_eq!(others(&read), others(&good), "{field}");
    }
    assert!(unsigned().sign(&key).unwrap().faults().is_empty());
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
