//! Reads of a whole repository, with and without latency.

use std::fs;
use std::io::Write;

use anyhow::{Result, ensure};
use pds::syntax::{Did, Nsid};
use pds::{Expected, Repo, Revision};

use crate::data::Data;
use crate::database::accounts::open;
use crate::database::clock::Clock;
use crate::database::goal::Round;
use crate::database::proxy::Proxy;
use crate::meter::Seen;

/// The proxies with and without a delay.
pub(crate) struct Proxies {
    pub(crate) near: Proxy,
    pub(crate) far: Proxy,
}

/// A read of all records.
pub(crate) struct Read {
    pub(crate) name: &'static str,
    /// How often a round does it.
    pub(crate) times: usize,
    run: fn(&Repo) -> Result<Answer>,
}

/// The result of a read, which must be the same for all subjects.
#[derive(PartialEq, Eq)]
enum Answer {
    Text(String),
    File(Vec<u8>),
}

pub(crate) const READS: [Read; 3] = [
    Read { name: "verify", times: 5, run: verify },
    Read { name: "list", times: 10, run: list },
    Read { name: "export", times: 1, run: export },
];

impl Read {
    /// Runs the read several times, each time with empty caches. The anchor is the same without
    /// latency, and the subjects take turns. Returns the number of round trips of one time as well.
    pub(crate) fn run(
        &self,
        (clock, proxies): (&Clock, &Proxies),
        did: &Did,
        data: &Data,
    ) -> Result<(Round, u64)> {
        let (mut found, mut trips) = (Round::default(), 0);
        let expected = (self.run)(&open(proxies.near.port, did)?)?;
        if let Answer::File(bytes) = &expected {
            let car = fs::read(data.streamable(RECORDS))?;
            ensure!(*bytes == car, "the export differs from the imported file");
        }
        let timed = |repo: &Repo| {
            let (spent, answer) = clock.measure(|| (self.run)(repo))?;
            ensure!(answer == expected, "{}: the results differ", self.name);
            Ok(spent)
        };
        for _ in 0..self.times {
            let (near, far) = (open(proxies.near.port, did)?, open(proxies.far.port, did)?);
            found.anchor += timed(&near)?;
            let before = proxies.far.trips();
            found.store += timed(&far)?;
            trips = proxies.far.trips() - before;
            found.sqlite += timed(&Repo::open(data.repo(RECORDS))?)?;
        }
        Ok((found, trips))
    }
}

fn verify(repo: &Repo) -> Result<Answer> {
    let report = repo.verify().present(&Expected::default(), &mut |_| {})?;
    ensure!(report.is_ok() && report.records == RECORDS as u64, "verify has found errors");
    Ok(Answer::Text(format!("{:?}, {} nodes", report.signature, report.nodes)))
}

fn list(repo: &Repo) -> Result<Answer> {
    let mut seen = Seen::default();
    for collection in COLLECTIONS {
        let collection: Nsid = collection.parse()?;
        for entry in repo.list(&collection)? {
            seen.record(entry.path.to_string().as_bytes(), 0);
            seen.look_at(entry.cid.as_bytes());
        }
    }
    ensure!(seen.records == RECORDS, "the lists have {} records", seen.records);
    Ok(Answer::Text(seen.to_string()))
}

fn export(repo: &Repo) -> Result<Answer> {
    let mut file = Vec::new();
    repo.transfer().export(&Revision::head(), &mut file)?;
    file.flush()?;
    Ok(Answer::File(file))
}

const COLLECTIONS: [&str; 3] =
    ["app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.graph.follow"];

/// The records of the repository.
pub(crate) const RECORDS: usize = 30_000;
