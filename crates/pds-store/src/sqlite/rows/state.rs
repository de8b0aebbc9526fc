//! The row of `state`.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::StoreError;
use crate::sqlite::checksum::Sum;
use crate::sqlite::errors::store_error;
use crate::sqlite::rows::bad_row::{BadRow, MAX_CHANGE, NO_CHANGE};
use crate::sqlite::rows::columns::Columns;
use crate::sqlite::statement::{one, run};
use crate::version::Version;

/// The single row of `state`: numbers about the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateRow {
    /// The number of the last change without a log row.
    pub(crate) change: i64,
    /// The number of the last change that deleted blocks.
    pub(crate) sweep: i64,
    /// The last row of `blocks` that is indexed.
    pub(crate) placed: i64,
    /// The number of refs.
    pub(crate) refs: i64,
    /// The number of facts.
    pub(crate) facts: i64,
}

impl StateRow {
    /// The columns that [`of`](Self::of) expects.
    pub(crate) const COLUMNS: &str = "change, sweep, placed, refs, facts, sum";

    /// Reads the row.
    pub(crate) fn read(from: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT change, sweep, placed, refs, facts, sum FROM state WHERE id = 1";
        let found = from.prepare_cached(sql).and_then(|mut statement| {
            statement.query_row([], |row| Ok(Self::of(row, 0))).optional()
        });
        let missing = BadRow { table: "state", row: "1".to_owned(), reason: "it is missing" };
        Ok(found.map_err(store_error)?.unwrap_or(Err(missing))?)
    }

    /// Reads the row from its columns, which start at `first`.
    pub(crate) fn of(row: &Row<'_>, first: usize) -> Result<Self, BadRow> {
        let mut columns = Columns::of(row, first);
        let [change, sweep, placed, refs, facts] = std::array::from_fn(|_| columns.integer());
        let state = Self { change, sweep, placed, refs, facts };
        let are_counts = [change, sweep, refs, facts].iter().all(|n| (0..=MAX_CHANGE).contains(n));
        let is_possible = are_counts && placed >= 0;
        let possible = is_possible.then_some(state).ok_or(NO_CHANGE);
        let checked = columns.check(state.sum()).and(possible);
        checked.map_err(|reason| BadRow { table: "state", row: "1".to_owned(), reason })
    }

    fn sum(self) -> i64 {
        let sum = Sum::of("state").integer(self.change).integer(self.sweep);
        sum.integer(self.placed).integer(self.refs).integer(self.facts).finish()
    }

    /// Writes the row.
    pub(crate) fn write(self, to: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO state (id, change, sweep, placed, refs, facts, sum)
                   VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
        let Self { change, sweep, placed, refs, facts } = self;
        run(to, sql, [change, sweep, placed, refs, facts, self.sum()]).map(drop)
    }

    /// Returns the version of the store. The number of its last change may be that of the newest
    /// log row.
    pub(crate) fn version(self, from: &Connection) -> Result<Version, StoreError> {
        let newest: i64 = one(from, "SELECT coalesce(max(seq), 0) FROM log")?;
        let change = newest.max(self.change).cast_unsigned();
        Ok(Version { change, sweep: self.sweep.cast_unsigned() })
    }

    /// As [`version`](Self::version), for a writer: the next numbers must be valid.
    pub(crate) fn version_to_write(self, from: &Connection) -> Result<Version, StoreError> {
        let version = self.version(from)?;
        if version.change >= MAX_CHANGE.cast_unsigned() {
            let row = version.change.to_string();
            return Err(BadRow { table: "log", row, reason: NO_CHANGE }.into());
        }
        Ok(version)
    }
}
