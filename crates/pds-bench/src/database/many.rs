//! Puts on many accounts at the same time, a thread and a store for each.

use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use pds::Repo;
use pds::syntax::Did;

use crate::data::Data;
use crate::database::accounts::{PATHS, create_filled, new_did, open, put, puts, root, rows};
use crate::database::bare::{Bare, check_rows};
use crate::database::clock::{Clock, Spent};
use crate::database::goal::Round;
use crate::database::server::Server;
use crate::generate;

/// Puts the same records on each account.
pub(crate) fn accounts(server: &Server, data: &Data) -> Result<Round> {
    let puts = puts(RECORDS, PUTS_EACH)?;
    let (_, rows, expected) = rows(RECORDS, &puts, data)?;
    let dids = (0..2 * ACCOUNTS).map(|_| new_did()).collect::<Result<Vec<Did>>>()?;
    let (ours, bare) = dids.split_at(ACCOUNTS);
    let create = |did| create_filled(server.port, did, RECORDS, data);
    let mut repos = ours.iter().map(create).collect::<Result<Vec<Repo>>>()?;
    bare.iter().try_for_each(|did| create(did).map(drop))?;
    let statement = |did: &Did| Bare::open(server, did);
    let mut statements = bare.iter().map(statement).collect::<Result<Vec<Bare>>>()?;
    let dir = data.scratch()?;
    let file = |number: usize| {
        let dir = dir.path().join(number.to_string());
        std::fs::create_dir(&dir)?;
        Ok(Repo::open(data.copy_of_repo(RECORDS, &dir)?)?.signing_with(generate::key()?))
    };
    let mut files = (0..ACCOUNTS).map(file).collect::<Result<Vec<Repo>>>()?;

    let (mut found, clock) = (Round::default(), Clock::of(server)?);
    let write = |statement: &mut Bare, from: usize, to: usize| {
        rows[from..to].iter().try_for_each(|rows| statement.put(rows))
    };
    together(&clock, &mut repos, &|repo| put(repo, &puts[..PATHS]))?;
    together(&clock, &mut statements, &|statement| write(statement, 0, PATHS))?;
    together(&clock, &mut files, &|repo| put(repo, &puts[..PATHS]))?;
    for from in (PATHS..PATHS + PUTS_EACH).step_by(TURN) {
        let to = from + TURN;
        found.store += together(&clock, &mut repos, &|repo| put(repo, &puts[from..to]))?;
        found.anchor += together(&clock, &mut statements, &|statement| write(statement, from, to))?;
        found.sqlite += together(&clock, &mut files, &|repo| put(repo, &puts[from..to]))?;
    }

    for (did, file) in ours.iter().zip(&files) {
        let repo = open(server.port, did)?;
        ensure!(root(&repo)? == expected && root(file)? == expected, "the roots differ");
    }
    check_rows(server, &dids)?;
    Ok(found)
}

/// Runs some work for each subject in a thread of its own. Returns what it took from the common start
/// to the end of the last.
fn together<T: Send>(
    clock: &Clock,
    subjects: &mut [T],
    work: &(impl Fn(&mut T) -> Result<()> + Sync),
) -> Result<Spent> {
    let start = Barrier::new(subjects.len() + 1);
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let start = &start;
            threads.push(scope.spawn(move || {
                start.wait();
                work(subject)
            }));
        }
        let (spent, ()) = clock.measure(|| {
            start.wait();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended.into_iter().try_for_each(|end| end.map_err(|_| anyhow!("a thread panicked"))?)
        })?;
        Ok(spent)
    })
}

/// The number of accounts, threads and connections.
pub(crate) const ACCOUNTS: usize = 32;
/// The records of each account.
pub(crate) const RECORDS: usize = 1_000;
/// The number of measured puts on each account.
pub(crate) const PUTS_EACH: usize = 80;
/// The number of puts on each account after which the next subject has its turn.
const TURN: usize = 20;
