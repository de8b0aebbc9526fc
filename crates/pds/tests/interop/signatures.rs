//! Signatures of commits by other software, verified with the known keys.

use std::collections::HashSet;

use pds::commit::Commit;
use pds::crypto::{CryptoError, Curve, PublicKey};
use pds::syntax::Did;
use pds::{Code, Expected, Finding, Severity, SignatureState};

use super::cars::{key_of, whole_repositories};
use super::support::{blocks, codes, flag, json, number, text, verify};

#[test]
fn signatures_are_judged_by_the_keys_that_are_known() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    let (mut valid, mut high_s) = (0, 0);
    for (name, facts, bytes) in &cases {
        let Some(key) = key_of(facts) else { continue };
        let expected = Expected::default().key(Some(&key));
        let (report, findings) = verify(bytes, &expected);
        let errors: Vec<&Finding> =
            findings.iter().filter(|found| found.severity() == Severity::Error).collect();
        if flag(&facts["signing_key"], "low_s") {
            assert_eq!(report.signature, SignatureState::Valid, "{name}");
            assert!(errors.is_empty(), "{name}: {errors:?}");
            valid += 1;
        } else {
            // These signatures of 2023 are valid ECDSA, but not valid under today's rule.
            assert_eq!(report.signature, SignatureState::Invalid, "{name}");
            assert_eq!(errors.len(), 1, "{name}: {errors:?}");
            assert_eq!(errors[0].code(), Code::SignatureHighS, "{name}");
            high_s += 1;
        }
        let curve =
            if text(&facts["signing_key"], "curve") == "p256" { Curve::P256 } else { Curve::K256 };
        assert_eq!(key.curve(), curve, "{name}");
    }
    assert!(valid >= 2 && high_s >= 1, "{valid} {high_s}");
}

#[test]
fn the_commits_of_a_whole_history_verify_one_by_one() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    let mut histories = 0;
    for (name, facts, bytes) in &cases {
        let (Some(key), Some(expected)) = (key_of(facts), facts.get("commits_in_file")) else {
            continue;
        };
        let (mut commits, mut low, mut high) = (0, 0, 0);
        let mut seen = HashSet::new();
        for block in blocks(bytes) {
            let Ok(commit) = Commit::decode(&block) else {
                continue;
            };
            if !seen.insert(commit.cid()) {
                continue;
            }
            commits += 1;
            match commit.verify(&key) {
                Ok(()) => low += 1,
                Err(CryptoError::HighS { .. }) => high += 1,
                Err(error) => panic!("{name}: {}: {error}", commit.cid()),
            }
        }
        assert_eq!(commits, number(expected, "count"), "{name}");
        assert_eq!(low + high, number(expected, "signature_valid"), "{name}");
        assert_eq!(low, number(expected, "signature_valid_and_low_s"), "{name}");
        histories += u64::from(commits > 1);
    }
    assert!(histories >= 2);
}

#[test]
fn did_documents_beside_the_files_hold_the_keys() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    let mut documents = 0;
    for (name, facts, _) in &cases {
        let path = format!("cars/{}.didDoc.json", name.trim_end_matches(".car"));
        if !crate::fixtures().unwrap().join(&path).exists() {
            continue;
        }
        let document = json(&path).unwrap();
        assert_eq!(text(&document, "id"), text(facts, "did"));
        let method = &document["verificationMethod"][0];
        let curve = match text(method, "type") {
            "EcdsaSecp256k1VerificationKey2019" => Curve::K256,
            "EcdsaSecp256r1VerificationKey2019" => Curve::P256,
            other => panic!("{name}: {other}"),
        };
        let multibase = text(method, "publicKeyMultibase");
        let key = PublicKey::from_legacy_multibase(curve, multibase).unwrap();
        assert_eq!(Some(key), key_of(facts), "{name}");
        documents += 1;
    }
    assert!(documents >= 2);
}

#[test]
fn another_account_or_another_key_is_an_error() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    let other: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap();
    let key: PublicKey =
        "did:key:zQ3shW1AnfTp89EwNq2np62pi6CwXpvgyR3VZSwVpJg7AvBKR".parse().unwrap();
    let expected = Expected::default().did(Some(&other)).key(Some(&key));
    for (name, facts, bytes) in &cases {
        let (report, findings) = verify(bytes, &expected);
        // High-S is reported first, even with a key of the other curve.
        let signature =
            if flag(facts, "low_s_k256") { "signature-invalid" } else { "signature-high-s" };
        let mut errors = findings;
        errors.retain(|found| found.severity() == Severity::Error);
        assert_eq!(codes(&errors), ["did-mismatch", signature], "{name}");
        assert_eq!(report.signature, SignatureState::Invalid);
        assert!(!report.is_ok() && report.is_complete(), "{name}");
    }
}
