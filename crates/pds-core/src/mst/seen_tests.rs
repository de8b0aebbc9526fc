use crate::data::block::MemoryBlocks;
use crate::mst::model::{Entries, KEYS, Model, Named, value};
use crate::mst::seen::Seen;
use crate::mst::walk::walk;

#[test]
fn the_visits_of_a_part_can_be_undone() {
    let mut entries: Entries = KEYS.iter().map(|key| (key.clone(), value(0))).collect();
    let first = Model::of(&entries);
    entries.insert(KEYS[3].clone(), value(1));
    let second = Model::of(&entries);
    let blocks: MemoryBlocks =
        first.blocks().iter().chain(second.blocks().iter()).cloned().collect();
    let mut seen = Seen::default();
    let count = |model: &Model, seen: &mut Seen| {
        walk(&blocks, model.root()).passing_over(seen).map(Result::unwrap).count()
    };
    assert_eq!(count(&first, &mut seen), first.parts.len());
    seen.begin();
    let new = count(&second, &mut seen);
    assert!(new < second.parts.len());
    assert_eq!(count(&second, &mut seen), 0);
    seen.undo();
    assert_eq!((count(&first, &mut seen), count(&second, &mut seen)), (0, new));
}

#[test]
fn a_missing_node_is_missed_once() {
    let mut entries: Entries = KEYS.iter().map(|key| (key.clone(), value(0))).collect();
    let first = Model::of(&entries);
    entries.insert(KEYS[3].clone(), value(1));
    let second = Model::of(&entries);
    let top = first.nodes().next().unwrap().level;
    let is_lost = |node: &&Named| node.level + 1 == top && !node.is_above(&KEYS[3]);
    let lost = first.nodes().find(is_lost).unwrap().block.cid();
    assert!(second.cids().contains(&lost));
    let mut blocks: MemoryBlocks =
        first.blocks().iter().chain(second.blocks().iter()).cloned().collect();
    blocks.remove(&lost);
    let mut seen = Seen::default();
    for (model, failures) in [(&first, 1), (&second, 0)] {
        let walk = walk(&blocks, model.root()).passing_over(&mut seen);
        assert_eq!(walk.filter(Result::is_err).count(), failures);
    }
}
