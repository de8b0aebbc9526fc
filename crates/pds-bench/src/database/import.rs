//! The import of a CAR file.

use std::fs::File;

use anyhow::{Result, ensure};
use pds::Jobs;
use pds::local::directory::clone_file;

use crate::data::Data;
use crate::database::accounts::{create, import, new_did, open, root, rows};
use crate::database::bare::{Bare, check_rows};
use crate::database::clock::Clock;
use crate::database::goal::Round;
use crate::database::server::Server;
use crate::generate;

/// Imports a repository into an empty account. Returns the number of its blocks as well.
pub(crate) fn whole_repository(server: &Server, data: &Data) -> Result<(Round, usize)> {
    let (rows, _, expected) = rows(RECORDS, &[], data)?;
    let blocks = rows.batches.iter().map(|(cids, _)| cids.len()).sum();
    let (ours, bare) = (new_did()?, new_did()?);
    let repo = create(server.port, &ours)?;
    create(server.port, &bare)?;
    let mut statements = Bare::open(server, &bare)?;
    let dir = data.scratch()?;
    let key = generate::key()?.public_key();
    let clock = Clock::of(server)?;
    let (store, ()) = clock.measure(|| import(&repo, RECORDS, data))?;
    let (anchor, ()) = clock.measure(|| statements.import(&rows))?;
    let (sqlite, (file, _)) = clock.measure(|| {
        let car = File::open(data.streamable(RECORDS))?;
        Ok(clone_file(dir.path().join("repo"), car, Some(&key), Jobs::default())?)
    })?;

    let repo = open(server.port, &ours)?;
    ensure!(root(&repo)? == expected && root(&file)? == expected, "the roots differ");
    let stored = check_rows(server, [&ours, &bare])?;
    ensure!(stored == blocks, "{stored} of {blocks} blocks are stored");
    Ok((Round { store, anchor, sqlite }, blocks))
}

/// The records of a repository with some 100,000 blocks.
pub(crate) const RECORDS: usize = 77_000;
