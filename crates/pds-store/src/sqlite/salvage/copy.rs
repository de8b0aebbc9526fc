//! The copy of what can be read of a damaged file into a new store.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::StoreError;
use crate::fact::FactEdit;
use crate::sqlite::check::{check_schema, is_in_order, is_table_in_order};
use crate::sqlite::errors::{file_error, store_error};
use crate::sqlite::index::Tail;
use crate::sqlite::raw_blocks::{belongs, raw};
use crate::sqlite::rows::facts::{FACT_COLUMNS, edit_fact, has_fact, read_fact};
use crate::sqlite::rows::log::LOG_COLUMNS;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::salvage::pages::Pages;
use crate::sqlite::salvage::saved::{Salvaged, Saved};
use crate::sqlite::salvage::scan::{each_row, is_damage};
use crate::sqlite::schema;
use crate::sqlite::schema::Durability;
use crate::sqlite::statement::run;
use crate::sqlite::store::SqliteStore;

impl SqliteStore {
    /// Checks that no other process has the file open, as far as SQLite can detect that for a
    /// damaged file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if another process has it open.
    pub fn check_alone(path: impl AsRef<Path>) -> Result<(), StoreError> {
        let path = path.as_ref();
        // An empty file has no content to read, and SQLite would delete the WAL next to it.
        if schema::is_empty(path) {
            return Ok(());
        }
        // Set before the first read, this mode locks the whole file or fails.
        let alone = schema::open_unread(path)
            .and_then(|connection| connection.execute_batch(ALONE).map_err(store_error));
        match alone {
            Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => Ok(()),
            alone => alone,
        }
    }

    /// Copies all readable content of a damaged store into a new, durable file.
    ///
    /// Rows on both sides of unreadable pages are copied. If that does not reach all rows, because
    /// the first page or an inner page is damaged, every page is read separately. A row of refs, of
    /// the log or of facts is copied only if its checksum is right.
    ///
    /// If all refs could be read, they are kept. Otherwise each ref points to the commit in its
    /// newest row, in `refs` or in the log. A ref without a row in `refs` is restored only from a
    /// complete log.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] if no block can be read, [`StoreError`] if the new file cannot be
    /// created. The part that was already written is left there.
    pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Salvaged, StoreError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let reader = match schema::open_for_check(from) {
            Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => None,
            opened => Some(opened?),
        };
        let mut writer = schema::create(to, Durability::WhenSettled)?.connection;
        let transaction = writer.transaction().map_err(store_error)?;
        transaction
            .execute_batch("CREATE UNIQUE INDEX names ON blocks (cid)")
            .map_err(store_error)?;
        let mut saved = Saved { to: &transaction, done: Salvaged::default(), state: None };
        if let Some(reader) = &reader {
            reader.effort.lift();
            saved.tables(&reader.connection)?;
        }
        drop(reader);
        if !saved.done.is_all {
            let dir = to.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
            let copy = tempfile::tempdir_in(dir).map_err(file_error)?;
            let mut pages = Pages::of(from, copy.path())?;
            pages.each_row(&mut |row| saved.row(row))?;
        }
        let salvaged = saved.finish()?;
        if salvaged.sound == 0 {
            return Err(StoreError::NotAStore(NOTHING_LEFT.to_owned()));
        }
        transaction.commit().map_err(store_error)?;
        schema::settle(writer, to)?;
        Ok(salvaged)
    }
}

