//! Operations of did:plc accounts that are made here.

use pds::crypto::{CryptoError, PublicKey, Signature, Signer, SigningKey};
use pds::data::{Cid, Codec, Map, Value};
use pds::identity::{
    IdentityError, OperationFault, PlcData, PlcLog, PlcOperation, PlcService, UnsignedPlcOperation,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::keys;
use super::plc::{HOUR, START, create, sign, time, tombstone, update};

fn data(rotation_keys: &[&SigningKey], signing_key: &SigningKey) -> PlcData {
    PlcData {
        rotation_keys: rotation_keys.iter().map(|key| key.public_key()).collect(),
        verification_methods: [("atproto".to_owned(), signing_key.public_key().did_key())].into(),
        also_known_as: vec!["at://alice.example.com".to_owned()],
        services: [].into(),
    }
}

fn service(kind: &str, endpoint: &str) -> PlcService {
    PlcService { kind: kind.to_owned(), endpoint: endpoint.to_owned() }
}

fn fields(operation: &PlcOperation) -> Map {
    let Value::Map(fields) = Value::from_json(&operation.to_json()).unwrap() else {
        panic!("a map")
    };
    fields
}

/// Returns the line of an audit log.
fn line(did: &str, operation: &PlcOperation, micros: u64) -> Json {
    json!({
        "did": did,
        "operation": serde_json::from_str::<Json>(&operation.to_json()).unwrap(),
        "cid": operation.cid().to_string(),
        "nullified": false,
        "createdAt": time(micros),
    })
}

#[test]
fn an_operation_is_the_one_that_a_second_writer_makes() {
    let [a, b, signing] = keys();
    let genesis = UnsignedPlcOperation::genesis(data(&[&a, &b], &signing)).sign(&b).unwrap();
    assert_eq!(fields(&genesis), sign(update(&[&a, &b], &signing, None), &b));
    let later = UnsignedPlcOperation::update(genesis.cid(), data(&[&b], &a)).sign(&a).unwrap();
    assert_eq!(fields(&later), sign(update(&[&b], &a, Some(genesis.cid())), &a));
    let end = UnsignedPlcOperation::tombstone(later.cid()).sign(&b).unwrap();
    assert_eq!(fields(&end), sign(tombstone(later.cid()), &b));

    let did = genesis.did().unwrap();
    let expected = Cid::of(Codec::Cbor, &Value::Map(fields(&genesis)).encode());
    assert_eq!(genesis.cid(), expected);
    assert_eq!([later.did(), end.did()], [None, None]);
    assert_eq!([genesis.prev(), later.prev()], [None, Some(genesis.cid())]);
    assert_eq!(later.data(), Some(&data(&[&b], &a)));
    assert_eq!(end.data(), None);
    let (hour, lines) = (HOUR, [&genesis, &later, &end]);
    let at = |n: usize| START + hour * n as u64;
    let lines = lines.iter().enumerate().map(|(n, one)| line(did.as_str(), one, at(n)));
    let log = PlcLog::parse(&Json::from_iter(lines).to_string()).unwrap();
    assert_eq!((log.did(), log.current().is_tombstone()), (&did, true));
    assert_eq!(log.entries()[1].data.as_ref(), later.data());
}

#[test]
fn only_the_keys_of_the_operation_before_have_signed() {
    let [a, b, signing] = keys();
    let all = [&a, &b, &signing].map(|key| key.public_key());
    let genesis = UnsignedPlcOperation::genesis(data(&[&a, &b], &signing)).sign(&b).unwrap();
    assert_eq!(genesis.signed_by(&all), Ok(1));
    assert_eq!(genesis.signed_by(&all[..1]), Err(OperationFault::Unsigned));
    let refused = UnsignedPlcOperation::genesis(data(&[&a], &signing)).sign(&signing).unwrap_err();
    assert!(matches!(refused, IdentityError::NoOperation(OperationFault::Unsigned)), "{refused}");
    // Whether the key of an update is permitted, only its log can tell.
    UnsignedPlcOperation::update(genesis.cid(), data(&[&a], &signing)).sign(&signing).unwrap();
}

/// A service that signs with another key than it names.
struct Other(SigningKey, SigningKey);

impl Signer for Other {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        self.1.sign(message)
    }
}

