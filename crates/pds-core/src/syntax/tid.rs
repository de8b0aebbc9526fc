//! TIDs: timestamps that sort as text.

use std::fmt;
use std::str::{self, FromStr};

use crate::syntax::error::SyntaxError;

/// A timestamp identifier: a 64-bit number whose text, such as `3jzfcijpj2z2a`, sorts by age.
///
/// From the top, the number has one zero bit, 53 bits of microseconds since the Unix epoch, and 10
/// bits of clock identifier, which keep two generators apart. The text has 13 characters in a base
/// 32 whose alphabet is in ASCII order, so texts and numbers sort alike. TIDs name most records. As
/// the `rev` of a commit they order the commits of a repository.
///
/// A TID proves no date: its generator may write any time. Two repositories may contain the same
/// TID.
///
/// The syntax allows a set top bit although the layout requires zero. Such a TID can be parsed, but
/// [`Tid::new`] and [`Tid::next`] never return one.
///
/// Spec: [Timestamp Identifiers, "TID Structure" and "TID Syntax"](https://atproto.com/specs/tid).
///
/// ```
/// use pds::syntax::Tid;
///
/// let tid: Tid = "3jzfcijpj2z2a".parse()?;
/// assert_eq!(tid.micros(), 1_688_137_381_887_007);
/// assert_eq!(tid.clock_id(), 6);
/// assert_eq!(tid.to_string(), "3jzfcijpj2z2a");
/// # Ok::<(), pds::syntax::SyntaxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(u64);

impl Tid {
    /// Returns the TID with these parts, or `None` if the microseconds need more than 53 bits or
    /// the clock identifier more than 10.
    pub fn new(micros: u64, clock_id: u16) -> Option<Self> {
        if micros > MAX_MICROS || clock_id > MAX_CLOCK_ID {
            return None;
        }
        Some(Self(micros << CLOCK_ID_BITS | u64::from(clock_id)))
    }

    /// Returns the TID to use at `now_micros`. It is greater than `after` even if the clock was set
    /// back.
    ///
    /// Pass the previous TID (for commits: the `rev` of the current one) as `after`. If the clock
    /// has advanced since then, the result shows the current time. Otherwise the result is one
    /// microsecond after `after`. A clock in milliseconds may be multiplied by 1,000. Only the low
    /// 10 bits of `clock_id` are used. It should be random, and constant for one generator.
    ///
    /// Returns `None` only if the microseconds need more than 53 bits. That happens from the year
    /// 2255 on, or if `after` claims such a time.
    ///
    /// ```
    /// use pds::syntax::Tid;
    ///
    /// let first = Tid::next(1_700_000_000_000_000, 7, None).expect("the year is 2023");
    /// assert_eq!(first.micros(), 1_700_000_000_000_000);
    ///
    /// // The clock was set back by a minute.
    /// let second = Tid::next(1_699_999_940_000_000, 7, Some(first)).expect("the year is 2023");
    /// assert!(second > first);
    /// assert_eq!(second.micros(), 1_700_000_000_000_001);
    /// ```
    pub fn next(now_micros: u64, clock_id: u16, after: Option<Self>) -> Option<Self> {
        let micros = match after {
            Some(after) if now_micros <= after.micros() => after.micros() + 1,
            _ => now_micros,
        };
        Self::new(micros, clock_id & MAX_CLOCK_ID)
    }

    /// Returns the TID with this number. Every number has a text, even with the top bit set.
    pub fn from_u64(integer: u64) -> Self {
        Self(integer)
    }

    /// Returns the number of this TID.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the microseconds since the Unix epoch.
    ///
    /// The result has more than 53 bits if the top bit is set.
    pub fn micros(self) -> u64 {
        self.0 >> CLOCK_ID_BITS
    }

    /// Returns the microseconds since the Unix epoch of a rev, or `None` if it is no time.
    ///
    /// Some servers count their commits from zero, and use the numbers as revs. The network has no commits from before
    /// 2022, so such a number is not the time of a commit.
    ///
    /// ```
    /// use pds::syntax::Tid;
    ///
    /// let [time, counter] = ["3jzfcijpj2z2a", "222222vgj7e22"].map(|rev| rev.parse::<Tid>());
    /// assert_eq!((time?.rev_micros(), counter?.rev_micros()), (Some(1_688_137_381_887_007), None));
    /// # Ok::<(), pds::syntax::SyntaxError>(())
    /// ```
    pub fn rev_micros(self) -> Option<u64> {
        Some(self.micros()).filter(|micros| *micros >= FIRST_REV_MICROS)
    }

