//! Files that were valid before a part of them was lost or changed.

use super::repo_cases::{Case, one};
use super::support::{empty_mirror, state};

/// Checks that a file does not verify, and that a refused import leaves the store unchanged.
fn is_refused(case: &Case) {
    let (report, findings) = case.verify();
    assert!(!report.is_ok(), "{}: {findings:#?}", case.name);
    let repo = empty_mirror();
    let before = state(&repo);
    let error = case.import(&repo).expect_err(&case.name);
    assert!(error.is_corrupt(), "{}: {error}", case.name);
    assert_eq!(state(&repo), before, "{}", case.name);
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for name in ["ok-empty.car", "ok-tall-empty-nodes.car"] {
        let Some(whole) = one(name) else { return };
        for end in 0..whole.bytes.len() {
            let bytes = whole.bytes[..end].to_vec();
            is_refused(&whole.with_bytes(format!("{name}, cut at {end}"), bytes));
        }
    }
}

#[test]
fn a_file_with_a_changed_byte_is_refused() {
    let Some(whole) = one("ok-preorder.car") else {
        return;
    };
    let mut random = Random::new();
    for round in 0..2_000 {
        // Every byte of this file matters: it is hashed, or it determines how other bytes are read.
        let mut bytes = whole.bytes.clone();
        let at = random.below(bytes.len());
        bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
        is_refused(&whole.with_bytes(format!("round {round}, byte {at}"), bytes));
    }
}

#[test]
fn a_file_without_one_of_its_blocks_is_refused() {
    let Some(whole) = one("ok-preorder.car") else {
        return;
    };
    let mut reader = pds::car::CarReader::new(&whole.bytes[..]).unwrap();
    let mut from = reader.offset();
    let mut sections = Vec::new();
    while reader.next_section().unwrap().is_some() {
        sections.push(from..reader.offset());
        from = reader.offset();
    }
    assert!(sections.len() > 20);
    for (index, section) in sections.iter().enumerate() {
        let [start, end] = [section.start, section.end].map(|at| usize::try_from(at).unwrap());
        let bytes = [&whole.bytes[..start], &whole.bytes[end..]].concat();
        is_refused(&whole.with_bytes(format!("without block {index}"), bytes));
    }
}

/// Random numbers (xorshift64), so that every machine runs the same rounds.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
