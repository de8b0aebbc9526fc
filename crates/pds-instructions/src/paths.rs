//! The hot paths, on which commands spend most of their time.

use std::error::Error;
use std::io::Cursor;

use pds::Write;
use pds::data::{Block, MemoryBlocks, Value, check_record};
use pds::mst::{Key, Tree, diff, range, walk};
use pds::syntax::{RecordPath, SyntaxError};
use pds::transfer::export::export_car;
use pds::verify::car::verify_car;
use pds::{Expected, Report};

use crate::account::Account;

type Walked = Result<(), Box<dyn Error>>;

/// The name of a path, and the function that runs it.
type Path = (&'static str, fn(&Account) -> Walked);

/// Every path.
pub(crate) const PATHS: &[Path] = &[
    ("verify-streamable", verify_streamable),
    ("verify-any-order", verify_any_order),
    ("tree-inserts", tree_inserts),
    ("gets", gets),
    ("drafts", drafts),
    ("records", records),
    ("export", export),
    ("list", list),
    ("walk", walk_all),
    ("diff", diff_two),
];

/// Verifies a CAR file in streamable order, in one pass. No signature is checked, because it would dominate.
fn verify_streamable(account: &Account) -> Walked {
    verified(&account.streamable, account)
}

/// Verifies a CAR file that needs an index.
fn verify_any_order(account: &Account) -> Walked {
    verified(&account.sorted, account)
}

fn verified(car: &[u8], account: &Account) -> Walked {
    let report: Report =
        counted(|| verify_car(Cursor::new(car), &Expected::default(), &mut |_| {}))?;
    holds(report.is_ok() && report.records == account.records.len() as u64, "verified")
}

/// Builds a tree from keys in random order, and computes its root after every hundredth key.
fn tree_inserts(account: &Account) -> Walked {
    let mut pairs = Vec::new();
    for (path, block) in &account.records {
        pairs.push((Key::new(path.to_string().into_bytes())?, block.cid()));
    }
    // The order of the CIDs is independent of the keys.
    pairs.sort_unstable_by_key(|(_, value)| *value);
    let blocks = MemoryBlocks::default();
    let root = counted(|| {
        let mut tree = Tree::empty(&blocks);
        for (number, (key, value)) in pairs.into_iter().enumerate() {
            tree.insert(key, value)?;
            if number % 100 == 0 {
                tree.write()?;
            }
        }
        tree.write()
    })?
    .root;
    holds(root == account.snapshot.commit().data(), "built")
}

/// Reads every record by its path, from an open repository with warm caches.
fn gets(account: &Account) -> Walked {
    let repo = account.repo()?;
    let get_all = || {
        let get = |path| repo.find(path).ok().flatten();
        account.records.iter().filter_map(|(path, _)| get(path)).count()
    };
    holds(get_all() == counted(get_all) && get_all() == account.records.len(), "found")
}

/// Drafts commits of one record each, without signing them.
fn drafts(account: &Account) -> Walked {
    let repo = account.repo()?;
    let writes = |(path, block): &(RecordPath, Block)| {
        let other = RecordPath::new(path.collection.clone(), "self".parse()?);
        Ok([Write::put_bytes(other, block.bytes())])
    };
    let writes: Vec<[Write; 1]> =
        account.records.iter().step_by(10).map(writes).collect::<Result<_, SyntaxError>>()?;
    let changed = counted(|| {
        let draft = |write: &[Write; 1]| repo.draft(write).ok();
        writes.iter().filter_map(draft).filter(|draft| !draft.is_unchanged()).count()
    });
    holds(changed == writes.len(), "drafted")
}

/// Checks, decodes and encodes every record.
fn records(account: &Account) -> Walked {
    let same = |block: &Block| {
        check_record(block.bytes()).is_ok()
            && Value::decode(block.bytes()).is_ok_and(|value| value.encode() == block.bytes())
    };
    holds(counted(|| account.records.iter().all(|(_, block)| same(block))), "the same again")
}

/// Exports the repository as a CAR file.
fn export(account: &Account) -> Walked {
    let mut car = Vec::with_capacity(account.streamable.len());
    counted(|| export_car(&account.snapshot, &mut car, &mut |_| {}))?;
    holds(car == account.streamable, "exported")
}

/// All entries of a tree in key order.
fn list(account: &Account) -> Walked {
    let (tree, root) = (&account.snapshot, account.snapshot.commit().data());
    let entries = counted(|| range(tree.blocks(), root, ..).filter(Result::is_ok).count());
    holds(entries == account.records.len(), "listed")
}

/// All nodes and entries of a tree.
fn walk_all(account: &Account) -> Walked {
    let (tree, root) = (&account.snapshot, account.snapshot.commit().data());
    let steps = counted(|| walk(tree.blocks(), root).filter(Result::is_ok).count());
    holds(steps > account.records.len(), "walked over")
}

/// The difference between two trees: every tenth record has another value.
fn diff_two(account: &Account) -> Walked {
    let mut blocks = MemoryBlocks::default();
    let mut tree = Tree::empty(&blocks);
    for (path, block) in &account.records {
        tree.insert(Key::new(path.to_string().into_bytes())?, block.cid())?;
    }
    let before = tree.write()?;
    for pair in account.records.windows(2).step_by(10) {
        tree.insert(Key::new(pair[0].0.to_string().into_bytes())?, pair[1].1.cid())?;
    }
    let after = tree.write()?;
    blocks.extend(before.nodes.into_iter().chain(after.nodes));
    let changes = counted(|| {
        diff(&blocks, Some(before.root), Some(after.root)).filter(Result::is_ok).count()
    });
    holds(changes == account.records.len() / 10, "compared")
}

/// Runs the counted work. The count begins and ends with this function.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

fn holds(right: bool, what: &str) -> Walked {
    if right { Ok(()) } else { Err(format!("not everything was {what}").into()) }
}
