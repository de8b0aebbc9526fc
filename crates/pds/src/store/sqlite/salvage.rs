//! What can be read of a file that SQLite itself finds damaged.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::errors::store_error;
use super::mend::{belongs, raw};
use super::places::{Tail, lost_by_index};
use super::schema::{self, Durability, Layout, PAGE_BYTES};
use super::{SqliteStore, cid_at};
use crate::store::StoreError;

/// What a [`salvage`](SqliteStore::salvage) has saved.
///
/// ```
/// use pds::store::SqliteStore;
///
/// let dir = tempfile::tempdir()?;
/// let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let to = dir.path().join("copy.db");
/// let salvaged = SqliteStore::salvage(&dir.path().join("r/pds.db"), &to)?;
/// assert_eq!((salvaged.blocks, salvaged.refs, salvaged.is_all), (2, 1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// How many blocks, sound or damaged.
    pub blocks: u64,
    /// How many of them are what their name says.
    pub sound: u64,
    /// How many refs.
    pub refs: u64,
    /// How many rows of the log.
    pub moves: u64,
    /// Whether every table could be read from its start to its end.
    pub is_all: bool,
}

impl SqliteStore {
    /// Asks SQLite about the whole file, and returns what it finds wrong; nothing when all is well.
    ///
    /// This is about the form of the file and about its index, not about what stands in it. It reads all
    /// of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be read, or is the store of a later release.
    pub fn check_file(path: &Path) -> Result<Vec<String>, StoreError> {
        let checked = schema::open_for_reading(path).and_then(|(connection, layout)| {
            let pragma = format!("PRAGMA integrity_check({MAX_PROBLEMS})");
            let mut statement = connection.prepare(&pragma).map_err(store_error)?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0));
            let rows: Result<Vec<String>, _> = rows.map_err(store_error)?.collect();
            let said = rows.map_err(store_error)?;
            if said == ["ok"] && layout == Layout::Two {
                let lost = lost_by_index(&connection)?;
                if lost > 0 {
                    return Ok(vec![format!("the index does not know {lost} blocks")]);
                }
            }
            Ok(said)
        });
        match checked {
            Ok(said) if said == ["ok"] => Ok(Vec::new()),
            Ok(said) => Ok(said),
            Err(StoreError::Damaged(error)) => Ok(vec![error.to_string()]),
            Err(StoreError::NotAStore(said)) if path.is_file() => Ok(vec![said]),
            Err(error) => Err(error),
        }
    }

    /// Makes sure that nobody else has the file open, as far as SQLite can tell of a damaged one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when somebody has.
    pub fn check_alone(path: &Path) -> Result<(), StoreError> {
        // Set before anything is read, this mode takes the whole file or nothing.
        let alone = schema::open_unread(path)
            .and_then(|connection| connection.execute_batch(ALONE).map_err(store_error));
        match alone {
            Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => Ok(()),
            alone => alone,
        }
    }

    /// Copies all that can be read of a damaged store into a new file, which is durable then.
    ///
    /// Around pages that cannot be read the rows on both sides are taken. A first page that is damaged is
    /// made up for: it is the same in every store. A ref that cannot be read stands where the log says.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] when no block can be read, [`StoreError`] when the new file
    /// cannot be made. What was made of it stays.
    pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, StoreError> {
        let copy = tempfile::tempdir_in(to.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let (reader, _) = match schema::open_for_reading(from) {
            Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => {
                let path = copy.path().join("pds.db");
                with_a_new_first_page(from, &path)?;
                schema::open_for_reading(&path).map_err(|error| match error {
                    StoreError::Damaged(_) => StoreError::NotAStore(NOTHING_LEFT.to_owned()),
                    error => error,
                })?
            }
            opened => opened?,
        };
        let mut writer = schema::create(to, Durability::WhenSettled)?;
        let transaction = writer.transaction().map_err(store_error)?;
        let salvaged = copy_tables(&reader, &transaction)?;
        if salvaged.sound == 0 {
            return Err(StoreError::NotAStore(NOTHING_LEFT.to_owned()));
        }
        transaction.commit().map_err(store_error)?;
        schema::settle(writer, to)?;
        Ok(salvaged)
    }
}

