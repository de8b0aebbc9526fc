//! All pairs of small trees: diffs, proofs and inversion, against the MST test suite.

use std::collections::HashMap;

use pds::data::{Blocks, Cid, MemoryBlocks, Overlay, Value};
use pds::mst::{Builder, Change, Key, MstError, Step, Tree, diff, get, walk};
use serde_json::Value as Json;

use super::{cid, cid_or_null, cids, count, each, only, read_cars, read_json, sorted, text};
use crate::fixtures;

/// Returns the cases and their trees, or `None` without test data.
struct Suite {
    cases: Vec<Json>,
    trees: HashMap<String, (Cid, MemoryBlocks)>,
    expected: Json,
}

/// One case with its two trees.
struct Case<'s> {
    json: &'s Json,
    name: &'s str,
    a: &'s (Cid, MemoryBlocks),
    b: &'s (Cid, MemoryBlocks),
}

impl Suite {
    fn read() -> Option<Self> {
        let dir = fixtures()?.join("mst-diff");
        Some(Self {
            cases: super::read_json_lines(&dir.join("cases.jsonl.gz")),
            trees: read_cars(&dir.join("cars")),
            expected: read_json(&dir.join("expected.json")),
        })
    }

    fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.cases.iter().map(|json| Case {
            json,
            name: text(&json["name"]),
            a: &self.trees[text(&json["mst_a"])],
            b: &self.trees[text(&json["mst_b"])],
        })
    }

    fn total(&self, what: &str) -> usize {
        count(&self.expected["totals"][what])
    }
}

impl Case<'_> {
    fn overlay(&self) -> Overlay<'_> {
        Overlay { over: &self.a.1, under: &self.b.1 }
    }

    fn changes(&self) -> Vec<Change> {
        each(&self.json["record_ops"])
            .map(|op| Change {
                key: Key::new(text(&op["rpath"]).as_bytes()).unwrap(),
                before: cid_or_null(&op["old_value"]),
                after: cid_or_null(&op["new_value"]),
            })
            .collect()
    }
}

/// Reverts changes on a tree. Returns its root, or the node that is missing for it.
fn invert(blocks: &dyn Blocks, root: Cid, changes: &[Change]) -> Result<Cid, Cid> {
    let missing = |error: MstError| error.missing().unwrap();
    let mut tree = Tree::open(blocks, root);
    for change in changes.iter().rev() {
        let replaced = match change.before {
            Some(before) => tree.insert(change.key.clone(), before),
            None => tree.remove(change.key.as_bytes()),
        };
        assert_eq!(replaced.map_err(missing)?, change.after);
    }
    Ok(tree.write().map_err(missing)?.root)
}

#[test]
fn every_small_tree_has_the_root_the_nodes_and_the_records_that_are_expected() {
    let Some(suite) = Suite::read() else { return };
    assert_eq!(suite.trees.len(), 128);
    for (name, expected) in suite.expected["cars"].as_object().unwrap() {
        let (root, blocks) = &suite.trees[name];
        assert_eq!(*root, cid(&expected["root"]), "{name}");
        let mut builder = Builder::default();
        let mut built = Vec::new();
        let (mut nodes, mut records) = (Vec::new(), 0);
        for step in walk(blocks, *root) {
            match step.unwrap() {
                Step::Node { block, .. } => nodes.push(block.cid()),
                Step::Entry { key, value } => {
                    records += 1;
                    builder.push(key.as_bytes(), value, |node| built.push(node.cid())).unwrap();
                }
            }
        }
        assert_eq!(records, count(&expected["records"]), "{name}");
        assert_eq!(nodes.len(), count(&expected["mst_nodes"]), "{name}");
        assert_eq!(builder.finish(|node| built.push(node.cid())), *root);
        assert_eq!(sorted(built), sorted(nodes), "{name}");
    }
}

