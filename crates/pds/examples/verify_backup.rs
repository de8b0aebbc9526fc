//! The check of a backup, finding by finding.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::path::Path;

use pds::identity::DidDocument;
use pds::verify::car::verify_car;
use pds::{Expected, SignatureState};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let document = DidDocument::parse(&std::fs::read_to_string(data.join("did.json"))?)?;
    let keys = document.key_history();
    let expected = Expected::default().did(document.did()).keys(&keys);
    let mut each = |finding| println!("{finding}");
    let report = verify_car(File::open(data.join("sample.car"))?, &expected, &mut each)?;
    assert!(report.is_ok() && report.is_complete());
    assert_eq!(report.signature, SignatureState::Valid);
    println!("{} records in {} blocks, signature valid", report.records, report.blocks);
    Ok(())
}