fn copy_tables(from: &Connection, to: &Transaction<'_>) -> Result<Salvaged, StoreError> {
    let run = |sql: &str, row: &[&dyn rusqlite::ToSql]| {
        let done = to.prepare_cached(sql).and_then(|mut statement| statement.execute(row));
        done.map(|rows| rows as u64).map_err(store_error)
    };
    let mut saved = Salvaged { is_all: true, ..Salvaged::default() };
    to.execute_batch("CREATE UNIQUE INDEX names ON blocks (cid)").map_err(store_error)?;
    saved.is_all &= each_row(from, "blocks", "cid, bytes", &mut |row| {
        let [name, bytes] = [1, 2].map(|column| row.get_ref(column));
        let (name, bytes) = (raw(name.map_err(store_error)?), raw(bytes.map_err(store_error)?));
        // Of two rows of one name the sound one counts; the old file keeps both.
        let is_sound = belongs(name, bytes);
        saved.sound += u64::from(is_sound);
        let conflict = if is_sound { "UPDATE SET bytes = ?2" } else { "NOTHING" };
        let sql =
            format!("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2) ON CONFLICT DO {conflict}");
        saved.blocks += run(&sql, &[&name, &bytes])?;
        Ok(())
    })?;
    // What is no text or no CID any more is left out.
    saved.is_all &= each_row(from, "refs", "name, cid", &mut |row| {
        if let (Ok(name), Ok(cid)) = (row.get::<_, String>(1), cid_at(row, 2)) {
            let sql = "INSERT INTO refs VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            saved.refs += run(sql, &[&name, &cid.as_bytes().as_slice()])?;
        }
        Ok(())
    })?;
    let columns = "name, before, after, at_micros, note";
    saved.is_all &= each_row(from, "log", columns, &mut |row| {
        let seq: i64 = row.get(0).map_err(store_error)?;
        if let (Ok(name), Ok(before), Ok(after), Ok(at), Ok(note)) = (
            row.get::<_, String>(1),
            row.get::<_, Option<Vec<u8>>>(2),
            row.get::<_, Option<Vec<u8>>>(3),
            row.get::<_, i64>(4),
            row.get::<_, String>(5),
        ) {
            let sql = "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            saved.moves += run(sql, &[&seq, &name, &before, &after, &at, &note])?;
        }
        Ok(())
    })?;
    saved.is_all &= each_row(from, "meta", "key, value", &mut |row| {
        if let (Ok(key), Ok(value)) = (row.get::<_, String>(1), row.get::<_, String>(2)) {
            let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
            run(sql, &[&key, &value])?;
        }
        Ok(())
    })?;
    saved.refs += run(REFS_OF_THE_LOG, params![])?;
    to.execute_batch("DROP INDEX names").map_err(store_error)?;
    Tail::default().index_anew(to)?;
    Ok(saved)
}

/// Shows the rows of a table, also those behind pages that cannot be read; tells whether there were none
/// such.
fn each_row(
    from: &Connection,
    table: &str,
    columns: &str,
    visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT rowid, {columns} FROM {table} NOT INDEXED WHERE rowid >= ?1 ORDER BY rowid"
    );
    let probe = format!("SELECT rowid FROM {table} NOT INDEXED WHERE rowid >= ?1 LIMIT 1");
    let readable = |row: i64| {
        let found = from.prepare_cached(&probe).and_then(|mut statement| {
            statement.query_row([row], |row| row.get::<_, i64>(0)).optional()
        });
        is_damage(found)
    };
    let (mut start, mut is_all) = (i64::MIN, true);
    loop {
        let Some(mut statement) = is_damage(from.prepare_cached(&sql))? else {
            return Ok(false);
        };
        let mut rows = statement.query([start]).map_err(store_error)?;
        loop {
            match is_damage(rows.next())? {
                Some(Some(row)) => {
                    start = row.get::<_, i64>(0).map_err(store_error)?.saturating_add(1);
                    visit(row)?;
                }
                Some(None) => return Ok(is_all),
                None => break,
            }
        }
        is_all = false;
        match next_readable(start.max(0), &readable)? {
            Some(next) => start = next,
            None => return Ok(false),
        }
    }
}

/// Finds the first row after a place that can be read: each of the next ones is tried, as many as a
/// page has at most, and then in strides that double.
fn next_readable(
    from: i64,
    readable: &dyn Fn(i64) -> Result<Option<Option<i64>>, StoreError>,
) -> Result<Option<i64>, StoreError> {
    let mut step = 1_i64;
    while let Some(row) = from.checked_add(step) {
        if readable(row)?.is_some() {
            let mut unreadable = if step <= TRIED_ROWS { row - 1 } else { from + step / 2 };
            let mut found = row;
            while found - unreadable > 1 {
                let middle = unreadable + (found - unreadable) / 2;
                match readable(middle)? {
                    Some(_) => found = middle,
                    None => unreadable = middle,
                }
            }
            return Ok(Some(found));
        }
        step = if step < TRIED_ROWS { step + 1 } else { step.saturating_mul(2) };
        if step == i64::MAX {
            break;
        }
    }
    Ok(None)
}

