//! DID documents and operation logs of real accounts.

use pds::identity::{DidDocument, PlcEntry, PlcLog, PlcOperation, UnsignedPlcOperation};

use super::{each, read_json, text};
use crate::fixtures;

#[test]
fn every_operation_of_every_log_is_signed_by_the_expected_key() {
    let Some(dir) = fixtures() else { return };
    let dir = dir.join("identity");
    let expected = read_json(&dir.join("expected.json"));
    let mut logs = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let json = std::fs::read_to_string(dir.join(name)).unwrap();
        let log = PlcLog::parse(&json).unwrap();
        assert_eq!(log.did().as_str(), text(&expected["did"]));
        assert_eq!(expected["did_derived_from_genesis_matches"], true);
        let operations = each(&expected["operations"]);
        assert_eq!(operations.len(), log.entries().len());
        for (entry, expected) in log.entries().iter().zip(operations) {
            let PlcEntry { cid, nullified, signed_by, .. } = entry;
            assert_eq!(expected["cid_matches"], true);
            assert_eq!(cid.to_string(), text(&expected["cid"]));
            assert_eq!(*nullified, expected["nullified"]);
            assert_eq!(signed_by.did_key(), text(&expected["verified_by"]["did_key"]));
            assert_eq!(expected["verified_by"]["low_s"], true);
        }
        logs += 1;
    }
    assert_eq!(logs, 1, "all of expected.json");

    let json = std::fs::read_to_string(dir.join("plc_audit_log_bsky.json")).unwrap();
    let keys = PlcLog::parse(&json).unwrap().key_history();
    let times: Vec<_> =
        keys.periods().iter().map(|period| (period.from_micros, period.until_micros)).collect();
    // 2023-04-12T04:53:57.057Z and 2023-11-09T21:49:10.793Z
    let (from, rotated) = (1_681_275_237_057_000, 1_699_566_550_793_000);
    assert_eq!(times, [(from, Some(rotated)), (rotated, None)]);
}

#[test]
fn every_operation_is_read_alone_and_written_alike() {
    let Some(dir) = fixtures() else { return };
    let (mut operations, mut rebuilt) = (0, 0);
    for name in ["identity/plc_audit_log_bsky.json", "reference-pds/alice/plc-log-audit.json"] {
        let mut keys = Vec::new();
        for entry in each(&read_json(&dir.join(name))) {
            let operation = PlcOperation::parse(&entry["operation"].to_string()).unwrap();
            assert_eq!(operation.cid().to_string(), text(&entry["cid"]), "{name}");
            let written: serde_json::Value = serde_json::from_str(&operation.to_json()).unwrap();
            assert_eq!(written, entry["operation"], "{name}");
            let data = operation.data().unwrap().clone();
            if operation.prev().is_none() {
                assert_eq!(operation.did().unwrap().as_str(), text(&entry["did"]), "{name}");
                keys.clone_from(&data.rotation_keys);
            }
            operation.signed_by(&keys).unwrap();
            keys.clone_from(&data.rotation_keys);
            operations += 1;
            if text(&entry["operation"]["type"]) == "plc_operation" {
                let ours = match operation.prev() {
                    Some(prev) => UnsignedPlcOperation::update(prev, data),
                    None => UnsignedPlcOperation::genesis(data),
                };
                assert_eq!(ours.signing_bytes(), operation.signing_bytes(), "{name}");
                rebuilt += 1;
            }
        }
    }
    assert!(operations >= 3 && rebuilt >= 2, "{operations} {rebuilt}");
}

#[test]
fn every_document_gives_its_signing_key() {
    let Some(dir) = fixtures() else { return };
    let key = "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
    let plc = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let mut documents = vec![
        ("identity/did_plc_doc.json", plc.to_owned(), Some(key.to_owned())),
        ("identity/did_plc_doc_legacy.json", plc.to_owned(), None),
        ("identity/did_web_doc.json", "did:web:discover.bsky.social".to_owned(), None),
    ];
    let log = std::fs::read_to_string(dir.join("reference-pds/alice/plc-log-audit.json")).unwrap();
    let log = PlcLog::parse(&log).unwrap();
    let present = log.key_history().periods().last().unwrap().key.clone().unwrap();
    let current = log.current().data.as_ref().unwrap();
    assert_eq!(current.pds().as_deref(), Some("http://localhost:2783"));
    assert_eq!(current.handles()[0].as_str(), "alice.test");
    assert_eq!(current.signing_key(), Some(present.clone()));
    let (mut hosts, mut handles_found) = (0, 0);
    documents.push((
        "reference-pds/alice/did-doc.json",
        log.did().to_string(),
        Some(present.did_key()),
    ));
    for (name, did, key) in documents {
        let document = DidDocument::parse(&std::fs::read_to_string(dir.join(name)).unwrap());
        let document = document.unwrap();
        assert_eq!(document.did().as_str(), did, "{name}");
        let facts: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join(name)).unwrap()).unwrap();
        let names = facts["alsoKnownAs"].as_array().into_iter().flatten().map(text);
        let names: Vec<&str> = names.map(|name| name.strip_prefix("at://").unwrap()).collect();
        let handles: Vec<&str> = document.handles().iter().map(|one| one.as_str()).collect();
        assert_eq!(handles, names, "{name}");
        handles_found += handles.len();
        let is_host = |service: &&serde_json::Value| text(&service["id"]).ends_with("#atproto_pds");
        let services = facts["service"].as_array().into_iter().flatten();
        let host = services.clone().find(is_host).map(|service| text(&service["serviceEndpoint"]));
        assert_eq!(document.pds(), host, "{name}");
        hosts += u64::from(host.is_some());
        let found = document.signing_key().map(|key| key.did_key());
        if name.contains("legacy") {
            assert!(found.is_some_and(|key| key.starts_with("did:key:zQ3s")), "{name}");
        } else {
            assert_eq!(found, key, "{name}");
        }
    }
    assert!(hosts >= 3 && handles_found >= 3, "{hosts} {handles_found}");
    let in_folder = std::fs::read_dir(dir.join("identity")).unwrap();
    let named = |name: &str| name.starts_with("did_");
    let found = in_folder
        .filter(|entry| named(entry.as_ref().unwrap().file_name().to_str().unwrap()))
        .count();
    assert_eq!(found, 3, "a document that is not read here");
}
