//! Values whose JSON would mean another value: they are never printed as JSON.

use anyhow::Result;
use pds::data::Value;

use crate::failures::exit::Stated;

/// Why a value is not printed as JSON.
pub(crate) const NO_JSON_FORM: &str =
    "has a map with the key $link or $bytes, so its JSON would mean another value";

/// Checks that the JSON form of a value means that value.
pub(crate) fn check_json_form(value: &Value, what: &str) -> Result<()> {
    if value.has_json_form() {
        return Ok(());
    }
    Stated::partly(format!("{what} {NO_JSON_FORM}")).hint("use --cbor for its bytes").fail()
}
