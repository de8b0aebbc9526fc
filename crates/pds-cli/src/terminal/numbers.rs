//! Counts and sizes as people read them.

/// Returns a count with commas between thousands: `1,206`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count with its noun: `1,206 records`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number))
}

/// Returns a size in decimal units, with three digits: `866 B`, `3.10 kB`, `152 MB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut unit: u128 = 1_000;
    for name in UNITS {
        let rounded = |parts: u128| (u128::from(bytes) * parts + unit / 2) / unit;
        let (hundredths, tenths, whole) = (rounded(100), rounded(10), rounded(1));
        if hundredths < 1_000 {
            return format!("{}.{:02} {name}", hundredths / 100, hundredths % 100);
        } else if tenths < 1_000 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        } else if whole < 1_000 || name == LARGEST_UNIT {
            return format!("{whole} {name}");
        }
        unit *= 1_000;
    }
    format!("{bytes} B")
}

/// The units, each a thousand of the one before.
const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", LARGEST_UNIT];

const LARGEST_UNIT: &str = "PB";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1_206, "1,206"), (1_000_000, "1,000,000")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(4_789, "record"), "4,789 records");
    }

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (866, "866 B"),
            (1_000, "1.00 kB"),
            (3_100, "3.10 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (48_100, "48.1 kB"),
            (99_960, "100 kB"),
            (188_204, "188 kB"),
            (999_499, "999 kB"),
            (999_501, "1.00 MB"),
            (152_000_000, "152 MB"),
            (2_400_000_000_000, "2.40 TB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
        assert!(size(u64::MAX).ends_with(" PB"));
    }
}
