//! The events of a stream.

use crate::data::cid::Cid;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::record_path::RecordPath;
use crate::syntax::tid::Tid;

/// An event of a stream, well-formed but not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A commit, with the changes since the commit before it.
    Commit(CommitEvent),
    /// A commit without its changes. Its repository is to be fetched.
    Sync(SyncEvent),
    /// A change of the identity of an account: its keys, its handle or its host.
    Identity(IdentityEvent),
    /// The status of an account at its host.
    Account(AccountEvent),
    /// A message about the stream itself.
    Info(InfoEvent),
}

impl Event {
    /// Returns the sequence number. A message about the stream has none.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Commit(event) => Some(event.seq),
            Self::Sync(event) => Some(event.seq),
            Self::Identity(event) => Some(event.seq),
            Self::Account(event) => Some(event.seq),
            Self::Info(_) => None,
        }
    }

    /// Returns the account that the event is about, if there is one.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        match self {
            Self::Commit(event) => Some(&event.repo),
            Self::Sync(event) => Some(&event.did),
            Self::Identity(event) => Some(&event.did),
            Self::Account(event) => Some(&event.did),
            Self::Info(_) => None,
        }
    }
}

/// A commit, with the changes since the commit before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEvent {
    /// The sequence number: greater than that of every earlier event of the host.
    pub seq: u64,
    /// The account.
    pub repo: Did,
    /// The rev of the commit.
    pub rev: Tid,
    /// The rev of the commit before it, or `None` for the first one.
    pub since: Option<Tid>,
    /// The CID of the commit.
    pub commit: Cid,
    /// The root of the tree before the commit. Events from before Sync 1.1 and of first commits have none.
    pub prev_data: Option<Cid>,
    /// The changes of records.
    pub ops: Vec<RecordOp>,
    /// A CAR file with the commit, the nodes that the changes need, and the new records.
    pub blocks: Vec<u8>,
    /// The time of the event. It proves nothing and has no checked form.
    pub time: String,
}

/// The change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOp {
    /// The kind of the change.
    pub action: Action,
    /// The path of the record.
    pub path: RecordPath,
    /// The record after the change, or `None` if it is deleted.
    pub cid: Option<Cid>,
    /// The record before the change. Created records have none, and neither have events from before Sync 1.1.
    pub prev: Option<Cid>,
}

/// The kind of a change of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The record is new.
    Create,
    /// The record has a new value.
    Update,
    /// The record is gone.
    Delete,
}

impl Action {
    /// Returns the name in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A commit without its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncEvent {
    /// The sequence number.
    pub seq: u64,
    /// The account.
    pub did: Did,
    /// The rev of the commit.
    pub rev: Tid,
    /// A CAR file with the commit.
    pub blocks: Vec<u8>,
    /// The time of the event, without a checked form.
    pub time: String,
}

/// A change of the identity of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityEvent {
    /// The sequence number.
    pub seq: u64,
    /// The account.
    pub did: Did,
    /// The handle, if the host states one.
    pub handle: Option<Handle>,
    /// The time of the event, without a checked form.
    pub time: String,
}

/// The status of an account at its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEvent {
    /// The sequence number.
    pub seq: u64,
    /// The account.
    pub did: Did,
    /// Whether the host serves the repository.
    pub active: bool,
    /// The reason if it does not, such as `takendown`. Hosts may use other words than the specification.
    pub status: Option<String>,
    /// The time of the event, without a checked form.
    pub time: String,
}

/// A message about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoEvent {
    /// The name of the message, such as `OutdatedCursor`.
    pub name: String,
    /// The text for people.
    pub message: Option<String>,
}
