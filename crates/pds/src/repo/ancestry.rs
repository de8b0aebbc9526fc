//! Which commits came before which, and where two lines of them part.

use std::collections::{BTreeMap, HashMap};

use super::{Repo, Result};
use crate::commit::Commit;
use crate::crypto::PublicKey;
use crate::data::{Blocks, Cid};
use crate::store::RefName;
use crate::syntax::Tid;

/// What the log of a merge says: the word, the commit that was merged, and the key that it was said to
/// be signed with, if that was said.
pub(super) fn merge_note(theirs: Cid, key: Option<&PublicKey>) -> String {
    match key {
        Some(key) => format!("{MERGE} {theirs} {}", key.did_key()),
        None => format!("{MERGE} {theirs}"),
    }
}

pub(super) const MERGE: &str = "merge";

/// What keeps the other side of the last merge of a file.
pub(super) fn merged_ref() -> RefName {
    "merged".parse().expect("letters are a name")
}

/// How a ref came to a commit: where it stood before, and what was merged on the way.
struct Arrival {
    stood: Option<Cid>,
    merged: Option<Cid>,
}

/// What the log knows of commits.
struct Arrivals(HashMap<Cid, Vec<Arrival>>);

impl Arrivals {
    fn of(repo: &Repo) -> Result<Self> {
        let mut arrivals: HashMap<_, Vec<_>> = HashMap::new();
        for row in repo.moves()? {
            let mut words = row.note.split(' ');
            let merges = words.next() == Some(MERGE);
            let merged = words.next().filter(|_| merges).and_then(|cid| cid.parse().ok());
            // One file after another says nothing about which commit follows on which.
            let stood = row.before.filter(|_| row.name != merged_ref());
            if let Some(after) = row.after {
                arrivals.entry(after).or_default().push(Arrival { stood, merged });
            }
        }
        Ok(Self(arrivals))
    }

    /// Finds the commits that came before one: what it names, what was merged into it, and for the
    /// commit of a server, which names none, the one of the server that stood there before.
    fn before(&self, commit: &Commit, blocks: &dyn Blocks) -> Result<Vec<Commit>> {
        let named = commit.prev().map(|prev| read(blocks, prev)).transpose()?.flatten();
        let mut before: Vec<Commit> = named.into_iter().collect();
        for Arrival { stood, merged } in self.0.get(&commit.cid()).into_iter().flatten() {
            if let Some(merged) = merged.filter(|merged| *merged != commit.cid()) {
                before.extend(read(blocks, merged)?);
            }
            if let (None, Some(stood)) = (commit.prev(), stood) {
                before.extend(of_server(blocks, *stood)?);
            }
        }
        // A move back comes later in the log, and from something later.
        before.retain(|before| before.rev() < commit.rev());
        Ok(before)
    }
}

/// Goes back from commits that were made here to the one of a server that they were made on: of what
/// was made here a server knows nothing.
fn of_server(blocks: &dyn Blocks, from: Cid) -> Result<Option<Commit>> {
    let mut at = read(blocks, from)?;
    while let Some(prev) = at.as_ref().and_then(Commit::prev) {
        at = read(blocks, prev)?;
    }
    Ok(at)
}

fn read(blocks: &dyn Blocks, cid: Cid) -> Result<Option<Commit>> {
    let block = blocks.get(&cid)?;
    Ok(block.map(|block| Commit::decode(&block)).transpose()?)
}

/// Who has a commit behind it.
#[derive(Clone, Copy, Default)]
struct Reached {
    by_ours: bool,
    by_theirs: bool,
}

/// Commits that are still to be looked at, the latest at the end.
#[derive(Default)]
struct Waiting(BTreeMap<(Option<Tid>, Cid), (Commit, Reached)>);

impl Waiting {
    fn reach(&mut self, commit: Commit, by: Reached) {
        let place = (commit.rev(), commit.cid());
        let (_, reached) = self.0.entry(place).or_insert((commit, Reached::default()));
        reached.by_ours |= by.by_ours;
        reached.by_theirs |= by.by_theirs;
    }
}

impl Repo {
    /// Finds the latest commit in the store that two commits have in common, one of which may be
    /// among blocks that are not in the store.
    ///
    /// Revs ascend along the way from a commit to the ones after it, so going back by the greatest rev
    /// meets every commit after all that lead to it, and ends where the lines meet.
    pub(super) fn common_ancestor(
        &self,
        blocks: &dyn Blocks,
        ours: &Commit,
        theirs: &Commit,
    ) -> Result<Option<Commit>> {
        let arrivals = Arrivals::of(self)?;
        let mut waiting = Waiting::default();
        waiting.reach(ours.clone(), Reached { by_ours: true, by_theirs: false });
        waiting.reach(theirs.clone(), Reached { by_ours: false, by_theirs: true });
        while let Some((_, (commit, reached))) = waiting.0.pop_last() {
            // A commit that came along without its tree says where it comes from, and is no base.
            let is_common = reached.by_ours && reached.by_theirs;
            if is_common && self.store.get(&commit.cid())?.is_some() {
                return Ok(Some(commit));
            }
            for before in arrivals.before(&commit, blocks)? {
                waiting.reach(before, reached);
            }
        }
        Ok(None)
    }
}
