//! The library as its users see it, one topic a module.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::PathBuf;

mod identity;
mod interop;
mod properties;
mod repo;

/// The directory of other people's test data: `PDS_FIXTURES`, or `../shared/fixtures` beside the
/// checkout. With `PDS_FIXTURES_REQUIRED` set it must be there.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let path = std::env::var_os("PDS_FIXTURES").map_or_else(beside, PathBuf::from);
    if path.join("README.md").exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("PDS_FIXTURES_REQUIRED").is_none(),
        "no test data at {}",
        path.display()
    );
    eprintln!("skipped: no test data at {} (set PDS_FIXTURES)", path.display());
    None
}
