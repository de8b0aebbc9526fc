//! The rows of `refs`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::ref_name::RefName;
use crate::sqlite::checksum::Sum;
use crate::sqlite::errors::store_error;
use crate::sqlite::rows::bad_row::{BadRow, MAX_CHANGE, NO_CHANGE, NO_CID, OTHER_NUMBER, shown};
use crate::sqlite::rows::columns::Columns;
use crate::sqlite::rows::row_number::row_of;
use crate::sqlite::statement::run;
use pds_core::data::cid::Cid;

/// A row of `refs`: a name, the commit, and the log row that moved the ref there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefRow {
    pub(crate) name: RefName,
    pub(crate) cid: Cid,
    pub(crate) seq: i64,
}

impl RefRow {
    /// The columns that [`read`](Self::read) expects.
    pub(crate) const COLUMNS: &str = "name, cid, seq, sum";

    /// Reads a row whose columns start at `first`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, BadRow> {
        let mut columns = Columns::of(row, first);
        let (name, cid, seq) = (columns.text(), columns.text(), columns.integer());
        let sum = Self::sum(name, cid, seq);
        let row = columns.check(sum).and_then(|()| {
            let name = name.parse().map_err(|_| "the name is not a valid ref name")?;
            if !(0..=MAX_CHANGE).contains(&seq) {
                return Err(NO_CHANGE);
            }
            Ok(Self { name, cid: cid.parse().map_err(|_| NO_CID)?, seq })
        });
        row.map_err(|reason| BadRow { table: "refs", row: shown(name), reason })
    }

    /// Checks that the number of a row belongs to its name.
    pub(crate) fn numbered(self, number: i64) -> Result<Self, BadRow> {
        let name = self.name.as_str();
        if number != row_of("refs", &[name]) {
            return Err(BadRow { table: "refs", row: shown(name), reason: OTHER_NUMBER });
        }
        Ok(self)
    }

    fn sum(name: &str, cid: &str, seq: i64) -> i64 {
        Sum::of("refs").text(name).text(cid).integer(seq).finish()
    }

    /// Writes the row, and replaces the previous row of the ref.
    pub(crate) fn write(&self, to: &Connection) -> Result<(), StoreError> {
        let (name, cid) = (self.name.as_str(), self.cid.to_string());
        let sum = Self::sum(name, &cid, self.seq);
        run(
            to,
            "INSERT OR REPLACE INTO refs (id, name, cid, seq, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![row_of("refs", &[name]), name, cid, self.seq, sum],
        )
        .map(drop)
    }

    /// Finds the row of a ref.
    pub(crate) fn find(from: &Connection, name: &RefName) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT name, cid, seq, sum FROM refs WHERE id = ?1";
        let id = row_of("refs", &[name.as_str()]);
        let found = from.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| Self::read(row, 0).and_then(|row| row.numbered(id));
            statement.query_row([id], |row| Ok(read(row))).optional()
        });
        Ok(found.map_err(store_error)?.transpose()?)
    }

    /// Deletes the row of a ref. Returns the number of deleted rows.
    pub(crate) fn delete(from: &Connection, name: &RefName) -> Result<u64, StoreError> {
        run(from, "DELETE FROM refs WHERE id = ?1", [row_of("refs", &[name.as_str()])])
    }
}
