//! A mirror of another account: a first backup, a later one, and the way back.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::path::Path;

use pds::Repo;
use pds::identity::DidDocument;
use pds::local::directory::clone_file;
use pds::model::jobs::Jobs;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let document = DidDocument::parse(&std::fs::read_to_string(data.join("did.json"))?)?;
    let key = document.signing_key();
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("alice");

    // The signature is checked before anything is stored, and the key is remembered.
    let (repo, first) =
        clone_file(&place, File::open(data.join("sample-earlier.car"))?, key, Jobs::default())?;
    println!("cloned {} new blocks", first.new_blocks);
    drop(repo);

    let repo = Repo::open(&place)?;
    let before = repo.head()?;
    let later = repo.transfer().import_file(File::open(data.join("sample.car"))?, key)?;
    println!("imported {} new blocks", later.new_blocks);
    assert_ne!(repo.head()?, before);
    // The past is kept, so the state before can be read and restored.
    let earlier = repo.checkout(&"@{1}".parse()?)?;
    assert_eq!(Some(earlier.commit().cid()), before);
    Ok(())
}
