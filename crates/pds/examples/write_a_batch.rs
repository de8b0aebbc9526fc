//! Many writes in one signed commit, or none of them.
#![allow(clippy::print_stdout)]

use pds::store::Expect;
use pds::{Batch, Repo, Value, Write, WriteOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;
    let note = |text: &str| Value::from([("text", Value::from(text))]);
    let writes = [
        Write::create("com.example.note/a".parse()?, note("one")),
        Write::create("com.example.note/b".parse()?, note("two")),
        // A key is made from the time.
        Write::add("com.example.note".parse()?, note("three")),
    ];
    let written = repo.write(Batch::new(&writes))?;
    for change in &written.changes {
        println!("{}", change.path);
    }

    // All writes of a batch fail together: `a` is there already.
    let again = [
        Write::delete("com.example.note/b".parse()?),
        Write::put("com.example.note/a".parse()?, note("x")).expecting(Expect::Absent),
    ];
    let options = WriteOptions::default().message("never seen".to_owned());
    assert!(repo.write(Batch::new(&again).with(options)).is_err());
    assert!(repo.find(&"com.example.note/b".parse()?)?.is_some());
    Ok(())
}
