//! A damaged CAR file with its gaps filled from other places.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pds::car::{CarError, CarFile};
use pds::commit::Commit;
use pds::data::{Block, Blocks, Cid, ReadError, one_by_one};
use pds_rescue::Sources;

use crate::process::progress::Watched;

/// A damaged file and other places, read as one. It remembers the blocks that the other places gave.
pub(crate) struct FilledFile {
    pub(crate) car: Arc<CarFile<Watched>>,
    all: Sources,
    taken: Mutex<BTreeSet<Cid>>,
}

impl FilledFile {
    pub(crate) fn new(car: CarFile<Watched>, others: Vec<Arc<dyn Blocks>>) -> Self {
        let car = Arc::new(car);
        let first: Arc<dyn Blocks> = car.clone();
        let all = Sources([first].into_iter().chain(others).collect());
        Self { car, all, taken: Mutex::default() }
    }

    /// Returns the blocks that were read and that the file does not have.
    pub(crate) fn taken(&self) -> BTreeSet<Cid> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Blocks for FilledFile {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let block = self.all.get(cid)?;
        if block.is_some() && self.car.size_of(cid).is_none() {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(*cid);
        }
        Ok(block)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        one_by_one(self, cids)
    }
}

/// The damaged places of a file.
#[derive(Default)]
pub(crate) struct DamagedPlaces {
    /// The blocks whose bytes do not match their CIDs.
    blocks: BTreeSet<Cid>,
    /// The number of places whose content is unknown.
    pub(crate) unknown: u64,
}

impl DamagedPlaces {
    pub(crate) fn add(&mut self, error: &CarError) {
        match error {
            CarError::Damaged { cid, .. } => drop(self.blocks.insert(*cid)),
            CarError::Truncated { .. } | CarError::Section { .. } => self.unknown += 1,
            // Only other formats have such blocks and headers.
            _ => {}
        }
    }

    /// Returns how many places may have had data that was not found. A loss that a state knows of is reported
    /// there. Other places that filled gaps had the data of these places, except for the trees of known commits.
    pub(crate) fn unfilled(&self, file: &FilledFile, commits: &[Commit]) -> Result<u64, ReadError> {
        let mut count = 0;
        let are_filled = !file.taken().is_empty();
        let trees: BTreeSet<Cid> = commits.iter().map(Commit::data).collect();
        for cid in &self.blocks {
            let is_missing = file.get(cid)?.is_none();
            count += u64::from(is_missing && (!are_filled || trees.contains(cid)));
        }
        Ok(if are_filled { count } else { count + self.unknown })
    }
}
