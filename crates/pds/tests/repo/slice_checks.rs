//! An import of a slice reads only what differs from the present state. Its answer is the one of a full check.

use std::collections::{BTreeMap, HashSet};
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarWriter, ReadAt};
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, Codec, MemoryBlocks, Overlay, Value};
use pds::merge::commit::{MergeBase, MergeOptions};
use pds::mst::{Key, Step, Tree, walk};
use pds::retain::gc::Keep;
use pds::store::{MemoryStore, Store, Sweep};
use pds::syntax::Tid;
use pds::verify::indexed::verify;
use pds::{Error, Expected, Finding, Repo, Severity, Stage};

use super::watched::{Watch, Watched};
use super::{did, note, version};

/// Imports a file, and compares the answer with a check of the whole tree. Returns whether the file was accepted.
pub(crate) fn imported_as_checked<F: ReadAt>(mirror: &Repo, car: &CarFile<F>) -> bool {
    // The revs of the files are in any order; other tests are about them.
    answered_as_checked(mirror, car, || mirror.transfer().allow_any().import(car, None).map(drop))
}

/// As [`imported_as_checked`], with a merge of the file into its base.
fn merged_as_checked<F: ReadAt>(mirror: &Repo, car: &CarFile<F>) -> bool {
    let base = mirror.head().unwrap().map(MergeBase::Commit);
    let options = MergeOptions::default().base(base);
    answered_as_checked(mirror, car, || mirror.merge().car(car, &options).map(drop))
}

/// As [`imported_as_checked`], with the blocks of the file but not the file.
fn admitted_as_checked<F: ReadAt>(mirror: &Repo, car: &CarFile<F>) -> bool {
    let (transfer, root) = (mirror.transfer().allow_any(), car.roots()[0]);
    answered_as_checked(mirror, car, || transfer.admit(car, root, &Expected::default()).map(drop))
}

fn answered_as_checked<F: ReadAt>(
    mirror: &Repo,
    car: &CarFile<F>,
    take: impl FnOnce() -> pds::Result<()>,
) -> bool {
    let (root, before) = (car.roots()[0], version(mirror));
    let fatal = first_fatal(mirror, car);
    match (take(), fatal) {
        (Ok(()), None) => {
            assert_eq!(mirror.head().unwrap(), Some(root));
            true
        }
        (Err(Error::Refused(finding)), Some(fatal)) => {
            assert_eq!(*finding, fatal);
            assert_eq!(version(mirror), before, "a refused slice changes nothing");
            false
        }
        (answer, fatal) => panic!("{answer:?}, although {fatal:?}"),
    }
}

/// Checks that the present state is complete, even after the blocks of all other states were deleted.
pub(crate) fn assert_complete(mirror: &Repo) {
    let keep = Keep::default().states(NonZeroUsize::new(1));
    mirror.retain().gc(&keep, &mut |_| {}).unwrap();
    let mut found = Vec::new();
    let whole = mirror.verify().present(&Expected::default(), &mut |f| found.push(f));
    assert!(whole.unwrap().is_complete() && !found.iter().any(is_fatal), "{found:#?}");
}

/// Checks the whole tree of a file and a store, and returns the first finding that is a reason to refuse it.
fn first_fatal<F: ReadAt>(mirror: &Repo, car: &CarFile<F>) -> Option<Finding> {
    let both = Overlay { over: car, under: mirror.store().as_ref() };
    let mut fatal = None;
    let mut found = |finding| {
        if is_fatal(&finding) {
            fatal.get_or_insert(finding);
        }
    };
    verify(&both, car.roots()[0], &Expected::default(), &mut found).unwrap();
    fatal
}

fn is_fatal(finding: &Finding) -> bool {
    finding.severity() == Severity::Error && finding.stage() != Stage::Record
}

/// A source of numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

type Entries = BTreeMap<Vec<u8>, Cid>;

/// The history of an account on its host: the blocks of all states.
struct Account {
    blocks: MemoryBlocks,
    key: SigningKey,
    revs: u64,
}

impl Account {
    fn new() -> Self {
        let key = SigningKey::generate(Curve::K256).unwrap();
        Self { blocks: MemoryBlocks::default(), key, revs: 0 }
    }

    fn add(&mut self, blocks: impl IntoIterator<Item = Block>) {
        self.blocks.extend(blocks);
    }

    fn block(&self, cid: &Cid) -> Block {
        self.blocks.get(cid).unwrap().unwrap()
    }

    /// Changes some records. Few keys and texts, so that states have many blocks in common.
    fn edit(&mut self, entries: &mut Entries, random: &mut Random, edits: usize) {
        for _ in 0..edits {
            let key = format!("com.example.note/{:03}", random.below(70)).into_bytes();
            if random.below(4) == 0 {
                entries.remove(&key);
                continue;
            }
            let text = Value::from(random.below(5).to_string().as_str());
            let kind = ("$type", Value::from("com.example.note"));
            let record = Block::new(Codec::Cbor, Value::from([kind, ("text", text)]).encode());
            entries.insert(key, record.cid());
            self.add([record]);
        }
    }

