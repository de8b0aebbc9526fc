//! A first look: starts a temporary PostgreSQL, keeps a repository in it, and removes it again.
//!
//! `cargo run -p atpds-postgres --example first_look`
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, dead_code)]

use std::sync::Arc;
use std::time::Instant;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Value;
use pds::syntax::{Did, RecordPath};
use pds::{Expected, Repo, Write};
use pds_postgres::store::PostgresStore;

#[path = "../tests/postgres/server.rs"]
mod server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(server) = server::Server::start(&[]) else {
        println!("Install PostgreSQL (on Debian: apt-get install postgresql) and try again.");
        return Ok(());
    };
    let address = server.database();
    println!("A temporary server runs at {address}");

    let did: Did = "did:web:alice.example.com".parse()?;
    let store = Arc::new(PostgresStore::create(&address, &did)?);
    let repo = Repo::with(store, Arc::new(MemoryBlobs::default()));
    let repo = repo.signing_with(SigningKey::generate(Curve::K256)?);
    repo.init(&did)?;
    println!("It has a repository of {did}");

    let note = |n: u32| -> Result<(RecordPath, Value), Box<dyn std::error::Error>> {
        let path = format!("com.example.note/n{n:04}").parse()?;
        Ok((path, Value::from([("text", Value::from(format!("note {n}")))])))
    };
    let start = Instant::now();
    for n in 0..100 {
        let (path, value) = note(n)?;
        repo.put(&path, &value)?;
    }
    println!("100 puts, each a signed and synced commit: {:.0?}", start.elapsed());
    let writes: Result<Vec<Write>, _> =
        (100..5_000).map(|n| note(n).map(|(path, value)| Write::put(path, value))).collect();
    let start = Instant::now();
    repo.write(&writes?)?;
    println!("4,900 records in one commit: {:.0?}", start.elapsed());

    // Any process can open the account.
    let again = Arc::new(PostgresStore::open(&address, &did)?);
    let again = Repo::with(again, Arc::new(MemoryBlobs::default()));
    let start = Instant::now();
    let mut findings = 0;
    let report = again.verify().present(&Expected::default(), &mut |_| findings += 1)?;
    println!("verify: ok = {}, {findings} findings, {:.0?}", report.is_ok(), start.elapsed());

    let mut file = Vec::new();
    let head = again.head()?.ok_or("HEAD exists")?;
    again.transfer().export(&head.into(), &mut file)?;
    println!("export: a CAR file of {} bytes with the root {head}", file.len());
    println!("The log, newest first:");
    for row in again.history().log(3)? {
        println!("  {} {} {}", row.seq, row.name, row.event);
    }
    for did in PostgresStore::accounts(&address)? {
        println!("The database has the account {did}");
    }
    println!("The server and its data are removed now.");
    Ok(())
}
