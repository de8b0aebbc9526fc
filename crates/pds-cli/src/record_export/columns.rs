//! The columns of a CSV file.

use std::collections::HashMap;

/// The names of the columns of a collection, in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
    bytes: usize,
    /// Whether there were more names than a file may have.
    pub(crate) is_cut: bool,
}

impl Columns {
    /// Adds a name, unless the limit is reached.
    pub(crate) fn add(&mut self, name: &str) {
        if self.places.contains_key(name) {
            return;
        }
        let bytes = self.bytes.saturating_add(name.len());
        if self.names.len() >= MAX_COLUMNS || bytes > MAX_NAME_BYTES {
            self.is_cut = true;
            return;
        }
        self.bytes = bytes;
        self.places.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
    }

    /// Returns the place of a name, or `None` if it has no column.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The most columns after the first four. Databases allow one or two thousand, and real collections have some hundred.
pub(crate) const MAX_COLUMNS: usize = 1_000;

/// The longest names of all columns together, in bytes. They are held in memory.
const MAX_NAME_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_places_up_to_the_limit() {
        let mut columns = Columns::default();
        for name in ["b", "a", "b"] {
            columns.add(name);
        }
        assert_eq!(
            (columns.names(), columns.place("a")),
            (&["b".to_owned(), "a".to_owned()][..], Some(1))
        );
        for number in 2..MAX_COLUMNS {
            columns.add(&number.to_string());
        }
        assert!(!columns.is_cut);
        columns.add("one more");
        assert!(columns.is_cut && columns.place("one more").is_none());
    }

    #[test]
    fn long_names_reach_the_limit_sooner() {
        let mut columns = Columns::default();
        columns.add(&"x".repeat(MAX_NAME_BYTES));
        assert!(!columns.is_cut);
        columns.add("y");
        assert!(columns.is_cut);
    }
}