    fn tree(&mut self, entries: &Entries) -> Cid {
        let nothing = MemoryBlocks::default();
        let mut tree = Tree::empty(&nothing);
        for (key, value) in entries {
            tree.insert(Key::new(key.clone()).unwrap(), *value).unwrap();
        }
        let written = tree.write().unwrap();
        self.add(written.nodes);
        written.root
    }

    fn commit(&mut self, data: Cid) -> Cid {
        self.revs += 1;
        let rev = Tid::new(self.revs, 0).unwrap();
        let commit = UnsignedCommit { did: did(), data, rev, prev: None }.sign(&self.key).unwrap();
        self.add([commit.block().clone()]);
        commit.cid()
    }

    /// Returns the nodes and records of a tree, children after the nodes that link to them.
    fn reached(&self, data: Cid) -> Vec<Cid> {
        let step = |step: Step| match step {
            Step::Node { block, .. } => block.cid(),
            Step::Entry { value, .. } => value,
        };
        walk(&self.blocks, data).filter_map(|found| found.ok().map(step)).collect()
    }

    /// Replaces links of a tree: subtrees or records of other places take the place of others. Returns the new root.
    fn bend(&mut self, data: Cid, others: &[Cid], random: &mut Random) -> Cid {
        let mut nodes = self.reached(data);
        let mut renamed = vec![(random.pick(&nodes), random.pick(others))];
        nodes.reverse();
        for cid in nodes {
            let mut bytes = self.block(&cid).bytes().to_vec();
            for (old, new) in &renamed {
                replace(&mut bytes, old, new);
            }
            let block = Block::new(Codec::Cbor, bytes);
            if block.cid() != cid {
                renamed.push((cid, block.cid()));
                self.add([block]);
            }
        }
        let root = renamed.iter().find(|(old, _)| *old == data);
        root.map_or(data, |(_, new)| *new)
    }

    fn file(&self, root: Cid, blocks: impl IntoIterator<Item = Cid>) -> CarFile<Cursor<Vec<u8>>> {
        let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
        for cid in std::iter::once(root).chain(blocks) {
            car.block(self.block(&cid).borrowed()).unwrap();
        }
        CarFile::open(Cursor::new(car.finish().unwrap())).unwrap()
    }
}

fn replace(bytes: &mut [u8], old: &Cid, new: &Cid) {
    for at in 0..bytes.len().saturating_sub(Cid::LEN - 1) {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + Cid::LEN].copy_from_slice(new.as_bytes());
        }
    }
}

fn mirror() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// One mirror that follows an account through some states by imports or merges of slices, or by their blocks. Returns how
/// many slices were accepted and refused.
fn follow(seed: u64, is_cheating: bool) -> (u32, u32) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let (mut account, mirror, mut entries) = (Account::new(), mirror(), Entries::new());
    let first = random.below(60);
    account.edit(&mut entries, &mut random, first);
    let mut present = account.tree(&entries);
    let (root, blocks) = (account.commit(present), account.reached(present));
    assert!(imported_as_checked(&mirror, &account.file(root, blocks)));
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..4 {
        let edits = random.below(8);
        account.edit(&mut entries, &mut random, edits);
        let mut data = account.tree(&entries);
        let base = account.reached(present);
        if is_cheating {
            data = account.bend(data, &base, &mut random);
        }
        let root = account.commit(data);
        // Now and then, the slice has blocks that the mirror has, or lacks one.
        let (more, lacks) = (random.below(3) == 0, random.below(5) == 0);
        let mut blocks = account.reached(data);
        blocks.retain(|cid| !base.contains(cid) || (more && random.below(4) == 0));
        if lacks && !blocks.is_empty() {
            blocks.remove(random.below(blocks.len()));
        }
        for at in 1..blocks.len() {
            blocks.swap(at, random.below(at + 1));
        }
        let slice = account.file(root, blocks);
        let is_accepted = match seed % 3 {
            0 => imported_as_checked(&mirror, &slice),
            1 => admitted_as_checked(&mirror, &slice),
            _ => merged_as_checked(&mirror, &slice),
        };
        if is_accepted {
            (present, accepted) = (data, accepted + 1);
        } else {
            refused += 1;
        }
    }
    assert_complete(&mirror);
    (accepted, refused)
}

fn follow_many(is_cheating: bool) -> (u32, u32) {
    (0..1_000).fold((0, 0), |(accepted, refused), seed| {
        let (more, fewer) = follow(seed, is_cheating);
        (accepted + more, refused + fewer)
    })
}

#[test]
fn slices_of_a_thousand_histories_are_answered_as_by_a_full_check() {
    let (accepted, refused) = follow_many(false);
    assert!(accepted > 3_000 && refused > 100, "{accepted} accepted, {refused} refused");
}

#[test]
fn slices_that_use_parts_of_the_base_elsewhere_are_answered_as_by_a_full_check() {
    let (accepted, refused) = follow_many(true);
    assert!(accepted > 100 && refused > 1_000, "{accepted} accepted, {refused} refused");
}

/// Counts the blocks that are read.
#[derive(Default)]
struct Reads(AtomicU64);