#[test]
fn every_diff_names_the_records_and_the_nodes_that_differ() {
    let Some(suite) = Suite::read() else { return };
    let (mut ops, mut created, mut deleted) = (0, 0, 0);
    for case in suite.cases() {
        let blocks = case.overlay();
        let diff = || diff(&blocks, Some(case.a.0), Some(case.b.0));
        let changes: Vec<Change> = diff().map(Result::unwrap).collect();
        assert_eq!(changes, case.changes(), "{}", case.name);
        let nodes = diff().into_nodes().unwrap();
        for (found, field, blocks) in [
            (&nodes.created, "created_nodes", &case.b.1),
            (&nodes.deleted, "deleted_nodes", &case.a.1),
        ] {
            assert_parents_first(found, blocks);
            let found = sorted(found.iter().copied());
            assert_eq!(found, cids(&case.json[field]), "{} {field}", case.name);
        }
        ops += changes.len();
        created += nodes.created.len();
        deleted += nodes.deleted.len();
    }
    assert_eq!(suite.cases.len(), suite.total("cases"));
    assert_eq!(ops, suite.total("record_ops"));
    assert_eq!(created, suite.total("created_nodes"));
    assert_eq!(deleted, suite.total("deleted_nodes"));
}

/// Checks that no node occurs twice, and that each node comes before its children.
fn assert_parents_first(cids: &[Cid], blocks: &MemoryBlocks) {
    let at: HashMap<Cid, usize> = cids.iter().enumerate().map(|(at, cid)| (*cid, at)).collect();
    assert_eq!(at.len(), cids.len(), "a node stands twice");
    for (parent, cid) in cids.iter().enumerate() {
        let block = blocks.get(cid).unwrap().unwrap();
        for child in Value::decode(block.bytes()).unwrap().links() {
            assert!(at.get(&child).is_none_or(|at| *at > parent), "{child}");
        }
    }
}

#[test]
fn editing_one_tree_into_the_other_makes_every_created_node() {
    let Some(suite) = Suite::read() else { return };
    for case in suite.cases() {
        let mut tree = Tree::open(&case.a.1, case.a.0);
        for change in case.changes() {
            let replaced = match change.after {
                Some(after) => tree.insert(change.key, after),
                None => tree.remove(change.key.as_bytes()),
            };
            assert_eq!(replaced.unwrap(), change.before, "{}", case.name);
        }
        let written = tree.write().unwrap();
        assert_eq!(written.root, case.b.0, "{}", case.name);
        let made = sorted(written.nodes.iter().map(|node| node.cid()));
        let created = cids(&case.json["created_nodes"]);
        assert!(created.iter().all(|cid| made.contains(cid)), "{}", case.name);
        // Several edits may change nodes and restore them later. A single edit makes exactly the new nodes.
        if case.changes().len() == 1 {
            assert_eq!(made, created, "{}", case.name);
        }
        for made in &made {
            assert!(case.b.1.contains(made), "{}: garbage", case.name);
        }
    }
}

#[test]
fn the_proof_nodes_alone_show_every_created_and_deleted_record() {
    let Some(suite) = Suite::read() else { return };
    let mut total = 0;
    for case in suite.cases() {
        let nodes = cids(&case.json["proof_nodes"]);
        let shown = only(&case.b.1, &nodes);
        for change in case.changes() {
            let found = get(&shown, case.b.0, change.key.as_bytes()).unwrap();
            assert_eq!(found, change.after, "{} {}", case.name, change.key);
        }
        total += nodes.len();
    }
    assert_eq!(total, suite.total("proof_nodes"));
}

#[test]
fn the_inductive_proof_nodes_alone_lead_back_to_the_earlier_tree() {
    let Some(suite) = Suite::read() else { return };
    let mut total = 0;
    for case in suite.cases() {
        let nodes = cids(&case.json["inductive_proof_nodes"]);
        let mut shown = only(&case.b.1, &nodes);
        let changes = case.changes();
        let root = invert(&shown, case.b.0, &changes).unwrap();
        assert_eq!(root, case.a.0, "{}", case.name);
        // The set is minimal: without any one of its nodes, the earlier root cannot be computed.
        for node in &nodes {
            let block = shown.get(node).unwrap().unwrap();
            shown.remove(node);
            let inverted = invert(&shown, case.b.0, &changes);
            assert_eq!(inverted, Err(*node), "{}", case.name);
            shown.insert(block);
        }
        total += nodes.len();
    }
    assert_eq!(total, suite.total("inductive_proof_nodes"));
}
