//! Records as types of your own, through serde.
#![allow(clippy::print_stdout)]

use pds::syntax::RecordPath;
use pds::{Repo, Value};
use serde::{Deserialize, Serialize};

/// A post, with the fields that this program uses. Other fields of a record are ignored when it is read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    text: String,
    created_at: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    langs: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;
    let path: RecordPath = "app.bsky.feed.post/3jzfcijpj2z2a".parse()?;
    let post = Post {
        text: "hello".to_owned(),
        created_at: "2026-11-28T09:12:40.201Z".to_owned(),
        langs: vec!["en".to_owned()],
    };
    repo.put(&path, &Value::from_serialize(&post)?)?;

    let record = repo.find(&path)?.ok_or("it was just put")?;
    assert_eq!(record.deserialize::<Post>()?, post);
    println!("{}: {}", record.path, record.deserialize::<Post>()?.text);

    // A value that keeps every field, for edits that must lose none.
    let mut fields = record.value()?.as_map().ok_or("a record is a map")?.clone();
    fields.insert("text", "hello again");
    repo.put(&path, &Value::Map(fields))?;
    assert_eq!(repo.find(&path)?.ok_or("it is there")?.deserialize::<Post>()?.text, "hello again");
    Ok(())
}
