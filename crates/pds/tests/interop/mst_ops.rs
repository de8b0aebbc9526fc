//! Batches of operations and proofs on two real trees.

use pds::data::{Blocks, Cid, MemoryBlocks};
use pds::mst::{BaseTree, Change, Key, Step, Tree, diff, get, nodes, proof, walk};
use serde_json::Value as Json;

use super::{cid, cid_or_null, cids, count, each, only, read_car, read_json, read_json_lines};
use super::{sorted, text};
use crate::fixtures;

/// Applies operations in order. Each must find the value that it expects.
fn apply<'a>(tree: &mut Tree<'_>, changes: impl IntoIterator<Item = &'a Change>) {
    for change in changes {
        let replaced = match change.after {
            Some(after) => tree.insert(change.key.clone(), after),
            None => tree.remove(change.key.as_bytes()),
        };
        assert_eq!(replaced.unwrap(), change.before, "{}", change.key);
    }
}

fn inverted(change: &Change) -> Change {
    Change { key: change.key.clone(), before: change.after, after: change.before }
}

fn changes(batch: &Json) -> Vec<Change> {
    let change = |op: &Json| {
        let change = Change {
            key: Key::new(text(&op["path"]).as_bytes()).unwrap(),
            before: cid_or_null(&op["prev"]),
            after: cid_or_null(&op["cid"]),
        };
        let is_as_named = match text(&op["action"]) {
            "create" => change.before.is_none() && change.after.is_some(),
            "update" => change.before.is_some() && change.after.is_some(),
            "delete" => change.before.is_some() && change.after.is_none(),
            other => panic!("an operation named {other}"),
        };
        assert!(is_as_named);
        change
    };
    each(&batch["ops"]).map(change).collect()
}

/// Runs a test for both files, with the summary, the batches, and the blocks at the start.
fn for_each_file(test: impl Fn(&Json, &[Json], MemoryBlocks)) {
    let Some(dir) = fixtures() else { return };
    let files = read_json(&dir.join("mst-ops/expected.json"));
    for file in each(&files) {
        let batches = read_json_lines(&dir.join("mst-ops").join(text(&file["file"])));
        assert_eq!(batches.len(), count(&file["batches"]));
        let (_, blocks) = read_car(&dir.join("cars").join(text(&file["start_car"])));
        test(file, &batches, blocks);
    }
}

#[test]
fn every_batch_leads_to_its_root_and_back_again() {
    for_each_file(|file, batches, mut blocks| {
        let mut root = cid(&file["first_root"]);
        let mut records = entries(&blocks, root);
        let mut operations = 0;
        for (number, batch) in batches.iter().enumerate() {
            let place = format!("{} batch {number}", text(&file["file"]));
            let mut changes = changes(batch);
            let before = std::mem::replace(&mut root, cid(&batch["root_after"]));
            assert_eq!(before, cid(&batch["root_before"]), "{place}");

            let mut tree = Tree::open(&blocks, before);
            apply(&mut tree, &changes);
            let written = tree.write().unwrap();
            assert_eq!(written.root, root, "{place}");
            blocks.extend(written.nodes.iter().cloned());

            let changed = diff(&blocks, Some(before), Some(root)).into_nodes().unwrap();
            let created = cids(&batch["created_nodes"]);
            assert_eq!(sorted(changed.created), created, "{place}");
            assert_eq!(sorted(changed.deleted), cids(&batch["deleted_nodes"]), "{place}");
            let made = sorted(written.nodes.iter().map(|node| node.cid()));
            assert!(created.iter().all(|cid| made.contains(cid)), "{place}");

            let shown = only(&blocks, &cids(&batch["inversion_nodes"]));
            let back: Vec<Change> = changes.iter().rev().map(inverted).collect();
            let mut tree = Tree::open(&shown, root);
            apply(&mut tree, &back);
            assert_eq!(tree.write().unwrap().root, before, "{place}");

            changes.sort_by(|a, b| a.key.cmp(&b.key));
            let found: Result<Vec<Change>, _> = diff(&blocks, Some(before), Some(root)).collect();
            assert_eq!(found.unwrap(), changes, "{place}");
            over_the_earlier_tree(&blocks, (before, root), &changes, &created, &place);
            operations += changes.len();
            records += changes.iter().filter(|change| change.before.is_none()).count();
            records -= changes.iter().filter(|change| change.after.is_none()).count();
            assert_eq!(records, count(&batch["records_after"]), "{place}");
        }
        assert_eq!(operations, count(&file["operations"]));
        assert_eq!(root, cid(&file["final_root"]));
        assert_eq!(entries(&blocks, root), records);
        assert_eq!(records, count(&file["final_records"]));
    });
}

