//! What can be read of a file that SQLite itself finds damaged.

mod refs;

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::check::{is_in_order, is_table_in_order};
use super::errors::store_error;
use super::mend::{belongs, raw};
use super::pages::Pages;
use super::places::Tail;
use super::schema::{self, Durability};
use super::{SqliteStore, cid_at, optional_cid_at, ref_name};
use crate::data::{Block, Cid};
use crate::store::{META_LOG_CUT, RefName, StoreError};

pub use self::refs::SalvagedRef;

/// What a [`salvage`](SqliteStore::salvage) has saved.
///
/// ```
/// use pds::store::SqliteStore;
///
/// let dir = tempfile::tempdir()?;
/// let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let to = dir.path().join("copy.db");
/// let salvaged = SqliteStore::salvage(&dir.path().join("r/pds.db"), &to, &|_, _| false)?;
/// assert_eq!((salvaged.blocks, salvaged.refs, salvaged.is_all), (2, 1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Whether these are certainly all refs there were.
    pub has_all_refs: bool,
    /// Whether these are certainly all rows of the log.
    pub has_all_moves: bool,
    /// Whether what is known of the repository as a whole is certainly all there.
    pub has_all_texts: bool,
    /// The refs that do not stand where a row of theirs says that was read, or that had none.
    pub moved: Vec<SalvagedRef>,
}

impl SqliteStore {
    /// Makes sure that nobody else has the file open, as far as SQLite can tell of a damaged one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when somebody has.
    pub fn check_alone(path: &Path) -> Result<(), StoreError> {
        // Of an empty file nobody reads anything, and SQLite would delete what stands beside it.
        if schema::is_empty(path) {
            return Ok(());
        }
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
    /// Around pages that cannot be read the rows on both sides are taken. Where that is not all, because the
    /// first page or one that leads to others is damaged, every page is looked at by itself.
    ///
    /// Refs that could be read from the first to the last stand as they are, whatever is left of the log.
    /// Otherwise all stand where a log says that is whole. Without one, a ref that is gone stays so, and
    /// another stands where its row says, unless what the log or another row names `is_later`: that tells
    /// whether the state at the one block is later than that at the other.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] when no block can be read, [`StoreError`] when the new file
    /// cannot be made. What was made of it stays.
    pub fn salvage(
        from: &Path,
        to: &Path,
        is_later: &dyn Fn(&Block, &Block) -> bool,
    ) -> Result<Salvaged, StoreError> {
        let reader = match schema::open_for_reading(from) {
            Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => None,
            opened => Some(opened?.connection),
        };
        let mut writer = schema::create(to, Durability::WhenSettled)?;
        let transaction = writer.transaction().map_err(store_error)?;
        transaction
            .execute_batch("CREATE UNIQUE INDEX names ON blocks (cid)")
            .map_err(store_error)?;
        let mut saved =
            Saved { to: &transaction, told: Salvaged::default(), others: BTreeSet::new() };
        if let Some(reader) = &reader {
            saved.tables(reader)?;
        }
        drop(reader);
        if !saved.told.is_all {
            let dir = to.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
            let copy = tempfile::tempdir_in(dir).map_err(failed)?;
            let pages = Pages::of(from, copy.path())?;
            pages.each_row(&mut |row| saved.row(row))?;
        }
        let salvaged = saved.finish(is_later)?;
        if salvaged.sound == 0 {
            return Err(StoreError::NotAStore(NOTHING_LEFT.to_owned()));
        }
        transaction.commit().map_err(store_error)?;
        schema::settle(writer, to)?;
        Ok(salvaged)
    }
}

/// What has been saved so far. Whoever came first counts, but for a sound block, which replaces a damaged one.
struct Saved<'a> {
    to: &'a Transaction<'a>,
    told: Salvaged,
    /// Where else refs stand, by rows that came later.
    others: BTreeSet<(RefName, Cid)>,
}

