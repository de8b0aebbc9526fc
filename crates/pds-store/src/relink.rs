//! The links between the entries of a log after a sweep or a salvage has dropped some.

use std::collections::HashMap;

use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::sweep::Fate;
use crate::version::Version;
use pds_core::data::cid::Cid;

/// Links the entries of a log again after some were dropped, one by one in their order.
///
/// A back end passes every entry of its log to [`next`](Self::next), and writes the results.
#[derive(Debug, Default)]
pub struct Relink {
    /// The marked change. Entries after it belong to the sweep's own change and are kept.
    marked: u64,
    /// The commit that each ref points to after its last kept entry, and the number of that entry.
    last: HashMap<RefName, (Option<Cid>, u64)>,
}

impl Relink {
    /// Returns the state before the first entry of a log. The entries up to the marked change are
    /// filtered.
    #[must_use]
    pub fn new(marked: Version) -> Self {
        Self { marked: marked.change, last: HashMap::new() }
    }

    /// Processes the next entry and returns it relinked, or `None` if it is dropped.
    ///
    /// An entry that no longer moves its ref is dropped as well.
    pub fn next(
        &mut self,
        mut entry: LogEntry,
        fate: &mut dyn FnMut(&LogEntry) -> Fate,
    ) -> Option<LogEntry> {
        let before = self.last.get(&entry.name).and_then(|(after, _)| *after);
        let is_decided_on = entry.after.is_some() && entry.seq <= self.marked;
        let fate = if is_decided_on { fate(&entry) } else { Fate::Stays };
        match fate {
            Fate::Goes => return None,
            Fate::StaysWithoutMessage => entry.message.clear(),
            Fate::Stays => {}
        }
        if before == entry.after && entry.before != entry.after {
            return None;
        }
        entry.before = before;
        self.last.insert(entry.name.clone(), (entry.after, entry.seq));
        Some(entry)
    }

    /// Returns the number of the last entry of each ref that points to a commit.
    pub fn ends(self) -> impl Iterator<Item = (RefName, u64)> {
        let present = self.last.into_iter().filter(|(_, (after, _))| after.is_some());
        present.map(|(name, (_, seq))| (name, seq))
    }
}
