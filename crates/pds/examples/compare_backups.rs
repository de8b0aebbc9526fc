//! The differences of two backups, read from their files.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use pds::Snapshot;
use pds::car::CarFile;

fn open(name: &str) -> Result<Snapshot, Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let car = CarFile::open(File::open(path)?)?;
    let root = *car.roots().first().ok_or("the file names no commit")?;
    Ok(Snapshot::open(Arc::new(car), root)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (before, after) = (open("sample-earlier.car")?, open("sample.car")?);
    let mut counts = [0; 3];
    for change in before.diff(&after) {
        let change = change?;
        let (sign, count) = match (change.before, change.after) {
            (None, _) => ('+', 0),
            (_, None) => ('-', 2),
            _ => ('~', 1),
        };
        counts[count] += 1;
        println!("{sign} {}", change.path);
    }
    let [added, changed, deleted] = counts;
    assert_eq!((added, changed, deleted), (8, 2, 1));
    println!("{added} added, {changed} changed, {deleted} deleted");
    Ok(())
}