impl Saved<'_> {
    fn run(&self, sql: &str, row: &[&dyn rusqlite::ToSql]) -> Result<u64, StoreError> {
        let done = self.to.prepare_cached(sql).and_then(|mut statement| statement.execute(row));
        done.map(|rows| rows as u64).map_err(store_error)
    }

    /// Takes the rows of all tables, and notes which of these could be read whole.
    fn tables(&mut self, from: &Connection) -> Result<(), StoreError> {
        let mut are_whole = [true; TABLES.len()];
        for ((table, columns), is_whole) in TABLES.into_iter().zip(&mut are_whole) {
            let mut are_rows = true;
            let is_read = each_row(from, table, columns, &mut |row| {
                are_rows &= match table {
                    "blocks" => self.block(raw_at(row, 1)?, raw_at(row, 2)?)?,
                    "refs" => self.stands(row, 1)?,
                    "log" => self.moved(row, 1)?,
                    _ => self.text(row, 1)?,
                };
                Ok(())
            })?;
            *is_whole = is_read && are_rows;
        }
        // A page of another table in the place of one reads well, and hides what hung below it.
        self.told.is_all =
            are_whole == [true; TABLES.len()] && is_damage(is_in_order(from))? == Some(true);
        for ((table, _), is_whole) in TABLES.into_iter().zip(&mut are_whole) {
            *is_whole &= self.told.is_all
                || table != "blocks" && is_damage(is_table_in_order(from, table))? == Some(true);
        }
        let [_, refs, moves, texts] = are_whole;
        (self.told.has_all_refs, self.told.has_all_moves) = (refs, moves);
        self.told.has_all_texts = texts;
        Ok(())
    }

    /// Takes a row of some page: tables differ in what stands in them. A row of one that could be read whole
    /// stands where it is in use no more.
    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let mut kinds = [Type::Null; COLUMNS];
        for (column, kind) in kinds.iter_mut().enumerate() {
            *kind = row.get_ref(column + 1).map_err(store_error)?.data_type();
        }
        match kinds {
            // The number of a row stands beside it, and as nothing in its column.
            [Type::Null, Type::Blob, Type::Blob, Type::Null, Type::Null, Type::Null] => {
                self.block(raw_at(row, 2)?, raw_at(row, 3)?)?;
            }
            [Type::Blob, Type::Blob, Type::Null, Type::Null, Type::Null, Type::Null] => {
                self.block(raw_at(row, 1)?, raw_at(row, 2)?)?;
            }
            [Type::Null, Type::Text, _, _, Type::Integer, Type::Text] => {
                let known = self.told.moves;
                self.moved(row, 2)?;
                // Nothing tells how many rows there should be: this one was hidden.
                self.told.has_all_moves &= self.told.moves == known;
            }
            [Type::Text, Type::Text, Type::Null, Type::Null, Type::Null, Type::Null]
                if !self.told.has_all_texts =>
            {
                self.text(row, 1)?;
            }
            [Type::Text, Type::Blob, Type::Null, Type::Null, Type::Null, Type::Null]
                if !self.told.has_all_refs =>
            {
                self.stands(row, 1)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a block, whatever it is.
    fn block(&mut self, name: &[u8], bytes: &[u8]) -> Result<bool, StoreError> {
        let is_sound = belongs(name, bytes);
        // Of two rows of one name the sound one counts; the old file keeps both.
        let known = "SELECT bytes FROM blocks WHERE cid = ?1";
        let known = self.to.prepare_cached(known).and_then(|mut statement| {
            statement.query_row([name], |row| Ok(belongs(name, raw(row.get_ref(0)?)))).optional()
        });
        match known.map_err(store_error)? {
            Some(known_is_sound) if known_is_sound || !is_sound => return Ok(true),
            Some(_) => {
                self.run("UPDATE blocks SET bytes = ?2 WHERE cid = ?1", &[&name, &bytes])?;
            }
            None => {
                let sql = "INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)";
                self.told.blocks += self.run(sql, &[&name, &bytes])?;
            }
        }
        self.told.sound += u64::from(is_sound);
        Ok(true)
    }

    /// Takes a ref. What is no text or no CID any more is left out; here and below it is told whether it was.
    fn stands(&mut self, row: &Row<'_>, at: usize) -> Result<bool, StoreError> {
        let (Ok(name), Ok(cid)) = (row.get::<_, String>(at), cid_at(row, at + 1)) else {
            return Ok(false);
        };
        let Ok(name) = ref_name(&name) else { return Ok(false) };
        let sql = "INSERT INTO refs VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        match self.run(sql, &[&name.as_str(), &cid.as_bytes().as_slice()])? {
            0 => drop(self.others.insert((name, cid))),
            new => self.told.refs += new,
        }
        Ok(true)
    }

    fn moved(&mut self, row: &Row<'_>, at: usize) -> Result<bool, StoreError> {
        let seq: i64 = row.get(0).map_err(store_error)?;
        if let (Ok(name), Ok(before), Ok(after), Ok(micros), Ok(note)) = (
            row.get::<_, String>(at),
            optional_cid_at(row, at + 1),
            optional_cid_at(row, at + 2),
            row.get::<_, i64>(at + 3),
            row.get::<_, String>(at + 4),
        ) && ref_name(&name).is_ok()
        {
            let [before, after] = [before, after].map(|cid| cid.map(|cid| cid.as_bytes().to_vec()));
            let sql = "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            self.told.moves += self.run(sql, &[&seq, &name, &before, &after, &micros, &note])?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The last row of a log that was cut, as an earlier salvage has noted it.
    fn cut(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let text: Option<String> = self
            .to
            .query_row(sql, [META_LOG_CUT], |row| row.get(0))
            .optional()
            .map_err(store_error)?;
        Ok(text.and_then(|text| text.split(' ').next()?.parse().ok()))
    }

    fn text(&mut self, row: &Row<'_>, at: usize) -> Result<bool, StoreError> {
        let (Ok(key), Ok(value)) = (row.get::<_, String>(at), row.get::<_, String>(at + 1)) else {
            return Ok(false);
        };
        // How far the index goes is not for the new one.
        if key != "placed" {
            let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.run(sql, &[&key, &value])?;
        }
        Ok(true)
    }

    fn finish(mut self, is_later: &dyn Fn(&Block, &Block) -> bool) -> Result<Salvaged, StoreError> {
        // A log that an earlier salvage has cut reads well, and up to there is no more to be believed for that.
        let cut = self.cut()?;
        let right_after = self.told.has_all_moves.then(|| cut.unwrap_or(0));
        self.told.has_all_moves &= cut.is_none();
        let has_refs = self.told.has_all_refs;
        // Refs that were read whole are right, also where the log has lost what it said of them.
        if !has_refs {
            self.settle_refs(right_after, is_later)?;
        }
        match (right_after, cut) {
            (None, _) => {
                let refs = if has_refs { " refs" } else { "" };
                self.run(CUT_HERE, &[&META_LOG_CUT, &refs])?;
            }
            (Some(_), Some(cut)) if !has_refs => {
                let update = "UPDATE meta SET value = ?2 WHERE key = ?1";
                self.run(update, &[&META_LOG_CUT, &cut.to_string()])?;
            }
            (Some(_), _) => {}
        }
        self.to.execute_batch("DROP INDEX names").map_err(store_error)?;
        Tail::default().index_anew(self.to)?;
        Ok(self.told)
    }
}

fn raw_at<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    Ok(raw(row.get_ref(column).map_err(store_error)?))
}

/// Shows the rows of a table, also those behind pages that cannot be read; tells whether there were none
/// such.
pub(super) fn each_row(
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
    // What comes out of order comes from a page that is where it does not belong, perhaps again and
    // again: only rows with greater numbers than all before count, so that this ends.
    let (mut start, mut is_all, mut stride) = (i64::MIN, true, 1_i64);
    while start < i64::MAX {
        let Some(mut statement) = is_damage(from.prepare_cached(&sql))? else {
            return Ok(false);
        };
        let mut rows = statement.query([start]).map_err(store_error)?;
        loop {
            match is_damage(rows.next())? {
                Some(Some(row)) => {
                    let number: i64 = row.get(0).map_err(store_error)?;
                    if number < start {
                        break;
                    }
                    start = number.saturating_add(1);
                    stride = 1;
                    visit(row)?;
                }
                Some(None) => return Ok(is_all),
                None => break,
            }
        }
        is_all = false;
        start = match readable(start)? {
            Some(None) => return Ok(false),
            // The row is there, and what it holds is not.
            Some(Some(number)) if number >= start => number.saturating_add(1),
            Some(Some(_)) => {
                stride = stride.saturating_mul(2);
                start.max(0).saturating_add(stride)
            }
            None => match next_readable(start.max(0), &readable)? {
                Some(next) => next,
                None => return Ok(false),
            },
        };
    }
    Ok(is_all)
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
pub(super) fn is_damage<T>(read: rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
    match read.map_err(store_error) {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn failed(error: std::io::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}

const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK;";

const NOTHING_LEFT: &str = "no block in it can be read";

/// Notes how far the log goes that is left: where refs stood later it does not say. All refs may do.
const CUT_HERE: &str = "
    INSERT INTO meta SELECT ?1, coalesce(max(seq), 0) || ?2 FROM log WHERE true
    ON CONFLICT DO UPDATE SET value = excluded.value
";

/// What is read of each table.
const TABLES: [(&str, &str); 4] = [
    ("blocks", "cid, bytes"),
    ("refs", "name, cid"),
    ("log", "name, before, after, at_micros, note"),
    ("meta", "key, value"),
];

/// More than any page has.
const TRIED_ROWS: i64 = 512;

/// How many columns the widest table has.
const COLUMNS: usize = 6;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