    /// Returns the clock identifier, from 0 to 1,023.
    pub fn clock_id(self) -> u16 {
        let [.., high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low]) & MAX_CLOCK_ID
    }

    /// Parses a TID in the plain form or in the early form with hyphens, `3jzf-cij-pj2z-2a`.
    ///
    /// The hyphenated form occurs in old data. The protocol never adopted it, and this crate never
    /// writes it.
    ///
    /// # Errors
    ///
    /// If the text is not 13 TID characters, either plain or in groups of 4, 3, 4 and 2.
    pub fn parse_hyphenated(text: &str) -> Result<Self, SyntaxError> {
        let plain = match *text.as_bytes() {
            [a, b, c, d, b'-', e, f, g, b'-', h, i, j, k, b'-', l, m] => {
                decode(&[a, b, c, d, e, f, g, h, i, j, k, l, m])
            }
            _ => decode(text.as_bytes()),
        };
        plain.map(Self).map_err(|reason| SyntaxError::new("TID", text, reason))
    }

    fn to_text(self) -> [u8; TEXT_BYTES] {
        let mut text = [0; TEXT_BYTES];
        let mut rest = self.0;
        for character in text.iter_mut().rev() {
            *character = ALPHABET[(rest & DIGIT_MASK) as usize];
            rest >>= DIGIT_BITS;
        }
        text
    }
}

impl FromStr for Tid {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        match decode(text.as_bytes()) {
            Ok(integer) => Ok(Self(integer)),
            Err(reason) => Err(SyntaxError::new("TID", text, reason)),
        }
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_text();
        f.pad(str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

fn decode(text: &[u8]) -> Result<u64, &'static str> {
    if text.len() != TEXT_BYTES {
        return Err("a TID has 13 characters");
    }
    let mut integer = 0;
    for character in text {
        let digit = match character {
            b'2'..=b'7' => character - b'2',
            b'a'..=b'z' => character - b'a' + 6,
            _ => return Err("a TID holds only the characters 2-7 and a-z"),
        };
        // Thirteen digits of 5 bits are 65 bits, one more than the integer has.
        if integer >> (u64::BITS - DIGIT_BITS) != 0 {
            return Err("a TID starts with a character of 2-7 or a-j");
        }
        integer = integer << DIGIT_BITS | u64::from(digit);
    }
    Ok(integer)
}

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
const TEXT_BYTES: usize = 13;
const DIGIT_BITS: u32 = 5;
const DIGIT_MASK: u64 = 0x1f;
const CLOCK_ID_BITS: u32 = 10;
const MAX_CLOCK_ID: u16 = (1 << CLOCK_ID_BITS) - 1;
const MAX_MICROS: u64 = (1 << 53) - 1;
/// The start of 2022 in microseconds. The network has no older commits.
const FIRST_REV_MICROS: u64 = 1_640_995_200_000_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST: u64 = u64::MAX >> 1;

    #[test]
    fn known_values() {
        for (text, integer) in [
            ("2222222222222", 0),
            ("2222222222223", 1),
            ("222222222222z", 31),
            ("2222222222232", 32),
            ("3zzzzzzzzzzzz", (1 << 61) - 1),
            ("bzzzzzzzzzzzz", LAST),
            ("c222222222222", LAST + 1),
            ("jzzzzzzzzzzzz", u64::MAX),
        ] {
            assert_eq!(text.parse::<Tid>().unwrap().as_u64(), integer);
            assert_eq!(Tid::from_u64(integer).to_string(), text);
        }
    }

    #[test]
    fn refusals() {
        for bad in [
            "",
            "2",
            "222222222222",
            "22222222222222",
            "k222222222222",
            "zzzzzzzzzzzzz",
            "2222222222221",
            "2222222222228",
            "222222222222A",
            "222222222222é",
            "22222222222é",
            " 222222222222",
            "222222222222\n",
            "2222-222-2222-22",
        ] {
            assert!(bad.parse::<Tid>().is_err(), "{bad}");
        }
        let error = "k222222222222".parse::<Tid>().unwrap_err();
        assert_eq!(error.reason, "a TID starts with a character of 2-7 or a-j");
    }

