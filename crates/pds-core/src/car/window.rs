//! Many blocks of a file at once, in the order in which they stand in it.

use super::ReadAt;
use super::index::Place;
use crate::data::{Block, Cid, ReadError};

/// What came of a question: a block, nothing, or an error.
type Answer = Result<Option<Block>, ReadError>;

/// Reads the blocks that these places are said to have, neighbours together.
///
/// A place is where the block should be; `None` is none. The answers are in the order of the questions.
pub(super) fn read(file: &impl ReadAt, wanted: &[(Cid, Option<Place>)]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    answers.resize_with(wanted.len(), || Ok(None));
    let mut order: Vec<(Place, usize)> = Vec::with_capacity(wanted.len());
    for (index, (_, place)) in wanted.iter().enumerate() {
        order.extend(place.map(|place| (place, index)));
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
        let read = file.read_exact_at(&mut buffer, start);
        for (place, index) in run {
            let cid = wanted[*index].0;
            answers[*index] = match &read {
                Ok(()) => {
                    let from = usize::try_from(place.offset() - start).unwrap_or(usize::MAX);
                    let section = buffer.get(from..from.saturating_add(place.section_len()));
                    block(cid, section.unwrap_or_default())
                }
                Err(error) => Err(ReadError::backend(cid, std::io::Error::from(error.kind()))),
            };
        }
    }
    answers
}

/// Checks a section, which is another block's when the file has changed.
pub(super) fn block(cid: Cid, section: &[u8]) -> Answer {
    let Some((_, data)) =
        section.split_at_checked(Cid::LEN).filter(|(found, _)| found == cid.as_bytes())
    else {
        return Ok(None);
    };
    Block::verified(cid, data).map(Some).map_err(|source| ReadError::Damaged { cid, source })
}

/// Up to which distance it is faster to read on than to ask the system again.
const MAX_GAP: u64 = 4 * 1024;

/// How much is read at a time.
const MAX_RUN: u64 = 256 * 1024;
