//! Whole files: what is called valid can be read in full, and all orders of the blocks have one answer.
#![no_main]

use std::io::Cursor;
use std::sync::Arc;

use atpds_fuzz::{car_of, linked_blocks};
use libfuzzer_sys::fuzz_target;
use pds::car::CarFile;
use pds::verify::car::verify_car;
use pds::{Expected, Report, Snapshot};

fuzz_target!(|input: &[u8]| {
    // The bytes as a file, which mostly fails at the first hash, and as blocks with valid links.
    check(input);
    let mut blocks = linked_blocks(input);
    let report = check(&car_of(&blocks));
    if blocks.len() > 1 {
        let last = blocks.len() - 1;
        blocks[..last].reverse();
        let other = check(&car_of(&blocks));
        assert_eq!(report.is_ok(), other.is_ok());
        assert_eq!((report.records, report.nodes), (other.records, other.nodes));
    }
});

fn check(file: &[u8]) -> Report {
    let mut errors = 0;
    let mut count = |finding: pds::Finding| {
        assert!(!finding.to_string().is_empty());
        errors += u64::from(finding.severity() == pds::Severity::Error);
    };
    let report = verify_car(Cursor::new(file), &Expected::default(), &mut count)
        .expect("memory can be read");
    assert_eq!(report.errors, errors);
    if let (true, true, Some(commit)) = (report.is_ok(), report.is_complete(), &report.commit) {
        let car = CarFile::open(Cursor::new(file.to_vec())).expect("it was verified");
        let snapshot = Snapshot::open(Arc::new(car), commit.cid()).expect("it was verified");
        let records = snapshot.records().map(|record| record.expect("it was verified"));
        let read = records.inspect(|entry| {
            let record = snapshot.find(&entry.path).expect("it was verified");
            let _ = record.expect("it is listed").value();
        });
        assert_eq!(read.count() as u64, report.records);
    }
    report
}
