//! The columns of a row, checked for their types and against the checksum.

use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The columns of a row, read one after another. A column of the wrong type makes the row invalid.
pub(crate) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    pub(crate) next: usize,
    bad: Option<&'static str>,
}

impl<'r, 's> Columns<'r, 's> {
    pub(crate) fn of(row: &'r Row<'s>, first: usize) -> Self {
        Self { row, next: first, bad: None }
    }

    fn value(&mut self) -> ValueRef<'r> {
        let value = self.row.get_ref(self.next).unwrap_or(ValueRef::Null);
        self.next += 1;
        value
    }

    pub(crate) fn integer(&mut self) -> i64 {
        self.maybe_integer().unwrap_or_else(|| self.fail(0))
    }

    pub(crate) fn text(&mut self) -> &'r str {
        self.maybe().unwrap_or_else(|| self.fail(""))
    }

    pub(crate) fn maybe(&mut self) -> Option<&'r str> {
        match self.value() {
            ValueRef::Null => None,
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Some(text),
                Err(_) => self.fail(None),
            },
            _ => self.fail(None),
        }
    }

    pub(crate) fn maybe_integer(&mut self) -> Option<i64> {
        match self.value() {
            ValueRef::Null => None,
            ValueRef::Integer(value) => Some(value),
            _ => self.fail(None),
        }
    }

    fn fail<T>(&mut self, instead: T) -> T {
        self.bad = Some("a column has the wrong type");
        instead
    }

    /// Checks the types of all columns, and the checksum of the row.
    pub(crate) fn check(&mut self, sum: i64) -> Result<(), &'static str> {
        let found = self.integer();
        match self.bad {
            Some(reason) => Err(reason),
            None if found != sum => Err("the checksum does not match"),
            None => Ok(()),
        }
    }
}