impl Saved<'_> {
    /// Copies the rows of all tables, and records which tables could be read completely.
    fn tables(&mut self, from: &Connection) -> Result<(), StoreError> {
        let mut are_whole = [true; TABLES.len()];
        for ((table, columns), is_whole) in TABLES.into_iter().zip(&mut are_whole) {
            let mut are_rows = true;
            let is_stored = is_damage(is_stored(from, table))? == Some(true);
            let is_read = is_stored
                && each_row(from, table, columns, &mut |row| {
                    are_rows &= match table {
                        "blocks" => self.block(raw_at(row, 1)?, raw_at(row, 2)?)?,
                        "refs" => self.take_ref(row, 1)?,
                        "log" => self.take_move(row, 1)?,
                        "facts" => self.take_fact(row, 1)?,
                        _ => self.take_state(row, 1),
                    };
                    Ok(ControlFlow::Continue(()))
                })?;
            *is_whole = is_read && are_rows;
        }
        // A page of another table can be readable and still hide the pages that belong in its
        // place. SQLite would evaluate foreign expressions in the schema, so in that case each
        // table of the format is checked separately.
        let is_of_format = check_schema(from).is_ok_and(|found| found.is_empty());
        let in_order = |table| is_damage(is_table_in_order(from, table)).map(|is| is == Some(true));
        let mut is_file_in_order = match is_of_format {
            true => is_damage(is_in_order(from))? == Some(true),
            false => true,
        };
        for (table, _) in TABLES.into_iter().filter(|_| !is_of_format) {
            is_file_in_order = is_file_in_order && in_order(table)?;
        }
        self.done.is_all =
            are_whole == [true; TABLES.len()] && self.state.is_some() && is_file_in_order;
        for ((table, _), is_whole) in TABLES.into_iter().zip(&mut are_whole) {
            *is_whole &= self.done.is_all || table != "blocks" && in_order(table)?;
        }
        let [_, refs, moves, facts, _] = are_whole;
        let refs_known =
            self.state.is_none_or(|state| state.refs.cast_unsigned() == self.done.refs);
        (self.done.has_all_refs, self.done.has_all_moves) = (refs && refs_known, moves);
        let found = i64::try_from(self.done.facts).unwrap_or(i64::MAX);
        let facts_known = self.state.is_none_or(|state| state.facts == found);
        self.done.is_all &= refs_known && facts_known;
        self.done.has_all_facts = facts && facts_known;
        Ok(())
    }

    /// Copies a row from some page. The types of its columns determine its table. A page may no
    /// longer be in use, so rows of tables that were read completely are skipped.
    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let mut kinds = [Type::Null; COLUMNS];
        for (column, kind) in kinds.iter_mut().enumerate() {
            *kind = row.get_ref(column + 1).map_err(store_error)?.data_type();
        }
        // The number of a row is stored next to it, and its own column is null.
        match kinds {
            [Type::Null, Type::Blob, Type::Blob, Type::Null, ..] => {
                self.block(raw_at(row, 2)?, raw_at(row, 3)?)?;
            }
            [Type::Null, Type::Text, _, _, Type::Integer, Type::Text, ..] => {
                let known = self.done.moves;
                self.take_numbered_move(row)?;
                // The number of log rows is not known, and this one was hidden.
                self.done.has_all_moves &= self.done.moves == known;
            }
            [Type::Null, Type::Text, Type::Text, Type::Integer, Type::Integer, ..]
                if !self.done.has_all_refs =>
            {
                self.take_ref(row, 2)?;
            }
            [Type::Null, Type::Text, Type::Text, Type::Text, Type::Integer, Type::Null]
                if !self.done.has_all_facts =>
            {
                self.take_fact(row, 2)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Copies a block, intact or damaged.
    fn block(&mut self, name: &[u8], bytes: &[u8]) -> Result<bool, StoreError> {
        let is_sound = belongs(name, bytes);
        // Of two rows with the same name the intact one is kept. The old file keeps both.
        let known = "SELECT bytes FROM blocks WHERE cid = ?1";
        let known = self.to.prepare_cached(known).and_then(|mut statement| {
            statement.query_row([name], |row| Ok(belongs(name, raw(row.get_ref(0)?)))).optional()
        });
        match known.map_err(store_error)? {
            Some(known_is_sound) if known_is_sound || !is_sound => return Ok(true),
            Some(_) => {
                let sql = "UPDATE blocks SET bytes = ?2 WHERE cid = ?1";
                run(self.to, sql, [name, bytes])?;
            }
            None => {
                let sql = "INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)";
                self.done.blocks += run(self.to, sql, [name, bytes])?;
            }
        }
        self.done.sound += u64::from(is_sound);
        Ok(true)
    }

    /// Copies a row of `refs`. The result, here and below, is whether the row is valid.
    pub(crate) fn take_ref(&mut self, row: &Row<'_>, first: usize) -> Result<bool, StoreError> {
        let Ok(row) = RefRow::read(row, first) else { return Ok(false) };
        match RefRow::find(self.to, &row.name)? {
            Some(known) if known.seq >= row.seq => {}
            known => {
                self.done.refs += u64::from(known.is_none());
                row.write(self.to)?;
            }
        }
        Ok(true)
    }

    pub(crate) fn take_fact(&mut self, row: &Row<'_>, first: usize) -> Result<bool, StoreError> {
        let Ok(fact) = read_fact(row, first) else { return Ok(false) };
        // A page that is no longer in use may contain an older fact.
        if !has_fact(self.to, &fact)? {
            self.done.facts += edit_fact(self.to, &FactEdit::Set(fact))?.cast_unsigned();
        }
        Ok(true)
    }

    fn take_state(&mut self, row: &Row<'_>, first: usize) -> bool {
        let state = StateRow::of(row, first).ok();
        self.state = self.state.or(state);
        state.is_some()
    }

    fn finish(mut self) -> Result<Salvaged, StoreError> {
        self.finish_log_and_refs()?;
        self.to.execute_batch("DROP INDEX names").map_err(store_error)?;
        Tail::default().rebuild_index(self.to)?;
        let refs = i64::try_from(self.done.refs).unwrap_or(i64::MAX);
        let known = self.state.unwrap_or_default();
        let facts = i64::try_from(self.done.facts).unwrap_or(i64::MAX);
        let state = StateRow { refs, facts, ..StateRow::read(self.to)? };
        let change = state.version(self.to)?.change.cast_signed().max(known.change);
        // Readers of the old file must be able to distinguish the new one.
        let change = change.saturating_add(1);
        StateRow { change, sweep: change, ..state }.write(self.to)?;
        Ok(self.done)
    }
}

/// Returns whether a table is an ordinary one, and every column of it is stored. The values of other tables and columns
/// are computed by expressions of the schema. One function call can take hours, and no limit interrupts it.
fn is_stored(from: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_list
                              WHERE schema = 'main' AND type = 'table' AND name = ?1)
               AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden <> 0)";
    from.query_row(sql, [table], |row| row.get(0))
}

fn raw_at<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    Ok(raw(row.get_ref(column).map_err(store_error)?))
}

const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK;";

const NOTHING_LEFT: &str = "no block in the file can be read";

/// The columns that are read of each table.
const TABLES: [(&str, &str); 5] = [
    ("blocks", "cid, bytes"),
    ("refs", RefRow::COLUMNS),
    ("log", LOG_COLUMNS),
    ("facts", FACT_COLUMNS),
    ("state", StateRow::COLUMNS),
];

/// The number of columns that identify a table.
const COLUMNS: usize = 6;