/// Checks that a walk over the earlier tree has the changed entries and no other, and every created node.
fn over_the_earlier_tree(
    blocks: &MemoryBlocks,
    (before, root): (Cid, Cid),
    changes: &[Change],
    created: &[Cid],
    place: &str,
) {
    let (mut nodes, mut entries) = (Vec::new(), Vec::new());
    for step in walk(blocks, root).over(BaseTree::new(blocks, before, &|_| false)) {
        match step.unwrap() {
            Step::Node { block, .. } => nodes.push(block.cid()),
            Step::Entry { key, value } => entries.push((key, Some(value))),
        }
    }
    let nodes = sorted(nodes);
    assert!(created.iter().all(|cid| nodes.contains(cid)), "{place}");
    let after = changes.iter().map(|change| (change.key.clone(), change.after));
    let after: Vec<_> = after.filter(|(_, after)| after.is_some()).collect();
    assert_eq!(entries, after, "{place}");
}

fn entries(blocks: &dyn Blocks, root: Cid) -> usize {
    let steps = walk(blocks, root).count();
    let nodes = nodes(blocks, root).map(Result::unwrap).count();
    steps - nodes
}

#[test]
fn many_batches_on_one_tree_in_memory_lead_to_the_last_root() {
    for_each_file(|file, batches, blocks| {
        let mut tree = Tree::open(&blocks, cid(&file["first_root"]));
        for batch in batches {
            apply(&mut tree, &changes(batch));
        }
        assert_eq!(tree.write().unwrap().root, cid(&file["final_root"]));
    });
}

#[test]
fn every_proof_has_the_whole_descent_and_a_search_needs_only_its_upper_part() {
    let Some(dir) = fixtures() else { return };
    for name in ["calabro.proofs.json", "little.proofs.json"] {
        let file = read_json(&dir.join("mst-ops").join(name));
        let (_, blocks) = read_car(&dir.join("cars").join(text(&file["car"])));
        let root = cid(&file["data_root"]);
        assert_eq!(each(&file["proofs"]).len(), 47);
        for case in each(&file["proofs"]) {
            let path = text(&case["path"]);
            let record = cid_or_null(&case["record"]);
            let chain: Vec<Cid> = each(&case["nodes"]).map(cid).collect();
            // The end at the key's height and the full descent differ only for absent records.
            let fewest = match record {
                Some(_) => chain.len(),
                None => count(&case["minimal_nodes"]),
            };
            let proof = proof(&blocks, root, path.as_bytes()).unwrap();
            let shown: Vec<Cid> = proof.iter().map(|node| node.cid()).collect();
            assert_eq!(shown, chain, "{path}");

            for sufficient in [&chain[..fewest], &chain] {
                let mut shown = only(&blocks, sufficient);
                assert_eq!(get(&shown, root, path.as_bytes()).unwrap(), record);
                for node in &chain[..fewest] {
                    let block = shown.get(node).unwrap().unwrap();
                    shown.remove(node);
                    let error = get(&shown, root, path.as_bytes()).unwrap_err();
                    assert_eq!(error.missing(), Some(*node), "{path}");
                    shown.insert(block);
                }
            }
        }
    }
}
