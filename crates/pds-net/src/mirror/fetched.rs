//! The blocks of the CAR files that have arrived.

use std::fs::{self, File};
use std::path::PathBuf;

use pds::car::CarFile;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

use crate::error::Result;
use crate::mirror::small_file::{failed, open_fetched};

/// All blocks that have arrived, whatever file they are in. A block with other bytes than its CID names is left out.
#[derive(Default)]
pub(super) struct Fetched {
    /// The newest comes last.
    files: Vec<(PathBuf, CarFile<File>)>,
    /// What is wrong with the files, at most [`MAX_FAULTS`] of it.
    pub(super) faults: Vec<String>,
}

impl Fetched {
    /// Opens the files that are not open yet. Each block of them is hashed.
    pub(super) fn add(&mut self, paths: Vec<PathBuf>) -> Result<()> {
        for path in paths {
            if self.files.iter().any(|(known, _)| *known == path) {
                continue;
            }
            let file = open_fetched(&path)?;
            let faults = &mut self.faults;
            let opened = CarFile::open_reporting(file, &mut |error| {
                if faults.len() < MAX_FAULTS {
                    faults.push(error.to_string());
                }
            });
            match opened {
                Ok(car) => self.files.push((path, car)),
                Err(error) if self.faults.len() < MAX_FAULTS => self.faults.push(error.to_string()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes the files whose blocks are all in one newer file. Repeated exports of a state would fill the disk.
    pub(super) fn remove_superfluous(&mut self) -> Result<()> {
        let mut number = 0;
        while let Some(((path, car), newer)) = self.files.get(number..).and_then(<[_]>::split_first)
        {
            let is_covered =
                newer.iter().any(|(_, other)| other.roots() == car.roots() && covers(other, car));
            match is_covered {
                true => {
                    fs::remove_file(path).map_err(|error| failed(path, error))?;
                    self.files.remove(number);
                }
                false => number += 1,
            }
        }
        Ok(())
    }

    /// Returns whether a block has arrived, without reading it.
    pub(super) fn has(&self, cid: &Cid) -> bool {
        self.files.iter().any(|(_, car)| car.size_of(cid).is_some())
    }

    /// Returns the newest commit among the roots of the files.
    pub(super) fn newest(&self, known: &dyn Blocks) -> Option<Commit> {
        let roots = self.files.iter().filter_map(|(_, car)| car.roots().first().copied());
        let read = |cid: Cid| {
            let block = self.get(&cid).ok().flatten().or_else(|| known.get(&cid).ok().flatten())?;
            Commit::decode(&block).ok()
        };
        roots.filter_map(read).max_by_key(Commit::rev)
    }
}

impl Blocks for Fetched {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        for (_, car) in self.files.iter().rev() {
            match car.get(cid) {
                // The file was changed after it was hashed: another file may have the block.
                Ok(None) | Err(ReadError::Damaged { .. }) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let Some((_, newest)) = self.files.last() else {
            return cids.iter().map(|_| Ok(None)).collect();
        };
        let answers = newest.get_many(cids).into_iter().zip(cids);
        let elsewhere = |(answer, cid): (_, &Cid)| match answer {
            Ok(None) | Err(ReadError::Damaged { .. }) => self.get(cid),
            found => found,
        };
        answers.map(elsewhere).collect()
    }

    fn batch(&self) -> usize {
        self.files.last().map_or(1, |(_, car)| car.batch())
    }
}

/// Returns whether a file has all blocks of another one.
fn covers(file: &CarFile<File>, other: &CarFile<File>) -> bool {
    (0..other.len()).all(|number| match other.cid(number) {
        Ok(Some(cid)) => file.size_of(&cid).is_some(),
        _ => true,
    })
}

/// The most faults of files that are named.
const MAX_FAULTS: usize = 20;
