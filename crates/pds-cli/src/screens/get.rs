//! `pds get` and `pds show` on a terminal.

use anyhow::Result;
use pds::data::Value;

use crate::process::output::Output;
use crate::terminal::json_lines::json_lines;

/// Prints a value as JSON, with dim keys.
pub(crate) fn print(value: &Value, out: &mut Output) -> Result<()> {
    json_lines(value).iter().try_for_each(|line| out.line(line))
}
