//! Text for terminals: tones, lines, tables, times, numbers, short CIDs and the pager.
//!
//! A `Line` is safe by construction: characters that control the terminal, or that cannot be seen, are replaced when
//! text is added.

pub(crate) mod hints;
pub(crate) mod json_lines;
pub(crate) mod lent;
pub(crate) mod line;
pub(crate) mod looks;
pub(crate) mod messages;
pub(crate) mod numbers;
pub(crate) mod pager;
pub(crate) mod safe_text;
pub(crate) mod screen_size;
pub(crate) mod short_cids;
pub(crate) mod symbol;
pub(crate) mod table;
pub(crate) mod times;
pub(crate) mod tone;
