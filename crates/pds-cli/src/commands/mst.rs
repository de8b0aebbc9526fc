//! `pds mst`

use anyhow::Result;
use pds::mst::{Step, height, walk};

use crate::answers::mst::{EntryRow, NodeRow};
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::Exit;
use crate::failures::partial::Gaps;
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::repository::open::Place;
use crate::screens::mst as screen;

/// Draw the tree
///
/// Prints each node with its level, and its entries below it in key order. Exit code 6 if nodes are missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds mst --depth 2")]
pub(crate) struct Args {
    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Show only the top N levels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    depth: Option<u8>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let snapshot = place.snapshot(self.at.as_ref())?;
        let (mut top, mut gaps) = (None, Gaps::default());
        let walk = walk(snapshot.blocks(), snapshot.commit().data());
        // No tree has more levels.
        let walk = walk.levels(self.depth.unwrap_or(u8::MAX));
        let mut progress = Progress::things("nodes", None);
        for step in walk {
            if out.is_closed() {
                break;
            }
            let Some(step) = gaps.pass(step)? else { continue };
            match step {
                Step::Node { block, node } => {
                    progress.add(1);
                    let level = node.level();
                    let row = NodeRow {
                        bytes: block.bytes().len(),
                        entries: node.len(),
                        level,
                        node: block.cid(),
                        depth: usize::from(*top.get_or_insert(level) - level),
                    };
                    out.show(&row, |terminal| vec![screen::node(&row, terminal)])?;
                }
                Step::Entry { key, value } => {
                    let level = height(key.as_bytes());
                    let depth = usize::from(top.unwrap_or(level).saturating_sub(level));
                    let row = EntryRow { cid: value, level, path: key.to_string(), depth };
                    out.show(&row, |terminal| vec![screen::entry(&row, terminal)])?;
                }
            }
        }
        Ok(gaps.exit_of(out))
    }
}
