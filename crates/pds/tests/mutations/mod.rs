//! Mutations of the structure, with right hashes and right signatures: only the rule under test is broken.
//!
//! Each mutation by hand has an expected verdict. Random mutations are compared with a second formulation of the rules,
//! and all readers must agree about them. `PDS_TORTURE=full` tries many more.

mod commits;
mod deviant;
mod documents;
mod forge;
mod frames;
mod framing;
mod json_records;
mod judge;
mod logs;
mod over;
mod peer;
mod proofs;
mod records;
mod signatures;
mod tree_rules;
mod trees;

// The tests of the program use more of it.
#[allow(dead_code)]
#[path = "../../../pds-cli/tests/common/torture.rs"]
mod torture;

/// Says what a test has found, also where the output of tests is captured.
fn say(line: &str) {
    eprintln!("{line}");
}
