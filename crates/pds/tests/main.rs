//! Tests of the library through its public interface, one module for each topic.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::PathBuf;

mod identity;
mod interop;
mod mutations;
mod properties;
mod repo;

/// Returns the directory of test data by others: `PDS_FIXTURES`, or `../shared/fixtures` next to the checkout. With
/// `PDS_FIXTURES_REQUIRED`, the directory must exist.
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
