//! `pds mst`

use anyhow::Result;
use pds::mst::{Step, height, walk};
use serde_json::json;

use crate::failure::Exit;
use crate::gaps::Gaps;
use crate::open::Place;
use crate::output::Output;
use crate::state::StateArg;

/// Draw the tree
///
/// Nodes with their level, entries below them in key order. Exit code 6 if nodes are missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds mst --depth 2")]
pub(crate) struct Args {
    /// The state to read: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Only this many levels from the top
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    depth: Option<u8>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let snapshot = place.snapshot(self.at.as_ref())?;
        let (mut top, mut gaps) = (None, Gaps::default());
        let walk = walk(snapshot.blocks(), snapshot.commit().data());
        let walk = match self.depth {
            Some(depth) => walk.levels(depth),
            None => walk,
        };
        for step in walk {
            let Some(step) = gaps.pass(step)? else { continue };
            match step {
                Step::Node { block, node } => {
                    let (cid, level) = (block.cid(), node.level());
                    let indent = usize::from(*top.get_or_insert(level) - level);
                    let entries = node.len();
                    out.answer(
                        || {
                            format!(
                                "{:indent$}{cid} level {level}, {entries} entries",
                                "",
                                indent = indent * 2
                            )
                        },
                        || {
                            json!({
                                "node": cid.to_string(),
                                "level": level,
                                "entries": entries,
                                "bytes": block.bytes().len(),
                            })
                        },
                    )?;
                }
                Step::Entry { key, value } => {
                    let level = height(key.as_bytes());
                    let indent = usize::from(top.unwrap_or(level).saturating_sub(level));
                    out.answer(
                        || format!("{:indent$}- {key} {value}", "", indent = indent * 2),
                        || json!({ "path": key.to_string(), "cid": value.to_string(), "level": level }),
                    )?;
                }
            }
        }
        Ok(gaps.exit())
    }
}
