//! One damage of a file, chosen by chance.

use super::base::{Base, DATABASE, Files};
use crate::common::torture::Random;

const PAGE_BYTES: usize = 8192;
const SECTOR_BYTES: usize = 512;
const BLOCK_BYTES: usize = 4096;

/// The fields of the header of a SQLite file: offset and length.
const HEADER_FIELDS: [(usize, usize); 18] = [
    (0, 16),
    (16, 2),
    (18, 1),
    (19, 1),
    (20, 1),
    (21, 3),
    (24, 4),
    (28, 4),
    (32, 4),
    (36, 4),
    (40, 4),
    (44, 4),
    (48, 4),
    (52, 4),
    (56, 4),
    (60, 4),
    (68, 4),
    (92, 8),
];

/// A number below a limit.
pub(super) fn below(random: &mut Random, limit: usize) -> usize {
    usize::try_from(random.below(limit.max(1) as u64)).unwrap()
}

/// Any byte.
pub(super) fn byte(random: &mut Random) -> u8 {
    u8::try_from(random.below(256)).unwrap()
}

/// Damages a file, and says how. Also tells whether an earlier state may be the result.
pub(super) fn damage(
    base: &Base,
    files: &mut Files,
    file: &str,
    random: &mut Random,
) -> (String, bool) {
    let mut is_earlier = file != DATABASE;
    let bytes = files.get_mut(file).unwrap();
    let how = match below(random, 20) {
        0..=3 => bits(bytes, random),
        4..=5 => some_bytes(bytes, random),
        6 => overwritten(bytes, SECTOR_BYTES, random),
        7..=8 => overwritten(bytes, BLOCK_BYTES, random),
        9..=11 => overwritten(bytes, PAGE_BYTES, random),
        12 => swapped(bytes, PAGE_BYTES, random),
        13 => copied_over(bytes, random),
        14 if file == DATABASE => {
            is_earlier = true;
            page_of_before(bytes, &base.earlier, random)
        }
        14..=15 => cut(bytes, random),
        16 => shifted(bytes, random),
        17..=18 => header(bytes, random),
        _ => many(bytes, random),
    };
    (format!("{} {file}: {how}", base.name), is_earlier)
}

fn bits(bytes: &mut [u8], random: &mut Random) -> String {
    let mut how = Vec::new();
    for _ in 0..=below(random, 3) {
        let (at, bit) = (below(random, bytes.len()), below(random, 8));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
        how.push(format!("bit {bit} of byte {at} flipped"));
    }
    how.join(", ")
}

fn some_bytes(bytes: &mut [u8], random: &mut Random) -> String {
    let (at, count) = (below(random, bytes.len()), 1 + below(random, 16));
    let end = bytes.len().min(at + count);
    bytes[at..end].iter_mut().for_each(|at| *at = byte(random));
    format!("bytes {at}..{end} are random")
}

/// Overwrites one aligned part.
fn overwritten(bytes: &mut [u8], part: usize, random: &mut Random) -> String {
    let at = below(random, bytes.len().div_ceil(part)) * part;
    let end = bytes.len().min(at + part);
    let how = match below(random, 5) {
        0 | 1 => {
            bytes[at..end].fill(0);
            "zeros"
        }
        2 => {
            bytes[at..end].fill(0xff);
            "ones"
        }
        3 => {
            bytes[at..end].iter_mut().for_each(|at| *at = byte(random));
            "random"
        }
        _ => {
            let text = b"The quick brown fox jumps over the lazy dog.\n".iter().cycle();
            bytes[at..end].iter_mut().zip(text).for_each(|(byte, text)| *byte = *text);
            "text"
        }
    };
    format!("bytes {at}..{end} are {how}")
}

/// Exchanges two whole parts.
fn swapped(bytes: &mut [u8], part: usize, random: &mut Random) -> String {
    let count = bytes.len() / part;
    let (a, b) = (below(random, count), below(random, count));
    if count > 0 {
        for n in 0..part {
            bytes.swap(a * part + n, b * part + n);
        }
    }
    format!("pages {} and {} are swapped", a + 1, b + 1)
}

/// Writes a page in the place of another, too.
fn copied_over(bytes: &mut [u8], random: &mut Random) -> String {
    let count = bytes.len() / PAGE_BYTES;
    let (from, to) = (below(random, count), below(random, count));
    if count > 0 {
        bytes.copy_within(from * PAGE_BYTES..(from + 1) * PAGE_BYTES, to * PAGE_BYTES);
    }
    format!("page {} is also in the place of page {}", from + 1, to + 1)
}

/// Loses the last writes to one page.
fn page_of_before(bytes: &mut [u8], earlier: &[u8], random: &mut Random) -> String {
    let at = below(random, earlier.len().min(bytes.len()) / PAGE_BYTES) * PAGE_BYTES;
    bytes[at..at + PAGE_BYTES].copy_from_slice(&earlier[at..at + PAGE_BYTES]);
    format!("page {} is as it was some writes before", at / PAGE_BYTES + 1)
}

fn cut(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let mut len = below(random, bytes.len());
    match below(random, 4) {
        0 => len -= len % PAGE_BYTES,
        1 => len -= len % SECTOR_BYTES,
        2 => len = bytes.len().saturating_sub(1 + below(random, 100)),
        _ => {}
    }
    bytes.truncate(len);
    format!("cut to {len} bytes")
}

/// Inserts bytes, deletes some, or appends some.
fn shifted(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let (at, count) = (below(random, bytes.len()), 1 + below(random, 2 * PAGE_BYTES));
    match below(random, 3) {
        0 => {
            let end = bytes.len().min(at + count);
            bytes.drain(at..end);
            format!("bytes {at}..{end} are deleted")
        }
        1 => {
            bytes.splice(at..at, std::iter::repeat_n(0x55, count));
            format!("{count} bytes are inserted at {at}")
        }
        _ => {
            bytes.extend((0..count).map(|_| byte(random)));
            format!("{count} random bytes are appended")
        }
    }
}

/// Changes the beginning of the file, or one field of it.
fn header(bytes: &mut [u8], random: &mut Random) -> String {
    let (at, len) = HEADER_FIELDS[below(random, HEADER_FIELDS.len())];
    let end = bytes.len().min(at + len);
    let Some(field) = bytes.get_mut(at..end) else { return "too short for a header".to_owned() };
    let how = match below(random, 4) {
        0 => {
            field.fill(0);
            "zero"
        }
        1 => {
            field.fill(0xff);
            "the greatest number"
        }
        2 => {
            field.iter_mut().for_each(|at| *at = byte(random));
            "random"
        }
        _ => {
            if let Some(last) = field.last_mut() {
                *last = last.wrapping_add(1);
            }
            "one more"
        }
    };
    format!("bytes {at}..{end} of the header are {how}")
}

/// Damages many places, as a failing disk does.
fn many(bytes: &mut [u8], random: &mut Random) -> String {
    let count = 2 + below(random, 30);
    let how: Vec<String> = (0..count)
        .map(|_| match below(random, 3) {
            0 => bits(bytes, random),
            1 => some_bytes(bytes, random),
            _ => overwritten(bytes, SECTOR_BYTES, random),
        })
        .collect();
    how.join(", ")
}