    #[test]
    fn hyphens_only_in_their_places() {
        for good in ["3hgb-r7t-ngir-t4", "3hgbr7tngirt4"] {
            assert_eq!(Tid::parse_hyphenated(good).unwrap().to_string(), "3hgbr7tngirt4");
        }
        for bad in [
            "",
            "3hgb-r7t-ngirt4",
            "3hg-br7t-ngir-t4",
            "-3hgb-r7t-ngir-t4",
            "3hgb-r7t-ngir-t4-",
            "3hgb-r7t-ngir-1a",
            "zhgb-r7t-ngir-t4",
            "3hgb--7t-ngir-t4",
            "3hgbr7tngirt",
            "3hgbr7tngir-t",
        ] {
            assert!(Tid::parse_hyphenated(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn part_limits() {
        assert_eq!(Tid::new(MAX_MICROS, 1023).unwrap().as_u64(), LAST);
        assert_eq!(Tid::new(MAX_MICROS + 1, 0), None);
        assert_eq!(Tid::new(u64::MAX, 0), None);
        assert_eq!(Tid::new(0, 1024), None);
    }

    #[test]
    fn next_in_the_same_microsecond() {
        let after = Tid::new(1000, 900).unwrap();
        for now in [0, 999, 1000] {
            assert_eq!(Tid::next(now, 5, Some(after)), Tid::new(1001, 5));
        }
        assert_eq!(Tid::next(1001, 5, Some(after)), Tid::new(1001, 5));
        assert_eq!(Tid::next(1002, 0xfc05, Some(after)), Tid::new(1002, 5));
        assert_eq!(Tid::next(0, 0, None), Tid::new(0, 0));
    }

    #[test]
    fn next_at_the_end_of_time() {
        assert_eq!(Tid::next(MAX_MICROS, 0, None), Tid::new(MAX_MICROS, 0));
        assert_eq!(Tid::next(MAX_MICROS + 1, 0, None), None);
        let next = |after| Tid::next(0, 0, Some(Tid::from_u64(after)));
        assert_eq!(next(LAST - 1024), Tid::new(MAX_MICROS, 0));
        assert_eq!(next(LAST - 1023), None);
        assert_eq!(next(LAST), None);
        assert_eq!(next(LAST + 1), None);
        assert_eq!(next(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn round_trip(integer in any::<u64>()) {
            let tid = Tid::from_u64(integer);
            let text = tid.to_string();
            prop_assert_eq!(text.parse::<Tid>().unwrap(), tid);
            prop_assert_eq!(Tid::parse_hyphenated(&text).unwrap(), tid);
            prop_assert_eq!(tid.micros() << 10 | u64::from(tid.clock_id()), integer);
            if integer <= LAST {
                prop_assert_eq!(Tid::new(tid.micros(), tid.clock_id()), Some(tid));
            }
        }

        #[test]
        fn order_of_text_is_order_of_integers(left in any::<u64>(), near in -40_i64..40, far: u64) {
            for right in [left.wrapping_add_signed(near), far] {
                let (l, r) = (Tid::from_u64(left), Tid::from_u64(right));
                prop_assert_eq!(l.cmp(&r), left.cmp(&right));
                prop_assert_eq!(l.to_string().cmp(&r.to_string()), left.cmp(&right));
            }
        }

        #[test]
        fn next_always_grows(
            clocks in proptest::collection::vec((0..50_u64, any::<u16>()), 1..100),
            base in 0..MAX_MICROS - 1000,
        ) {
            let mut last = None;
            for (offset, clock_id) in clocks {
                let next = Tid::next(base + offset, clock_id, last);
                prop_assert!(next > last);
                prop_assert!(next.unwrap().as_u64() <= LAST);
                prop_assert_eq!(next.unwrap().clock_id(), clock_id & 1023);
                last = next;
            }
        }

        #[test]
        fn next_is_greater_or_none(now: u64, clock_id: u16, after: u64) {
            let after = Tid::from_u64(after);
            match Tid::next(now, clock_id, Some(after)) {
                Some(next) => prop_assert!(next > after && next.as_u64() <= LAST),
                None => prop_assert!(now > MAX_MICROS || after.micros() >= MAX_MICROS),
            }
        }

        #[test]
        fn never_panics(text in any::<String>(), like in "[2-7a-z-é]{12,17}") {
            for text in [text, like] {
                let _ = text.parse::<Tid>();
                let _ = Tid::parse_hyphenated(&text);
            }
        }
    }
}
