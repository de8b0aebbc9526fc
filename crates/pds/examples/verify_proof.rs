//! A proof of one record, made by the owner and checked by a reader who has only the DID document.
#![allow(clippy::print_stdout)]

use std::fs::File;

use pds::car::CarFile;
use pds::identity::DidDocument;
use pds::syntax::RecordPath;
use pds::transfer::prove::verify_proof;
use pds::{Repo, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;
    let path: RecordPath = "com.example.note/first".parse()?;
    repo.put(&path, &Value::from([("text", Value::from("hello"))]))?;
    let key = repo.public_key()?.ok_or("it was just made")?;
    let document = format!(
        r##"{{"id": "did:web:alice.example.com", "verificationMethod": [{{
            "id": "#atproto", "type": "Multikey", "controller": "did:web:alice.example.com",
            "publicKeyMultibase": "{}"}}]}}"##,
        key.to_string().trim_start_matches("did:key:")
    );

    // The owner writes the proof: the commit, the way down the tree, and the record.
    let proof = dir.path().join("proof.car");
    repo.snapshot()?.prove(&path)?.write_car(File::create(&proof)?)?;

    // The reader checks it with the keys of the document.
    let keys = DidDocument::parse(&document)?.key_history();
    let proven = verify_proof(File::open(&proof)?, &path, &keys)?;
    let record = proven.record.ok_or("the record is present")?;
    let rev = proven.commit.rev().ok_or("the commit has no valid rev")?;
    println!("{path} at {rev}: {}", record.value()?.to_json());

    // A proof for another path shows that there is no such record, or nothing at all.
    let absent = verify_proof(File::open(&proof)?, &"com.example.note/other".parse()?, &keys);
    assert!(absent.is_err() || absent.is_ok_and(|proven| proven.record.is_none()));
    println!("{} blocks", CarFile::open(File::open(&proof)?)?.len());
    Ok(())
}
