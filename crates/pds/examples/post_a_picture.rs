//! A record with a blob: the file is stored first, and the record refers to it.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pds::{Repo, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plot.png");
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;
    let blob = repo.put_blob("image/png", &mut File::open(&picture)?)?;
    let post = Value::from([("text", Value::from("the garden")), ("picture", blob.to_value())]);
    repo.put(&"com.example.picture/first".parse()?, &post)?;

    let mut bytes = Vec::new();
    let mut stored = repo.blob(&blob.cid)?.ok_or("it was just stored")?;
    stored.reader.read_to_end(&mut bytes)?;
    assert_eq!(bytes, std::fs::read(&picture)?);
    assert!(repo.verify().missing_blobs()?.missing.is_empty());
    println!("{} bytes of {}", bytes.len(), blob.mime_type);
    Ok(())
}
