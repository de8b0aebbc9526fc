//! A repository under tokio: the library blocks, so each call runs on a thread for blocking work.
#![allow(clippy::print_stdout)]

use pds::{Repo, Value};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let repo = Repo::create(dir.path().join("alice"), &"did:web:alice.example.com".parse()?)?;

    // A handle is cheap to clone, and all clones share the caches.
    let writers = (0..4).map(|n| {
        let repo = repo.clone();
        tokio::task::spawn_blocking(move || {
            let note = Value::from([("text", Value::from(format!("note {n}")))]);
            repo.put(&format!("com.example.note/{n}").parse().expect("it is a path"), &note)
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }

    // A long answer is sent record by record: the channel is bounded, so a slow reader stops the walk.
    let (sender, mut records) = tokio::sync::mpsc::channel(16);
    let walk = tokio::task::spawn_blocking(move || -> pds::Result<()> {
        for entry in repo.snapshot()?.records() {
            if sender.blocking_send(entry?.path.to_string()).is_err() {
                break;
            }
        }
        Ok(())
    });
    let mut paths = Vec::new();
    while let Some(path) = records.recv().await {
        paths.push(path);
    }
    walk.await??;
    assert_eq!(paths.len(), 4);
    println!("{}", paths.join(" "));
    Ok(())
}