impl Watch for Reads {
    fn blocks(&self, cids: &[Cid]) {
        self.0.fetch_add(cids.len() as u64, Ordering::Relaxed);
    }
}

#[test]
fn an_import_of_a_slice_reads_as_much_as_it_changes() {
    let reads = |records: u32, changes: u32| {
        let mut account = Account::new();
        let mut entries = Entries::new();
        let key = |n: u32| format!("com.example.note/{n:06}").into_bytes();
        let record = Block::new(Codec::Cbor, note("first").encode());
        let changed = Block::new(Codec::Cbor, note("changed").encode());
        account.add([record.clone(), changed.clone()]);
        entries.extend((0..records).map(|n| (key(n), record.cid())));
        let base = account.tree(&entries);
        let store = Arc::new(Watched::<Reads>::default());
        let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
        let root = account.commit(base);
        let whole = account.file(root, account.reached(base));
        mirror.transfer().import(&whole, None).unwrap();

        let step = records / changes;
        entries.extend((0..changes).map(|n| (key(n * step), changed.cid())));
        let data = account.tree(&entries);
        let root = account.commit(data);
        let known = account.reached(base);
        let known: HashSet<Cid> = known.into_iter().collect();
        let new = account.reached(data).into_iter().filter(|cid| !known.contains(cid));
        let slice = account.file(root, new);
        store.watch.0.store(0, Ordering::Relaxed);
        let imported = mirror.transfer().import(&slice, None).unwrap();
        assert_eq!(imported.records, u64::from(changes));
        store.watch.0.load(Ordering::Relaxed)
    };
    for changes in [1, 50] {
        let [small, large] = [1_000, 30_000].map(|records| reads(records, changes));
        let depth = 20;
        assert!(large <= 3 * small && large <= depth * u64::from(changes), "{small} {large}");
    }
}

#[test]
fn a_slice_after_a_loss_is_accepted_if_it_does_not_touch_the_lost_part() {
    let (mut account, mut entries) = (Account::new(), Entries::new());
    account.edit(&mut entries, &mut Random(1), 100);
    let base = account.tree(&entries);
    let (root, reached) = (account.commit(base), account.reached(base));
    let lost = *reached.last().unwrap();
    let store = Arc::new(MemoryStore::default());
    let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
    mirror.transfer().import(&account.file(root, reached.clone()), None).unwrap();
    let seen = version(&mirror);
    store.collect(Sweep::new(seen, &|cid| *cid != lost)).unwrap();
    assert!(store.get(&lost).unwrap().is_none());

    let first = entries.keys().next().unwrap().clone();
    entries.remove(&first);
    let data = account.tree(&entries);
    let root = account.commit(data);
    let new = account.reached(data).into_iter().filter(|cid| !reached.contains(cid));
    let slice = account.file(root, new);
    mirror.transfer().import(&slice, None).unwrap();
    assert_eq!(mirror.head().unwrap(), Some(root));
    // An export brings the lost block back.
    let whole = account.file(root, account.reached(data));
    mirror.transfer().import(&whole, None).unwrap();
    assert!(store.get(&lost).unwrap().is_some());
    assert_complete(&mirror);
}

#[test]
fn a_loss_in_an_unchanged_part_is_no_reason_to_refuse_a_slice() {
    let (mut account, mut entries) = (Account::new(), Entries::new());
    let records: Vec<Block> =
        (0..40).map(|n| Block::new(Codec::Cbor, note(&n.to_string()).encode())).collect();
    account.add(records.clone());
    let key = |n: usize| format!("com.example.note/{n:06}").into_bytes();
    entries.extend(records.iter().enumerate().map(|(n, record)| (key(n), record.cid())));
    let base = account.tree(&entries);
    let (root, before) = (account.commit(base), account.reached(base));
    let whole = account.file(root, before.clone());
    for changed in [0, 1, 20, 39] {
        let mut after = entries.clone();
        let record = Block::new(Codec::Cbor, note("changed").encode());
        account.add([record.clone()]);
        after.insert(key(changed), record.cid());
        let data = account.tree(&after);
        let (root, after) = (account.commit(data), account.reached(data));
        let (unchanged, new): (Vec<Cid>, Vec<Cid>) =
            after.into_iter().partition(|cid| before.contains(cid));
        let slice = account.file(root, new);
        for lost in unchanged {
            let [importing, merging] = [(); 2].map(|()| {
                let store = Arc::new(MemoryStore::default());
                let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
                mirror.transfer().import(&whole, None).unwrap();
                store.collect(Sweep::new(version(&mirror), &|cid| *cid != lost)).unwrap();
                mirror
            });
            let imported = importing.transfer().import(&slice, None).unwrap();
            assert_eq!(imported.records, 1, "only the changed record is read");
            let base = merging.head().unwrap().map(MergeBase::Commit);
            let merged = merging.merge().car(&slice, &MergeOptions::default().base(base)).unwrap();
            assert_eq!((merged.commit.cid(), merged.changes.len()), (root, 1));
            // A full export brings the lost block back.
            merging.merge().car(&whole, &MergeOptions::default().base(base)).unwrap();
            assert!(merging.store().get(&lost).unwrap().is_some());
        }
    }
}
