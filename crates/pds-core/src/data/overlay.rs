//! An overlay of two block sources.

use crate::data::block::{Block, Blocks, ReadError, get_some};
use crate::data::cid::Cid;
use std::fmt;

/// Two sources that are read as one. Blocks that the upper source does not have are read from the
/// lower.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// The source that is read first: a slice, a proof or a draft.
    pub over: &'a dyn Blocks,
    /// The source of the remaining blocks, usually a store.
    pub under: &'a dyn Blocks,
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

impl Blocks for Overlay<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        match self.over.get(cid)? {
            Some(block) => Ok(Some(block)),
            None => self.under.get(cid),
        }
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let mut answers = get_some(self.over, cids);
        let is_absent = |answer: &Result<_, _>| matches!(answer, Ok(None));
        let absent: Vec<usize> =
            (0..answers.len()).filter(|at| answers.get(*at).is_some_and(is_absent)).collect();
        if absent.is_empty() {
            return answers;
        }
        let asked: Vec<Cid> = absent.iter().filter_map(|at| cids.get(*at).copied()).collect();
        let mut below = get_some(self.under, &asked).into_iter();
        for at in absent {
            match below.next() {
                Some(answer) => answers[at] = answer,
                // The lower source has returned a part. The results end before the first block that
                // is missing from it.
                None => {
                    answers.truncate(at);
                    break;
                }
            }
        }
        answers
    }

    fn batch(&self) -> usize {
        self.over.batch().max(self.under.batch())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::block::{MemoryBlocks, get_all};
    use crate::data::cid::Codec;

    #[test]
    fn an_overlay_returns_results_of_both_in_order() {
        let [a, b, c] = [*b"a", *b"b", *b"c"].map(|bytes| Block::new(Codec::Raw, bytes));
        let over: MemoryBlocks = [a.clone()].into_iter().collect();
        let under: MemoryBlocks = [b.clone()].into_iter().collect();
        let both = Overlay { over: &over, under: &under };
        let asked = [b.cid(), c.cid(), a.cid(), b.cid()];
        let answers: Vec<_> = both.get_many(&asked).into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [Some(b.clone()), None, Some(a.clone()), Some(b.clone())]);
        assert_eq!(both.get(&b.cid()).unwrap(), Some(b));
        assert_eq!(both.get(&c.cid()).unwrap(), None);
    }

    /// A source that returns at most this many results together, and fails for one block.
    struct Partial {
        blocks: MemoryBlocks,
        together: usize,
        failing: Option<Cid>,
    }

    impl Blocks for Partial {
        fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
            if self.failing == Some(*cid) {
                return Err(ReadError::backend(*cid, "unreadable"));
            }
            self.blocks.get(cid)
        }

        fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
            cids.iter().take(self.together).map(|cid| self.get(cid)).collect()
        }

        fn batch(&self) -> usize {
            self.together
        }
    }

    #[test]
    fn an_overlay_returns_a_prefix_if_a_source_does() {
        let blocks: Vec<Block> = (0..12_u8).map(|n| Block::new(Codec::Raw, [n])).collect();
        let asked: Vec<Cid> = blocks.iter().map(Block::cid).collect();
        let third = |rest| blocks.iter().skip(rest).step_by(3).cloned().collect();
        let failing = [asked[3], asked[7]].map(Some);
        for (over, under) in (0..=5).flat_map(|over| (0..=5).map(move |under| (over, under))) {
            let over = Partial { blocks: third(0), together: over, failing: failing[0] };
            let under = Partial { blocks: third(1), together: under, failing: failing[1] };
            let both = Overlay { over: &over, under: &under };
            assert_eq!(both.batch(), over.together.max(under.together));
            let alone = |answer: Result<Option<Block>, ReadError>| answer.map_err(|e| e.cid());
            let expected: Vec<_> = asked.iter().map(|cid| alone(both.get(cid))).collect();
            let some: Vec<_> = both.get_many(&asked).into_iter().map(alone).collect();
            assert!(!some.is_empty());
            assert_eq!(some, expected[..some.len()]);
            let all = get_all(&both, &asked);
            assert_eq!(all.len(), asked.len());
            assert_eq!(all.map(alone).collect::<Vec<_>>(), expected);
        }
        let nothing = MemoryBlocks::default();
        assert!(Overlay { over: &nothing, under: &nothing }.get_many(&[]).is_empty());
    }
}
