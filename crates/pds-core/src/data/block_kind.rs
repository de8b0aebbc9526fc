//! The kinds of blocks in a repository.

use std::fmt;

/// The kind of a block.
///
/// ```
/// use pds_core::data::block_kind::BlockKind;
///
/// assert_eq!(BlockKind::of_start(b"\xa2\x61e\x80\x61l\xf6"), Some(BlockKind::Node));
/// assert_eq!(BlockKind::of_start(b"\xa1\x64text\x60"), Some(BlockKind::Record));
/// assert_eq!(BlockKind::of_start(b"text"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A signed root.
    Commit,
    /// A node of the tree.
    Node,
    /// A record.
    Record,
}

impl BlockKind {
    /// Returns the kind that the first bytes of a block suggest, also if later ones are damaged. A record may begin
    /// as a commit or as a node does.
    #[must_use]
    pub fn of_start(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xa0..=0xb7, 0x63, b'd', b'i', b'd', ..] => Some(Self::Commit),
            [0xa2, 0x61, b'e', ..] => Some(Self::Node),
            [0xa0..=0xbb, ..] => Some(Self::Record),
            _ => None,
        }
    }
}

impl fmt::Display for BlockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Node => "node",
            Self::Record => "record",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_suggest_a_kind_with_a_name() {
        for (bytes, name) in [
            (&b"\xa6\x63did"[..], "commit"),
            (b"\xa2\x61e", "node"),
            (b"\xa2\x61f", "record"),
            (b"\xa0", "record"),
            (b"\xb8\x63did", "record"),
        ] {
            let kind = BlockKind::of_start(bytes).map(|kind| kind.to_string());
            assert_eq!(kind.as_deref(), Some(name));
        }
        for bytes in [&b""[..], b"\x80", b"text", b"\xbf"] {
            assert_eq!(BlockKind::of_start(bytes), None);
        }
    }
}
