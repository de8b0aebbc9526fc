//! Bare SQLite: what the disk and the table cost when nothing is checked, hashed or signed.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, bail};
use pds::data::{Block, Cid, Codec};
use rusqlite::{Connection, OpenFlags, params};

use crate::data::Data;
use crate::files::copy_synced;
use crate::generate;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome};
use crate::threads;
use crate::work::Work;
use crate::work::{APPLIED, COMMIT, GETS, PARALLEL_GETS, PUTS};

pub(crate) fn case(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    match work {
        Work::Import => import(records, data, IN_WAL, SETTLED_WAL),
        Work::Put => put(records, data),
        Work::ApplyAscending | Work::ApplyRandom => apply(records, data),
        Work::GetFromDisk => select(records, data),
        Work::GetByOneThread | Work::GetByTwoThreads | Work::GetByEightThreads => {
            select_in_threads(records, data, work.threads())
        }
        _ => bail!("SQLite does not do this work"),
    }
}

/// The least that SQLite can do: as the store fills a new file, with no journal on the disk.
pub(crate) fn bulk(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    match work {
        Work::Import => import(records, data, UNJOURNALED, SETTLED),
        _ => bail!("SQLite does not do this work in bulk"),
    }
}

/// Makes a file with these blocks for reading.
pub(crate) fn make(path: &Path, sorted: &[Block]) -> Result<()> {
    fill(path, sorted, UNJOURNALED, SETTLED)
}

/// All in one transaction, durable at the end.
fn fill(path: &Path, sorted: &[Block], journal: &str, settled: &str) -> Result<()> {
    let mut connection = create(path, journal)?;
    insert(&mut connection, sorted)?;
    connection.execute_batch(settled)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(File::open(path)?.sync_all()?)
}

fn import(records: usize, data: &Data, journal: &str, settled: &str) -> Result<Outcome> {
    let blocks = Loaded::read(&data.streamable(records))?.sorted_blocks();
    let dir = data.scratch()?;
    let path = dir.path().join("rows.sqlite");
    let meter = Meter::start()?;
    fill(&path, &blocks, journal, settled)?;
    Ok(meter.stop(records)?.written(path.metadata()?.len()))
}

/// One row a commit, each durable when it is acknowledged.
fn put(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let mut connection = open_copy(records, data, dir.path())?;
    let blocks: Vec<Block> = new_blocks(PUTS);
    let meter = Meter::start()?;
    for block in &blocks {
        insert(&mut connection, std::slice::from_ref(block))?;
    }
    meter.stop(PUTS)
}

/// The same number of rows in the same number of commits.
fn apply(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let mut connection = open_copy(records, data, dir.path())?;
    let mut blocks = new_blocks(APPLIED);
    let meter = Meter::start()?;
    for commit in blocks.chunks_mut(COMMIT) {
        commit.sort_unstable_by_key(Block::cid);
        insert(&mut connection, commit)?;
    }
    meter.stop(APPLIED)
}

fn select(records: usize, data: &Data) -> Result<Outcome> {
    let cids = sample_cids(records, data, GETS)?;
    let connection = open_mapped(&data.rows(records))?;
    let meter = Meter::start()?;
    let bytes = select_each(&connection, &cids)?;
    Ok(meter.stop(cids.len())?.checked(bytes))
}

/// Each thread has a connection of its own.
fn select_in_threads(records: usize, data: &Data, threads: usize) -> Result<Outcome> {
    let cids = sample_cids(records, data, PARALLEL_GETS)?;
    let path = data.rows(records);
    let connections: Vec<Connection> =
        (0..threads).map(|_| open_mapped(&path)).collect::<Result<_>>()?;
    let meter = Meter::start()?;
    let bytes =
        threads::read(&cids, connections, |connection, cids| select_each(&connection, cids))?;
    Ok(meter.stop(cids.len())?.checked(bytes))
}

fn sample_cids(records: usize, data: &Data, count: usize) -> Result<Vec<Cid>> {
    let loaded = Loaded::read(&data.streamable(records))?;
    Ok(loaded.sample(count).map(|(_, cid)| cid).collect())
}

fn select_each(connection: &Connection, cids: &[Cid]) -> Result<usize> {
    let mut statement = connection.prepare("SELECT bytes FROM blocks WHERE cid = ?1")?;
    let mut bytes = 0;
    for cid in cids {
        let row: Vec<u8> = statement.query_row([cid.as_bytes()], |row| row.get(0))?;
        bytes += row.len();
    }
    Ok(bytes)
}

/// Opens a file for reading through a map.
fn open_mapped(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -8192;")?;
    Ok(connection)
}

fn new_blocks(count: usize) -> Vec<Block> {
    generate::new_records().take(count).map(|(_, bytes)| Block::new(Codec::Cbor, bytes)).collect()
}

/// A table of the shape that the store has.
fn create(path: &Path, journal: &str) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = 8192; PRAGMA cache_size = -8192; {journal}
         CREATE TABLE blocks (cid BLOB PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT;"
    ))?;
    Ok(connection)
}

fn open_copy(records: usize, data: &Data, dir: &Path) -> Result<Connection> {
    let path = dir.join("rows.sqlite");
    copy_synced(&data.rows(records), &path)?;
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;",
    )?;
    Ok(connection)
}

fn insert(connection: &mut Connection, blocks: &[Block]) -> Result<()> {
    let transaction = connection.transaction()?;
    let mut statement =
        transaction.prepare_cached("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)")?;
    for block in blocks {
        statement.execute(params![block.cid().as_bytes(), block.bytes()])?;
    }
    drop(statement);
    Ok(transaction.commit()?)
}

/// What a durable file is usually written with; at the end everything is moved into the file.
const IN_WAL: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
const SETTLED_WAL: &str = "PRAGMA wal_checkpoint(TRUNCATE);";

/// For a file that is worth nothing until it is complete.
const UNJOURNALED: &str = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;";
const SETTLED: &str = "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;";
