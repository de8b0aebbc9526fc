//! Scans of damaged tables: the readable rows before and after unreadable ones.

use rusqlite::{Connection, OptionalExtension, Row};
use std::ops::ControlFlow;

use crate::error::StoreError;
use crate::sqlite::errors::store_error;

/// Visits the rows of a table, including those after unreadable pages, until `visit` returns
/// `Break`. Returns whether every row was readable.
pub(crate) fn each_row(
    from: &Connection,
    table: &str,
    columns: &str,
    visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
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
    // Rows out of order come from a misplaced page, perhaps repeatedly. Only rows with increasing
    // numbers are accepted, so that the scan ends.
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
                    if visit(row)?.is_break() {
                        return Ok(is_all);
                    }
                }
                Some(None) => return Ok(is_all),
                None => break,
            }
        }
        is_all = false;
        start = match readable(start)? {
            Some(None) => return Ok(false),
            // The row exists, but its content is unreadable.
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

/// Finds the first readable row after a position. It tries every row number of one page, and then
/// continues with strides that double.
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

/// Returns `None` if the content cannot be read because it is damaged.
pub(crate) fn is_damage<T>(read: rusqlite::Result<T>) -> Result<Option<T>, StoreError> {
    match read.map_err(store_error) {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// More rows than a page can have.
const TRIED_ROWS: i64 = 512;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_first_readable_row_after_a_gap_of_any_length_is_found() {
        for from in [0, 1_000] {
            for gap in [1, 2, 3, 5, 511, 512, 513, 514, 600, 1_000, 1_025, 1_500, 5_000, 100_000] {
                let readable = |row| Ok((!(from..from + gap).contains(&row)).then_some(Some(row)));
                let found = next_readable(from, &readable).unwrap();
                assert_eq!(found, Some(from + gap), "{gap} rows after {from}");
            }
        }
        assert_eq!(next_readable(7, &|_| Ok(None)).unwrap(), None);
    }
}
