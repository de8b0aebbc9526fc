//! Repairs of damaged repositories and files, through the public interface.
#![allow(missing_docs, clippy::unwrap_used)]

mod account;
mod repair;
mod salvage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pds::car::CarFile;
use pds::crypto::{Curve, SigningKey};
use pds::data::Value;
use pds::local::layout::KEY_FILE;
use pds::store::{Expect, Refs, Version};
use pds::syntax::{Did, RecordPath};
use pds::{Repo, Snapshot, Write, WriteOptions};

fn did() -> Did {
    "did:web:alice.example.com".parse().unwrap()
}

fn path(text: &str) -> RecordPath {
    text.parse().unwrap()
}

fn note(text: &str) -> Value {
    Value::from([("text", Value::from(text))])
}

fn refs(repo: &Repo) -> Refs {
    repo.store().view().unwrap().refs().unwrap()
}

fn version(repo: &Repo) -> Version {
    repo.store().view().unwrap().version()
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Makes a store in a directory, without its signing key: four commits with the records of the sample, a ref
/// `before`, and a blob.
fn make(dir: &Path) {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let repo = pds::local::directory::create_with_key(dir, &did(), &key).unwrap();
    let sample = CarFile::open(fs::File::open(testdata().join("sample.car")).unwrap()).unwrap();
    let root = sample.roots()[0];
    let sample = Snapshot::open(Arc::new(sample), root).unwrap();
    let writes: Vec<Write> = sample
        .records()
        .map(|entry| {
            let record = sample.find(&entry.unwrap().path).unwrap().unwrap();
            Write::put_bytes(record.path, record.block.bytes())
        })
        .collect();
    let options = WriteOptions::default().allow_missing_blobs(true).message("apply".to_owned());
    repo.write(pds::Batch::new(&writes).with(options.clone())).unwrap();
    let blob = repo.put_blob("text/plain", &mut &b"a file"[..]).unwrap();
    let value = Value::from([("text", Value::from("extra")), ("file", blob.to_value())]);
    let options = |message: &str| WriteOptions::default().message(message);
    let extra = path("com.example.note/extra");
    repo.write(pds::Batch::new(&[Write::put(extra.clone(), value)]).with(options("put"))).unwrap();
    let head = repo.head().unwrap().unwrap();
    repo.history().set_ref(&"before".parse().unwrap(), head, Expect::Absent, "").unwrap();
    repo.write(pds::Batch::new(&[Write::delete(extra)]).with(options("rm"))).unwrap();
    fs::remove_file(dir.join(KEY_FILE)).unwrap();
}
