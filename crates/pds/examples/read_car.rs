//! The records of a CAR file, without a repository on disk.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use pds::Snapshot;
use pds::car::CarFile;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let car = CarFile::open(File::open(data.join("sample.car"))?)?;
    let root = *car.roots().first().ok_or("the file names no commit")?;
    let snapshot = Snapshot::open(Arc::new(car), root)?;
    let rev = snapshot.commit().rev().ok_or("the commit has no valid rev")?;
    println!("{} at {rev}", snapshot.commit().did());
    for (collection, count) in snapshot.collections()? {
        println!("{count:>6}  {collection}");
    }
    let profile = snapshot.find(&"app.bsky.actor.profile/self".parse()?)?.ok_or("no profile")?;
    println!("{}", profile.value()?.to_json_pretty());
    Ok(())
}
