//! The reasons why an answer of a host is refused although it arrived whole.

use pds::model::finding::Finding;
use pds_core::crypto::did_key::DidKey;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;

use crate::escape::Escaped;
use crate::host::Host;

/// A contradiction between what a host says and what is stored, signed or published. The repository is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The commit is not newer than the stored one.
    #[error("the host offers rev {theirs}, and the stored rev {ours} is newer; --force takes it")]
    OlderRev {
        /// The rev that is stored.
        ours: Tid,
        /// The rev that the host offers.
        theirs: Tid,
    },
    /// The rev of the commit is in the future.
    #[error(
        "rev {theirs} is in the future; compare the clock of this machine with that of the host"
    )]
    FutureRev {
        /// The rev that the host offers.
        theirs: Tid,
        /// The time of this machine, in microseconds since 1970.
        now_micros: u64,
    },
    /// The commit is signed by none of the keys of the account.
    #[error("commit {commit} is not signed by {expected}, the key of the account")]
    WrongKey {
        /// The commit.
        commit: Cid,
        /// The key that the identity of the account names.
        expected: DidKey,
    },
    /// The commit belongs to another account.
    #[error("the commit belongs to {found}, and {expected} was asked for")]
    WrongDid {
        /// The account that was asked for.
        expected: Did,
        /// The account in the commit.
        found: Did,
    },
    /// Two signed commits have one rev.
    #[error("{ours} and {theirs} are signed commits of rev {rev}; {}", kept(*.are_kept))]
    Equivocation {
        /// The rev of both.
        rev: Tid,
        /// The commit that is stored.
        ours: Cid,
        /// The commit that the host offers.
        theirs: Cid,
        /// Whether both commits are in `evidence/`.
        are_kept: bool,
    },
    /// The repository does not verify.
    #[error("the repository does not verify: {0}")]
    Unsound(Finding),
    /// The operation log contradicts the log that was seen before.
    #[error("the directory shows another past of {did}: {}", Escaped(.difference))]
    LogChanged {
        /// The account.
        did: Did,
        /// The first entry that differs.
        difference: String,
    },
    /// The document and the operation log of an account disagree.
    #[error(
        "the document and the operation log of {did} name another {what}; ask the directory again later"
    )]
    DocumentDiffers {
        /// The account.
        did: Did,
        /// The field that differs: signing key, host or handles.
        what: &'static str,
    },
    /// A did:web names another key than the stored one.
    #[error("{did} names {found}, and the stored key is {expected}; --key {found} accepts it")]
    KeyChanged {
        /// The account.
        did: Did,
        /// The key that is stored.
        expected: DidKey,
        /// The key in the document.
        found: DidKey,
    },
    /// The server names a DID that is not its own.
    #[error("{host} calls itself {}; a token for it could be used elsewhere", Escaped(.audience))]
    AudienceRefused {
        /// The server.
        host: Host,
        /// The DID that it names.
        audience: String,
    },
    /// The session belongs to another account.
    #[error("the session belongs to {}, and {expected} was asked for", Escaped(.found))]
    WrongAccount {
        /// The account that was asked for.
        expected: Did,
        /// The account of the session.
        found: String,
    },
}

impl Refusal {
    /// Returns the name of the refusal in `--json`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OlderRev { .. } => "older-rev",
            Self::FutureRev { .. } => "future-rev",
            Self::WrongKey { .. } => "wrong-key",
            Self::WrongDid { .. } => "wrong-did",
            Self::Equivocation { .. } => "equivocation",
            Self::Unsound(_) => "unsound",
            Self::LogChanged { .. } => "log-changed",
            Self::DocumentDiffers { .. } => "document-differs",
            Self::KeyChanged { .. } => "key-changed",
            Self::AudienceRefused { .. } => "audience-refused",
            Self::WrongAccount { .. } => "wrong-account",
        }
    }
}

fn kept(are_kept: bool) -> &'static str {
    match are_kept {
        true => "both are kept in evidence/",
        false => "evidence/ is full, and does not have both",
    }
}
