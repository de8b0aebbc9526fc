//! The state that a commit is made on.

use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::syntax::tid::Tid;
use pds_store::version::Version;

/// The state that a commit is made on.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The commit that the ref points to.
    pub(crate) commit: Commit,
    /// The key that the store names.
    pub(crate) key: Option<PublicKey>,
    /// The rev after which that key signs, or a later one that a ref has left behind.
    pub(crate) key_since: Option<Tid>,
    /// The time of the newest log entry, in microseconds since 1970.
    pub(crate) logged: Option<u64>,
    /// The version of the store.
    pub(crate) version: Version,
}
