//! Bare SQLite with the rows that a put leaves: what is left if all else took no time.

use std::fs;

use anyhow::{Context, Result, bail};
use pds::crypto::Signer;
use pds::data::{Block, Cid};
use pds::{Repo, Write};
use rusqlite::{Connection, params};

use crate::data::Data;
use crate::generate;
use crate::meter::{Meter, Outcome};
use crate::work::{PUTS, Work};

/// Which of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// The ref and the row of the log: a commit that brings no blocks.
    Moves,
}

/// A put as it is on the disk.
struct Put {
    before: Cid,
    /// The commit is the last.
    blocks: Vec<Block>,
}

pub(crate) fn case(work: Work, records: usize, data: &Data, part: Part) -> Result<Outcome> {
    if work != Work::Put {
        bail!("only puts are looked at row by row");
    }
    let dir = data.scratch()?;
    let [ours, bare] = ["ours", "bare"].map(|name| dir.path().join(name));
    fs::create_dir(&ours)?;
    fs::create_dir(&bare)?;
    let puts = puts(&Repo::open(&data.copy_of_repo(records, &ours)?)?)?;
    let file = data.copy_of_repo(records, &bare)?.join("pds.db");
    let mut connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;")?;
    let meter = Meter::start()?;
    for put in &puts {
        write(&mut connection, put, part)?;
    }
    meter.stop(puts.len())
}

/// What this library writes for them.
fn puts(repo: &Repo) -> Result<Vec<Put>> {
    let key = generate::key()?;
    let mut puts = Vec::with_capacity(PUTS);
    for (path, bytes) in generate::new_records().take(PUTS) {
        let before = repo.head()?.context("there is no commit")?;
        let draft = repo.draft(&[Write::put_bytes(path.parse()?, bytes)])?;
        let mut blocks = draft.blocks().to_vec();
        let signature = key.sign(&draft.commit().signing_bytes())?;
        blocks.push(repo.commit(draft, signature)?.block().clone());
        puts.push(Put { before, blocks });
    }
    Ok(puts)
}

fn write(connection: &mut Connection, put: &Put, part: Part) -> Result<()> {
    let commit = put.blocks.last().context("a put has a commit")?.cid();
    let transaction = connection.transaction()?;
    let mut insert =
        transaction.prepare_cached("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)")?;
    for block in put.blocks.iter().filter(|_| part == Part::All) {
        insert.execute(params![block.cid().as_bytes(), block.bytes()])?;
    }
    drop(insert);
    let (before, after) = (put.before.to_string(), commit.to_string());
    // Checksums are numbers like others here.
    let start = i64::from_be_bytes(*commit.as_bytes().last_chunk().context("a CID has a digest")?);
    transaction
        .prepare_cached("UPDATE refs SET cid = ?1, seq = seq + 1, sum = ?2 WHERE name = 'HEAD'")?
        .execute(params![after, start])?;
    transaction
        .prepare_cached(
            "INSERT INTO log (ref, before, after, at_micros, event, message, start, sum)
             VALUES ('HEAD', ?1, ?2, 0, 'write', 'put', ?3, ?3)",
        )?
        .execute(params![before, after, start])?;
    Ok(transaction.commit()?)
}
