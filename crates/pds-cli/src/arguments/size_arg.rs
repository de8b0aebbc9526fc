//! Sizes that arguments name: `8GiB`, `500MB`, or a number of bytes.

/// Reads a size in bytes. A unit may follow the number, in powers of 1000 or of 1024.
pub(crate) fn read_size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let factor = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()));
    let size = factor.zip(number.parse::<u64>().ok());
    let size = size.and_then(|((_, factor), number)| number.checked_mul(*factor));
    size.ok_or_else(|| "write a number of bytes, or a size such as 8GiB or 500MB".to_owned())
}

/// The names of the units in small letters, and their sizes in bytes.
const UNITS: [(&[&str], u64); 9] = [
    (&["", "b"], 1),
    (&["kb"], 1_000),
    (&["mb"], 1_000_000),
    (&["gb"], 1_000_000_000),
    (&["tb"], 1_000_000_000_000),
    (&["k", "kib"], 1 << 10),
    (&["m", "mib"], 1 << 20),
    (&["g", "gib"], 1 << 30),
    (&["t", "tib"], 1 << 40),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, size) in [
            ("0", 0),
            ("4000000", 4_000_000),
            ("8GiB", 8 << 30),
            ("8 gib", 8 << 30),
            ("500MB", 500_000_000),
            ("64k", 64 << 10),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(read_size(text), Ok(size), "{text}");
        }
        for text in
            ["", "GiB", "-1", "1.5GiB", "8 GiB x", "1EB", "16777216TiB", "18446744073709551616"]
        {
            assert!(read_size(text).is_err(), "{text}");
        }
    }
}
