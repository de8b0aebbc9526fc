//! Damage of a file, reported while the rest of it is read.

use std::path::Path;

use pds::car::CarError;

use crate::process::text::{counted_plain, name_of, say};

/// Reports the damaged places of a file as they are found, and only counts them beyond a limit.
pub(crate) struct Damage<'a> {
    path: &'a Path,
    pub(crate) count: u64,
}

impl<'a> Damage<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        Self { path, count: 0 }
    }

    pub(crate) fn add(&mut self, error: &CarError) {
        self.count += 1;
        if self.count <= MAX_NAMED {
            say(&format!("{}: {error}", name_of(self.path)));
        }
    }

    pub(crate) fn report_rest(&self) {
        if self.count > MAX_NAMED {
            let more = counted_plain(self.count - MAX_NAMED, "place");
            say(&format!("{}: and {more} more", name_of(self.path)));
        }
    }
}

/// How many places of a file are named on standard error.
const MAX_NAMED: u64 = 100;