#[test]
fn a_signature_by_another_key_than_the_named_one_is_refused() {
    let [a, b] = keys();
    let unsigned = UnsignedPlcOperation::genesis(data(&[&a], &a));
    let refused = unsigned.clone().sign(&Other(a.clone(), b)).unwrap_err();
    assert!(matches!(refused, IdentityError::Signer(_)), "{refused}");
    unsigned.sign(&Other(a.clone(), a)).unwrap();
}

#[test]
fn what_a_directory_would_refuse_is_not_signed() {
    let [a, b] = keys();
    let many: [SigningKey; 6] = keys();
    let cid = Cid::of(Codec::Cbor, b"");
    let try_with = |change: &dyn Fn(&mut PlcData)| {
        let mut data = data(&[&a], &b);
        change(&mut data);
        match UnsignedPlcOperation::update(cid, data).sign(&a) {
            Ok(operation) => {
                assert_eq!(PlcOperation::parse(&operation.to_json()).unwrap(), operation);
                None
            }
            Err(IdentityError::NoOperation(OperationFault::Field { field, .. })) => Some(field),
            Err(IdentityError::NoOperation(OperationFault::TooLarge { .. })) => Some("size"),
            Err(other) => panic!("{other}"),
        }
    };
    let rotation = |count: usize| {
        let keys: Vec<PublicKey> = many[..count].iter().map(|key| key.public_key()).collect();
        try_with(&|data| data.rotation_keys.clone_from(&keys))
    };
    assert_eq!(
        [0, 1, 5, 6].map(rotation),
        [Some("rotationKeys"), None, None, Some("rotationKeys")]
    );
    assert_eq!(try_with(&|data| data.rotation_keys.push(a.public_key())), Some("rotationKeys"));
    let names = |count: usize, bytes: usize| {
        let name = |n: usize| format!("{n:02}{}", "x".repeat(bytes - 2));
        try_with(&|data| data.also_known_as = (0..count).map(name).collect())
    };
    assert_eq!([names(10, 20), names(11, 20)], [None, Some("alsoKnownAs")]);
    assert_eq!([names(2, 258), names(2, 259)], [None, Some("alsoKnownAs")]);
    let twice = |data: &mut PlcData| data.also_known_as = vec!["at://a.b".to_owned(); 2];
    assert_eq!(try_with(&twice), Some("alsoKnownAs"));
    let key = b.public_key().did_key();
    let methods = |count: usize, bytes: usize, key: &str| {
        let name = |n: usize| (format!("{n:02}{}", "x".repeat(bytes - 2)), key.to_owned());
        try_with(&|data| data.verification_methods = (0..count).map(name).collect())
    };
    let wrong = Some("verificationMethods");
    assert_eq!([methods(10, 9, &key), methods(11, 9, &key)], [None, wrong]);
    assert_eq!([methods(1, 32, &key), methods(1, 33, &key)], [None, wrong]);
    assert_eq!(methods(1, 9, "z6Mkha"), wrong);
    let services = |count: usize, id: usize, kind: usize, endpoint: usize| {
        let one = service(&"k".repeat(kind), &"e".repeat(endpoint));
        let name = |n: usize| (format!("{n:02}{}", "x".repeat(id - 2)), one.clone());
        try_with(&|data| data.services = (0..count).map(name).collect())
    };
    let wrong = Some("services");
    assert_eq!([services(10, 9, 9, 9), services(11, 9, 9, 9)], [None, wrong]);
    assert_eq!([services(1, 32, 96, 256), services(1, 33, 9, 9)], [None, wrong]);
    assert_eq!([services(1, 9, 97, 9), services(1, 9, 9, 257)], [wrong, wrong]);
    let large = |data: &mut PlcData| {
        data.also_known_as = (0..10).map(|n| format!("{n}{}", "x".repeat(250))).collect();
        let one = service(&"k".repeat(96), &"e".repeat(256));
        data.services = (0..4).map(|n| (n.to_string(), one.clone())).collect();
    };
    assert_eq!(try_with(&large), Some("size"));
}

