//! The first commit of a ref, and signers outside this library.

use std::io::Cursor;
use std::sync::Arc;

use pds::Expected;
use pds::blob::MemoryBlobs;
use pds::crypto::{CryptoError, Curve, PublicKey, Signature, Signer, SigningKey};
use pds::data::Value;
use pds::store::{Expect, MemoryStore, RefName};
use pds::syntax::RecordPath;
use pds::{Error, Repo, Revision};

use super::{did, in_memory, note, path};

fn key() -> SigningKey {
    SigningKey::generate(Curve::K256).unwrap()
}

fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// A signer with the mistakes that a service may make.
struct Careless {
    key: SigningKey,
    says: PublicKey,
    high: bool,
}

impl Signer for Careless {
    fn public_key(&self) -> PublicKey {
        self.says.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        let made = self.key.sign(message)?;
        if !self.high {
            return Ok(made);
        }
        let mut bytes = made.as_bytes().to_owned();
        let mut borrow = 0;
        for (byte, order) in bytes[32..].iter_mut().zip(K256_ORDER).rev() {
            let difference = i16::from(order) - i16::from(*byte) - borrow;
            borrow = i16::from(difference < 0);
            *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
        }
        Signature::from_bytes(&bytes)
    }
}

/// The order of secp256k1. Both s and order - s are valid for the same message.
const K256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

#[test]
fn a_signature_that_others_would_refuse_is_not_stored() {
    let record: (RecordPath, Value) = (path("com.example.note/a"), note("x"));
    for (high, wrong) in [(true, false), (false, true), (false, false)] {
        let key = key();
        let says = if wrong { self::key().public_key() } else { key.public_key() };
        let signer = Arc::new(Careless { key: key.clone(), says, high });
        let is_right = !high && !wrong;
        // The signer makes the first commit,
        let repo = empty().signing_with(signer.clone());
        assert_eq!(repo.init(&did()).is_ok(), is_right);
        assert_eq!(repo.head().unwrap().is_some(), is_right);
        // signs a write in an existing repository,
        let repo = empty().signing_with(key.clone());
        repo.init(&did()).unwrap();
        let head = repo.head().unwrap();
        let written = repo.clone().signing_with(signer.clone()).put(&record.0, &record.1);
        assert_eq!(written.is_ok(), is_right, "{written:?}");
        assert_eq!(repo.head().unwrap() != head, is_right);
        // and is the next key in a rotation. If the rotation fails, the old key stays valid.
        let repo = in_memory();
        match super::rotate(&repo, signer) {
            Ok((rotated, _)) => {
                assert!(is_right);
                rotated.put(&record.0, &record.1).unwrap();
            }
            Err(error) => {
                assert!(!is_right && matches!(error, Error::Crypto(_)), "{error}");
                repo.put(&record.0, &record.1).unwrap();
            }
        }
        repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
    }
}

#[test]
fn another_ref_begins_with_the_same_account_and_key_or_not_at_all() {
    let repo = in_memory();
    let (known, head) = (repo.public_key().unwrap(), repo.head().unwrap());
    let side = repo.on("side".parse().unwrap());
    let stranger = side.clone().signing_with(key());
    assert!(matches!(stranger.init(&did()), Err(Error::WrongKey { .. })));
    let other = "did:web:bob.example.com".parse().unwrap();
    assert!(matches!(side.init(&other), Err(Error::WrongDid { .. })));
    assert_eq!(side.head().unwrap(), None);
    assert_eq!((repo.did().unwrap(), repo.public_key().unwrap()), (Some(did()), known));
    side.init(&did()).unwrap();
    assert_eq!(repo.head().unwrap(), head);
    repo.put(&path("com.example.note/a"), &note("x")).unwrap();
    for repo in [repo, side] {
        repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
    }
}

#[test]
fn no_ref_is_made_whose_name_would_find_a_commit() {
    let repo = in_memory();
    let head = repo.head().unwrap().unwrap();
    let mut car = Vec::new();
    repo.transfer().export(&Revision::head(), &mut car).unwrap();
    for name in [head.to_string(), "3jzfcijpj2z2a".to_owned()] {
        let name: RefName = name.parse().unwrap();
        let on = repo.on(name.clone());
        assert!(matches!(on.init(&did()), Err(Error::Revision { .. })));
        let imported = on.transfer().import_file(Cursor::new(car.clone()), None);
        assert!(matches!(imported, Err(Error::Revision { .. })));
        let moved = repo.history().set_ref(&name, head, Expect::Any, "");
        assert!(matches!(moved, Err(Error::Revision { .. })));
        assert_eq!(repo.history().refs().unwrap().len(), 1);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_lost_head_is_not_initialised_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    repo.put(&path("com.example.note/a"), &note("x")).unwrap();
    drop(repo);
    let store = rusqlite::Connection::open(dir.join(pds::local::layout::STORE_FILE)).unwrap();
    store.execute("DELETE FROM refs", []).unwrap();
    drop(store);
    let repo = Repo::open(&dir).unwrap();
    assert_eq!(repo.head().unwrap(), None);
    assert!(matches!(repo.init(&did()), Err(Error::RefLost { .. })));
    assert_eq!((repo.head().unwrap(), repo.history().log(9).unwrap().len()), (None, 2));
}
