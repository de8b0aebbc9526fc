//! Many blocks of a file at once, in the order in which they stand in it.

use std::io::{Read, Seek, SeekFrom};

use super::file::Place;
use crate::data::{Block, Cid, ReadError};

/// What came of a question: a block, nothing, or an error.
type Answer = Result<Option<Block>, ReadError>;

/// Reads the blocks that these places are said to have, neighbours together.
///
/// A place is where the block should be; `None` is none. The answers are in the order of the questions. A
/// place that turns out to have another block is answered with `None` in the second list, to be looked
/// at one by one: two digests may start alike.
pub(super) fn read(
    file: &mut (impl Read + Seek),
    wanted: &[(Cid, Option<Place>)],
) -> Vec<Option<Answer>> {
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(wanted.len(), || None);
    let mut order: Vec<(Place, usize)> = Vec::with_capacity(wanted.len());
    for (index, (_, place)) in wanted.iter().enumerate() {
        match place {
            Some(place) => order.push((*place, index)),
            None => answers[index] = Some(Ok(None)),
        }
    }
    order.sort_unstable_by_key(|(place, _)| place.offset());
    let mut buffer = Vec::new();
    let mut rest = &order[..];
    while let Some((first, _)) = rest.first() {
        let start = first.offset();
        let mut end = start + first.section_len() as u64;
        let together = rest
            .iter()
            .take_while(|(place, _)| {
                let next = place.offset() + place.section_len() as u64;
                let belongs =
                    place.offset() <= end + MAX_GAP && next <= start + MAX_RUN.max(end - start);
                if belongs {
                    end = end.max(next);
                }
                belongs
            })
            .count();
        let (run, others) = rest.split_at(together);
        rest = others;
        buffer.resize(usize::try_from(end - start).unwrap_or(0), 0);
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut buffer));
        for (place, index) in run {
            let cid = wanted[*index].0;
            answers[*index] = match &read {
                Ok(()) => {
                    let from = usize::try_from(place.offset() - start).unwrap_or(usize::MAX);
                    let section = buffer.get(from..from.saturating_add(place.section_len()));
                    block(cid, section.unwrap_or_default())
                }
                Err(error) => {
                    Some(Err(ReadError::backend(cid, std::io::Error::from(error.kind()))))
                }
            };
        }
    }
    answers
}

/// Checks a section; `None` when it is another block's.
fn block(cid: Cid, section: &[u8]) -> Option<Answer> {
    let (found, data) = section.split_at_checked(Cid::LEN)?;
    if found != cid.as_bytes() {
        return None;
    }
    let block = Block::verified(cid, data);
    Some(block.map(Some).map_err(|source| ReadError::Damaged { cid, source }))
}

/// Up to which distance it is faster to read on than to ask the system again.
const MAX_GAP: u64 = 4 * 1024;

/// How much is read at a time.
const MAX_RUN: u64 = 256 * 1024;
