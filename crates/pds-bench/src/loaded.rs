//! A CAR file in memory, as most of the work needs it.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use pds::car::CarReader;
use pds::commit::Commit;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::mst::{Step, walk};
use pds::syntax::RecordPath;

use crate::files::not_prepared;
use crate::generate::Numbers;

/// A CAR file, taken apart: every block, and the records in key order.
pub(crate) struct Loaded {
    pub(crate) commit: Commit,
    pub(crate) blocks: Vec<Block>,
    pub(crate) records: Vec<(String, Cid)>,
}

impl Loaded {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| not_prepared(path))?;
        let mut car = CarReader::new(file)?;
        let mut blocks = Vec::new();
        while let Some(section) = car.next_section()? {
            blocks.push(section.block.to_block());
        }
        let commit = Commit::decode(blocks.first().context("no blocks")?)?;
        let memory: MemoryBlocks = blocks.iter().cloned().collect();
        let mut records = Vec::new();
        for step in walk(&memory, commit.data()) {
            if let Step::Entry { key, value } = step? {
                records.push((String::from_utf8(key.as_bytes().to_vec())?, value));
            }
        }
        Ok(Self { commit, blocks, records })
    }

    pub(crate) fn memory(&self) -> MemoryBlocks {
        self.blocks.iter().cloned().collect()
    }

    pub(crate) fn sorted_blocks(mut self) -> Vec<Block> {
        self.blocks.sort_unstable_by_key(Block::cid);
        self.blocks
    }

    /// Records to ask for, the same each time.
    pub(crate) fn sample(&self, count: usize) -> impl Iterator<Item = (&str, Cid)> {
        let mut numbers = Numbers::seeded(count as u64);
        (0..count).map(move |_| {
            let (key, value) = &self.records[numbers.below(self.records.len())];
            (key.as_str(), *value)
        })
    }

    /// As [`sample`](Self::sample), as paths.
    pub(crate) fn sample_paths(&self, count: usize) -> Result<Vec<RecordPath>> {
        self.sample(count).map(|(key, _)| Ok(key.parse()?)).collect()
    }
}
