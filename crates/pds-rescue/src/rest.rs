//! The blocks that no walk has reached: subtrees, and blocks that may be records.

use std::collections::HashSet;

use crate::orphans::{Each, Kind, Orphan, crossed, hull, start};
use crate::trace::Trace;
use pds::error::Result;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::node::Position;

/// The blocks of a file that no walk has reached.
pub(super) struct Rest {
    /// The subtrees that no node names, the tallest first, and then all other nodes.
    pub(super) roots: Vec<(Cid, Position)>,
    /// The blocks that are neither commits nor nodes. Some of them may be reached from the subtrees.
    pub(super) others: Vec<Cid>,
}

impl Rest {
    pub(super) fn find(blocks: &dyn Blocks, trace: &Trace<'_>, each: &Each<'_>) -> Result<Self> {
        let (mut nodes, mut bridges, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut named: HashSet<u64> = HashSet::new();
        each(&mut |block| match Kind::of(block) {
            Kind::Node(node) if trace.knows(&block.cid()) => drop(node),
            Kind::Node(node) => {
                named.extend(node.subtrees().map(|cid| start(&cid)));
                match hull(&node) {
                    Some(_) => nodes.push((node.level(), block.cid())),
                    None => bridges.push((block.cid(), node)),
                }
            }
            Kind::Commit(_) => {}
            Kind::Other => others.push(block.cid()),
        })?;
        for bridge in bridges {
            // A bridge without a node below it leads nowhere.
            let orphan = crossed(blocks, bridge)?;
            nodes.extend(orphan.map(|Orphan { level, cid, .. }| (level, cid)));
        }
        nodes.sort_by_key(|(level, cid)| {
            (named.contains(&start(cid)), std::cmp::Reverse(*level), *cid)
        });
        others.sort_unstable();
        let child = |(level, cid)| (cid, Position::Child { level });
        Ok(Self { roots: nodes.into_iter().map(child).collect(), others })
    }
}
