//! The blobs that checked records refer to, up to a limit.

use std::collections::BTreeSet;

use pds_core::data::cid::Cid;

/// The blobs that records refer to. A hostile file refers to millions, so only a part of them may be here.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotedBlobs {
    pub(crate) cids: BTreeSet<Cid>,
    /// Whether records refer to further blobs.
    pub(crate) has_more: bool,
}

impl NotedBlobs {
    pub(crate) fn add(&mut self, cids: impl IntoIterator<Item = Cid>) {
        for cid in cids {
            if self.cids.len() < MAX_NOTED_BLOBS {
                self.cids.insert(cid);
            } else if !self.cids.contains(&cid) {
                self.has_more = true;
            }
        }
    }

    pub(crate) fn add_all(&mut self, others: Self) {
        self.has_more |= others.has_more;
        self.add(others.cids);
    }
}

/// The most blobs that an import takes note of. They take about six megabytes, and each is looked for in the blob store.
const MAX_NOTED_BLOBS: usize = 100_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::data::cid::Codec;

    #[test]
    fn blobs_above_the_limit_are_not_kept() {
        let cid = |n: usize| Cid::of(Codec::Raw, &n.to_le_bytes());
        let mut noted = NotedBlobs::default();
        noted.add((0..MAX_NOTED_BLOBS).map(cid));
        noted.add([cid(0)]);
        assert_eq!((noted.cids.len(), noted.has_more), (MAX_NOTED_BLOBS, false));
        noted.add([cid(MAX_NOTED_BLOBS)]);
        assert_eq!((noted.cids.len(), noted.has_more), (MAX_NOTED_BLOBS, true));
        let mut others = NotedBlobs::default();
        others.add_all(noted);
        assert_eq!((others.cids.len(), others.has_more), (MAX_NOTED_BLOBS, true));
    }
}
