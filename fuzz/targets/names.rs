//! Names: what is parsed prints as it was written, and parses again.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use pds::syntax::{
    AtIdentifier, AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, RecordPath, Tid, Uri,
};
use pds::{Revision, crypto::DidKey, data::Cid, store::RefName};

fuzz_target!(|text: &str| {
    same::<Did>(text);
    same::<Handle>(text);
    same::<Nsid>(text);
    same::<RecordKey>(text);
    same::<RecordPath>(text);
    same::<Tid>(text);
    same::<AtIdentifier>(text);
    same::<AtUri>(text);
    same::<Datetime>(text);
    same::<Language>(text);
    same::<Uri>(text);
    same::<RefName>(text);
    same::<Cid>(text);
    same::<DidKey>(text);
    if let Ok(revision) = text.parse::<Revision>() {
        let again: Revision = revision.to_string().parse().expect("it prints as it is parsed");
        assert_eq!(again.to_string(), revision.to_string());
    }
});

/// Checks that a text that is parsed as a name prints as itself.
fn same<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text, "{}", std::any::type_name::<T>());
    }
}
