//! What is wrong with a file as such, said while the rest of it is read.

use std::path::Path;

use pds::car::CarError;

use crate::output::{counted, say};

/// Places of a file that cannot be read, said as they are met; of very many only how many there are.
pub(crate) struct Harms<'a> {
    path: &'a Path,
    pub(crate) count: u64,
}

impl<'a> Harms<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        Self { path, count: 0 }
    }

    pub(crate) fn add(&mut self, error: &CarError) {
        self.count += 1;
        if self.count <= MAX_TOLD {
            say(&format!("{}: {error}", self.path.display()));
        }
    }

    pub(crate) fn tell_rest(&self) {
        if self.count > MAX_TOLD {
            let more = counted(self.count - MAX_TOLD, "place");
            say(&format!("{}: and {more} more", self.path.display()));
        }
    }
}

/// How many places of a file are named on standard error.
const MAX_TOLD: u64 = 100;