/// Makes nothing of what cannot be read because it is damaged.
fn is_damage<T>(read: rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
    match read.map_err(store_error) {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies a file with the first page of a new store in the place of its own. It holds the schema and
/// where each table starts, which is the same in all of them.
fn with_a_new_first_page(from: &Path, to: &Path) -> Result<(), StoreError> {
    let pages = |path: &Path| fs::metadata(path).map(|file| file.len() / u64::from(PAGE_BYTES));
    let fresh = to.with_extension("fresh");
    let connection = schema::create(&fresh, Durability::WhenSettled)?;
    schema::settle(connection, &fresh)?;
    let mut first = fs::read(&fresh).map_err(failed)?;
    first.truncate(PAGE_BYTES as usize);
    fs::copy(from, to).map_err(failed)?;
    let [wal, wal_copy] = [from, to].map(|path| {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        wal
    });
    if Path::new(&wal).exists() {
        fs::copy(wal, wal_copy).map_err(failed)?;
    }
    // How many pages there are, and no free ones: those are read by nobody here.
    let count = u32::try_from(pages(to).map_err(failed)?).unwrap_or(u32::MAX);
    for (at, number) in [(28, count), (32, 0), (36, 0)] {
        if let Some(field) = first.get_mut(at..at + 4) {
            field.copy_from_slice(&number.to_be_bytes());
        }
    }
    let mut file = fs::OpenOptions::new().write(true).open(to).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&first)).map_err(failed)
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}

const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK;";

const NOTHING_LEFT: &str = "no block in it can be read";

/// A ref that is gone stands where its last move took it.
const REFS_OF_THE_LOG: &str = "
    INSERT INTO refs
    SELECT name, after FROM log AS last
    WHERE seq = (SELECT max(seq) FROM log WHERE name = last.name)
      AND after IS NOT NULL AND length(after) = 36
    ON CONFLICT DO NOTHING
";

/// More than any page has.
const TRIED_ROWS: i64 = 512;

/// How many problems are named; one is enough to act.
const MAX_PROBLEMS: u32 = 20;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::{Block, Blocks, Cid, Codec};
    use crate::store::{Expect, RefEdit, RefName, Store};

    /// A store with blocks of many sizes, and its file.
    fn store(dir: &Path) -> (SqliteStore, Vec<Block>) {
        let store = SqliteStore::create(&dir.join("pds.db")).unwrap();
        let sizes = [10, 900, 30_000, 5, 4_000, 60];
        let block = |(n, len): (u8, &usize)| Block::new(Codec::Raw, vec![n; *len]);
        let blocks: Vec<Block> = (0..60).zip(sizes.iter().cycle()).map(block).collect();
        let target = Some(blocks[0].cid());
        for name in ["HEAD", "side"] {
            let edit = RefEdit { name: name.parse().unwrap(), target, expect: Expect::Any };
            store.apply(&mut blocks.iter().cloned().map(Ok), &[edit], "test").unwrap();
        }
        store.set_meta("did", Some("did:web:example.com")).unwrap();
        (store, blocks)
    }

    #[test]
    fn a_page_that_is_gone_costs_what_stood_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let (store, blocks) = store(dir.path());
        drop(store);
        assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
        let whole = fs::read(&path).unwrap();
        let page_bytes = PAGE_BYTES as usize;
        let (mut worst, mut empty) = (blocks.len(), 0);
        for page in 0..whole.len() / page_bytes {
            let mut file = whole.clone();
            file[page * page_bytes..][..page_bytes].fill(0);
            fs::write(&path, file).unwrap();
            let is_noticed = !SqliteStore::check_file(&path).unwrap().is_empty();
            let to = dir.path().join(format!("{page}.db"));
            let Ok(saved) = SqliteStore::salvage(&path, &to) else {
                empty += 1;
                continue;
            };
            assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{page}");
            let salvaged = SqliteStore::open(&to).unwrap();
            let found = blocks.iter().filter(|b| matches!(salvaged.get(&b.cid()), Ok(Some(_))));
            let found = found.count();
            worst = worst.min(found);
            // A page in the middle of a block is none of SQLite's business, and the hash tells.
            assert!(is_noticed || found == blocks.len() - 1, "{page}");
            // A ref is in its table or follows from the log.
            let refs = salvaged.refs().unwrap();
            let head: Option<Cid> = refs.get(&RefName::head());
            assert_eq!((head, saved.refs), (Some(blocks[0].cid()), 2), "{page}");
        }
        assert_eq!(empty, 1, "the page where the table starts");
        assert!(worst >= blocks.len() / 2, "{worst} of {}", blocks.len());
    }

    #[test]
    fn a_store_that_somebody_has_open_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let (store, _) = store(dir.path());
        assert!(matches!(SqliteStore::check_alone(&path), Err(StoreError::Busy)));
        drop(store);
        SqliteStore::check_alone(&path).unwrap();
        drop(SqliteStore::open(&path).unwrap());
    }
}
