//! Batched reads of blocks from a file, in file order.

use std::convert::Infallible;
use std::io::Error;

use crate::car::error::CarError;
use crate::car::index::Place;
use crate::car::read_at::ReadAt;
use crate::data::block::{Block, ReadError};
use crate::data::cid::Cid;

/// The result for one block.
type Answer = Result<Option<Block>, ReadError>;

/// Reads the blocks at these places. Neighbouring blocks share one read.
///
/// A place is the expected position of the block, or `None` if the file does not have it. The
/// results are in the order of `wanted`.
pub(crate) fn read(file: &impl ReadAt, wanted: &[(Cid, Option<Place>)]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    answers.resize_with(wanted.len(), || Ok(None));
    let mut order: Vec<(Place, usize)> = Vec::with_capacity(wanted.len());
    for (index, (_, place)) in wanted.iter().enumerate() {
        order.extend(place.map(|place| (place, index)));
    }
    order.sort_unstable_by_key(|(place, _)| place.offset());
    let never_fails = each_section(file, &order, |(_, index), section| {
        let cid = wanted[*index].0;
        answers[*index] = match section {
            Ok(section) => block(cid, section),
            Err(error) => Err(ReadError::backend(cid, copied(error))),
        };
        Ok::<(), Infallible>(())
    });
    match never_fails {
        Ok(()) => answers,
    }
}

/// Checks that the sections at these places match their CIDs.
///
/// # Errors
///
/// [`CarError::Damaged`] with the offset of the first CID whose bytes do not match it, and [`CarError::Io`].
pub(crate) fn check(file: &impl ReadAt, mut places: Vec<(Place, ())>) -> Result<(), CarError> {
    places.sort_unstable_by_key(|(place, ())| place.offset());
    each_section(file, &places, |(place, ()), section| {
        let section = section.map_err(copied)?;
        let (cid, data) = section.split_at_checked(Cid::LEN).unwrap_or_default();
        let cid = Cid::from_bytes(cid).map_err(Error::other)?;
        let checked = Block::verified(cid, data);
        let offset = place.offset();
        checked.map(drop).map_err(|source| CarError::damaged(offset, cid, data, source))
    })
}

/// Reads the sections at some places, which are sorted by their offset. Neighbouring sections share one read.
fn each_section<T, E>(
    file: &impl ReadAt,
    places: &[(Place, T)],
    mut each: impl FnMut(&(Place, T), Result<&[u8], &Error>) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = Vec::new();
    let mut rest = places;
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
        for one in run {
            let place = &one.0;
            let from = usize::try_from(place.offset() - start).unwrap_or(usize::MAX);
            let section = buffer.get(from..from.saturating_add(place.section_len()));
            each(one, read.as_ref().map(|()| section.unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// Returns an error with the same code of the operating system, because one read may fail for many blocks.
fn copied(error: &Error) -> Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), Error::from_raw_os_error)
}

/// Checks the bytes of a section. If the file has changed, the section may contain another block.
pub(crate) fn block(cid: Cid, section: &[u8]) -> Answer {
    let Some((_, data)) =
        section.split_at_checked(Cid::LEN).filter(|(found, _)| found == cid.as_bytes())
    else {
        return Ok(None);
    };
    Block::verified(cid, data).map(Some).map_err(|source| ReadError::Damaged { cid, source })
}

/// The largest gap in bytes that is faster to read than to skip with another system call.
const MAX_GAP: u64 = 4 * 1024;

/// The size of one read, in bytes.
const MAX_RUN: u64 = 256 * 1024;
