//! The paths: what every command spends its time on.

use std::error::Error;
use std::io::Cursor;

use pds::Write;
use pds::data::{Block, MemoryBlocks, Value, check_record};
use pds::mst::{Key, Tree};
use pds::syntax::{RecordPath, SyntaxError};
use pds::transfer::export::export_car;
use pds::verify::car::verify_car;
use pds::{Expected, Report};

use crate::account::Account;
use crate::counted;

type Walked = Result<(), Box<dyn Error>>;

/// A path: its name, and the way along it.
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
];

/// A CAR file in streamable order, in one pass; no signature, which would drown the rest.
fn verify_streamable(account: &Account) -> Walked {
    verified(&account.streamable, account)
}

/// A CAR file that is indexed first.
fn verify_any_order(account: &Account) -> Walked {
    verified(&account.sorted, account)
}

fn verified(car: &[u8], account: &Account) -> Walked {
    let report: Report =
        counted(|| verify_car(Cursor::new(car), &Expected::default(), &mut |_| {}))?;
    holds(report.is_ok() && report.records == account.records.len() as u64, "verified")
}

/// A tree from keys in no order, with its root after every hundredth.
fn tree_inserts(account: &Account) -> Walked {
    let mut pairs = Vec::new();
    for (path, block) in &account.records {
        pairs.push((Key::new(path.to_string().into_bytes())?, block.cid()));
    }
    // By their content, which has nothing to do with their keys.
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

/// Every record by its path, from an open repository in which all have been asked for before.
fn gets(account: &Account) -> Walked {
    let repo = account.repo()?;
    let get_all = || {
        let get = |path| repo.find(path).ok().flatten();
        account.records.iter().filter_map(|(path, _)| get(path)).count()
    };
    holds(get_all() == counted(get_all) && get_all() == account.records.len(), "found")
}

/// Commits of one record each, up to where they would be signed.
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

/// Every record checked, decoded and encoded.
fn records(account: &Account) -> Walked {
    let same = |block: &Block| {
        check_record(block.bytes()).is_ok()
            && Value::decode(block.bytes()).is_ok_and(|value| value.encode() == block.bytes())
    };
    holds(counted(|| account.records.iter().all(|(_, block)| same(block))), "the same again")
}

/// The repository as a CAR file.
fn export(account: &Account) -> Walked {
    let mut car = Vec::with_capacity(account.streamable.len());
    counted(|| export_car(&account.snapshot, &mut car, &mut |_| {}))?;
    holds(car == account.streamable, "exported")
}

fn holds(right: bool, what: &str) -> Walked {
    if right { Ok(()) } else { Err(format!("not all was {what}").into()) }
}