#[test]
fn a_further_field_makes_another_operation() {
    let [a, b] = keys();
    let ours = UnsignedPlcOperation::update(Cid::of(Codec::Cbor, b""), data(&[&a], &b));
    let signed = ours.clone().sign(&a).unwrap();
    assert_eq!(signed.signing_bytes(), ours.signing_bytes());
    let mut more = fields(&signed);
    more.remove("sig");
    more.insert("more", 1);
    let more = PlcOperation::parse(&Value::Map(sign(more, &a)).to_json()).unwrap();
    assert_eq!(more.data(), signed.data());
    assert_ne!(more.signing_bytes(), ours.signing_bytes());
    assert!(more.to_json().contains("\"more\":1"));
}

#[test]
fn json_that_is_no_operation_is_refused() {
    let [a, b] = keys();
    let good = Value::Map(sign(update(&[&a], &b, None), &a)).to_json();
    PlcOperation::parse(&good).unwrap();
    let old = Value::Map(sign(create(&a, &b), &b)).to_json();
    assert_eq!(PlcOperation::parse(&old).unwrap().signed_by(&[b.public_key()]), Ok(0));
    for (text, expected) in [
        ("", "cannot be parsed"),
        ("[]", "not a did:plc operation: operation: not an object"),
        ("{}", "not a did:plc operation: prev: neither null nor a CID as text"),
        (
            &good.replace("plc_operation", "plc_other"),
            "not a did:plc operation: type: not plc_operation, plc_tombstone or create",
        ),
        (&good.replace("\"sig\"", "\"gis\""), "not a did:plc operation: sig: missing, or not text"),
    ] {
        assert_eq!(PlcOperation::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    let long = format!("{{{}}}", " ".repeat(2 * 1_048_576));
    assert!(matches!(PlcOperation::parse(&long), Err(IdentityError::Json(_))));
}

fn any_data() -> impl Strategy<Value = PlcData> {
    let key = |n: usize| keys::<8>()[n].public_key();
    let id = "[a-z#_]{1,12}";
    (
        prop::sample::subsequence((0..8).collect::<Vec<usize>>(), 1..=4),
        prop::collection::btree_map(id, 0..8_usize, 0..4),
        prop::collection::btree_set("at://[a-z.\u{e9}]{1,20}", 0..4),
        prop::collection::btree_map(id, ("[A-Za-z]{0,9}", ".{0,20}"), 0..4),
    )
        .prop_map(move |(rotation, methods, names, services)| PlcData {
            rotation_keys: rotation.into_iter().map(key).collect(),
            verification_methods: methods
                .into_iter()
                .map(|(name, n)| (name, key(n).did_key()))
                .collect(),
            also_known_as: names.into_iter().collect(),
            services: services.into_iter().map(|(id, (k, e))| (id, service(&k, &e))).collect(),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_comes_back_from_a_log(data in any_data()) {
        let all: [SigningKey; 8] = keys();
        let signer = all.iter().find(|key| key.public_key() == data.rotation_keys[0]).unwrap();
        let genesis = UnsignedPlcOperation::genesis(data.clone()).sign(signer).unwrap();
        let read = PlcOperation::parse(&genesis.to_json()).unwrap();
        prop_assert_eq!(&read, &genesis);
        prop_assert_eq!(read.data(), Some(&data));
        let did = genesis.did().unwrap();
        let log = Json::from(vec![line(did.as_str(), &genesis, START)]).to_string();
        let log = PlcLog::parse(&log).unwrap();
        prop_assert_eq!(log.current().data.as_ref(), Some(&data));
        prop_assert_eq!(&log.current().signed_by, &data.rotation_keys[0]);
    }
}
