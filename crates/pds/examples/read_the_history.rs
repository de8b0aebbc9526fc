//! The commits of a repository with their changes, and the undoing of one.
#![allow(clippy::print_stdout)]

use std::ops::ControlFlow;

use pds::store::LogQuery;
use pds::{Repo, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;
    for text in ["first", "second"] {
        let note = Value::from([("text", Value::from(text))]);
        repo.put(&"com.example.note/a".parse()?, &note)?;
    }
    repo.merge().revert(repo.head()?.ok_or("there are commits")?)?;
    let text = |at: &str| -> Result<String, Box<dyn std::error::Error>> {
        let record = repo.checkout(&at.parse()?)?.find(&"com.example.note/a".parse()?)?;
        Ok(record.ok_or("it is there")?.value()?.to_json())
    };
    assert_eq!(text("HEAD")?, text("HEAD~2")?);

    let mut each = |entry: pds::store::LogEntry| {
        let after = entry.after.map_or_else(String::new, |commit| commit.to_string());
        println!("{} {} {after}", entry.name, entry.event);
        ControlFlow::Continue(())
    };
    repo.store().view()?.log(&LogQuery::newest_first(), &mut each)?;
    Ok(())
}
