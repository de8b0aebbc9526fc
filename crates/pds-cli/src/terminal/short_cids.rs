//! Short forms of CIDs.

use std::collections::HashMap;

use pds::data::Cid;

/// The short forms of the CIDs of one answer: the eight letters after the constant head.
///
/// A short form that belongs to two CIDs grows by two letters until it differs, for the CIDs that were noted before.
#[derive(Default)]
pub(crate) struct ShortCids {
    noted: HashMap<String, Vec<Cid>>,
    count: usize,
}

impl ShortCids {
    /// Notes a CID of the answer.
    pub(crate) fn note(&mut self, cid: &Cid) {
        if self.count >= MAX_NOTED {
            return;
        }
        let group = self.noted.entry(beginning(&tail(cid), LETTERS)).or_default();
        if !group.contains(cid) {
            group.push(*cid);
            self.count += 1;
        }
    }

    /// Returns the short form of a CID, and notes it.
    pub(crate) fn short(&mut self, cid: &Cid) -> String {
        self.note(cid);
        let tail = tail(cid);
        let group = self.noted.get(&beginning(&tail, LETTERS));
        let mut letters = LETTERS;
        loop {
            let short = beginning(&tail, letters);
            let is_taken = group.is_some_and(|group| {
                group.iter().any(|other| other != cid && self::tail(other).starts_with(&short))
            });
            if !is_taken || letters >= tail.len() {
                return short;
            }
            letters += MORE_LETTERS;
        }
    }
}

impl ShortCids {
    /// Notes the CIDs in a sentence.
    pub(crate) fn note_all(&mut self, text: &str) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter_map(|word| word.parse().ok()).for_each(|cid| self.note(&cid));
    }

    /// Replaces the CIDs in a sentence by their short forms.
    pub(crate) fn within(&mut self, text: &str) -> String {
        let mut short_text = String::with_capacity(text.len());
        for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            match word.parse::<Cid>() {
                Ok(cid) => {
                    short_text.push_str(&self.short(&cid));
                    short_text.push_str(part.get(word.len()..).unwrap_or_default());
                }
                Err(_) => short_text.push_str(part),
            }
        }
        short_text
    }
}

/// Returns the short form of one CID.
pub(crate) fn short(cid: &Cid) -> String {
    beginning(&tail(cid), LETTERS)
}

/// Replaces the CIDs in a sentence by their short forms.
pub(crate) fn with_short_cids(text: &str) -> String {
    let mut shorts = ShortCids::default();
    shorts.note_all(text);
    shorts.within(text)
}

/// Returns the letters after the head, which all CIDs of blocks share, and all CIDs of blobs.
fn tail(cid: &Cid) -> String {
    cid.to_string().get(HEAD_LETTERS..).unwrap_or_default().to_owned()
}

fn beginning(text: &str, letters: usize) -> String {
    text.get(..letters).unwrap_or(text).to_owned()
}

/// The length of `bafyrei` and of `bafkrei`.
const HEAD_LETTERS: usize = 7;

const LETTERS: usize = 8;

const MORE_LETTERS: usize = 2;

/// The most CIDs that are noted, so that a long answer needs little memory.
const MAX_NOTED: usize = 100_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_grow_until_they_differ() {
        let one: Cid =
            "bafyreidwydhkxbncvxuvbwefh5wchyyei7fikeu4oplmgkynqmsvpcjo2i".parse().unwrap();
        let other: Cid =
            "bafyreidwydhkxbacvxuvbwefh5wchyyei7fikeu4oplmgkynqmsvpcjo2i".parse().unwrap();
        let mut shorts = ShortCids::default();
        assert_eq!(shorts.short(&one), "dwydhkxb");
        assert_eq!(shorts.short(&one), "dwydhkxb");
        assert_eq!(shorts.short(&other), "dwydhkxbac");
        assert_eq!(shorts.short(&one), "dwydhkxbnc");
        assert_eq!(short(&other), "dwydhkxb");
        let sentence = format!("block {one} is missing, not {other}.");
        assert_eq!(with_short_cids(&sentence), "block dwydhkxbnc is missing, not dwydhkxbac.");
        assert_eq!(with_short_cids("no CID, ✓ at all"), "no CID, ✓ at all");
    }
}
