//! Puts on one account.

use anyhow::{Result, ensure};
use pds::Repo;

use crate::data::Data;
use crate::database::accounts::{PATHS, create_filled, new_did, open, put, puts, root, rows};
use crate::database::bare::{Bare, check_rows};
use crate::database::clock::Clock;
use crate::database::goal::Round;
use crate::database::proxy::Proxy;
use crate::database::server::Server;
use crate::generate;

/// Puts records of one account. The subjects take turns after every few puts. Returns the most
/// round trips of a put as well.
pub(crate) fn one_account(server: &Server, near: &Proxy, data: &Data) -> Result<(Round, u64)> {
    let puts = puts(RECORDS, PUTS)?;
    let (_, rows, expected) = rows(RECORDS, &puts, data)?;
    let (ours, bare) = (new_did()?, new_did()?);
    create_filled(server.port, &bare, RECORDS, data)?;
    let repo = create_filled(server.port, &ours, RECORDS, data)?;
    let mut statement = Bare::open(server, &bare)?;
    let dir = data.scratch()?;
    let file = Repo::open(data.copy_of_repo(RECORDS, dir.path())?)?.signing_with(generate::key()?);

    let (first, timed) = puts.split_at(PATHS);
    let (first_rows, timed_rows) = rows.split_at(PATHS);
    put(&repo, first)?;
    put(&file, first)?;
    first_rows.iter().try_for_each(|rows| statement.put(rows))?;
    let (mut found, clock) = (Round::default(), Clock::of(server)?);
    for (puts, rows) in timed.chunks(TURN).zip(timed_rows.chunks(TURN)) {
        found.store += clock.measure(|| put(&repo, puts))?.0;
        let bare = || rows.iter().try_for_each(|rows| statement.put(rows));
        found.anchor += clock.measure(bare)?.0;
        found.sqlite += clock.measure(|| put(&file, puts))?.0;
    }

    let repo = open(near.port, &ours)?;
    ensure!(root(&repo)? == expected && root(&file)? == expected, "the roots differ");
    check_rows(server, [&ours, &bare])?;
    put(&repo, first)?;
    let mut most = 0;
    for one in timed[..2 * PATHS].chunks(1) {
        let before = near.trips();
        put(&repo, one)?;
        most = most.max(near.trips() - before);
    }
    Ok((found, most))
}

/// The records of the account.
pub(crate) const RECORDS: usize = 30_000;
/// The number of measured puts.
pub(crate) const PUTS: usize = 1_000;
/// The number of puts after which the next subject has its turn.
const TURN: usize = 20;
