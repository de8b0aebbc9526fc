//! The answers of the verbs: each type is text for people (`Display`) and JSON (`Serialize`).
//!
//! Fields are declared in the order of their JSON names, so that every object has sorted keys.

#[macro_use]
mod display;

pub(crate) mod arrived;
pub(crate) mod blob;
pub(crate) mod change;
pub(crate) mod cid;
pub(crate) mod cloned_one;
pub(crate) mod commit;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod fetched;
pub(crate) mod followed;
pub(crate) mod forget;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod help;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod merge;
pub(crate) mod mst;
pub(crate) mod prove;
pub(crate) mod put;
pub(crate) mod recover;
pub(crate) mod redate;
pub(crate) mod refs;
pub(crate) mod repair;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tid;
pub(crate) mod unpack;
pub(crate) mod verify;
pub(crate) mod verify_proof;
