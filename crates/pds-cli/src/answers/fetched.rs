//! The answers of `pds clone` of an account and of `pds pull`.

use std::fmt;

use pds::data::Cid;
use pds::syntax::Tid;
use pds_net::host::Host;
use pds_net::mirror::blobs::Blobs;
use pds_net::mirror::handle::Mirror;
use pds_net::mirror::pull::Pulled;
use pds_net::traffic::Traffic;
use serde::{Serialize, Serializer};

use super::info::Info;
use super::json::optional_text;
use crate::process::text::counted_plain;

/// The blobs of a fetch.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct BlobCounts {
    pub(crate) fetched: u64,
    pub(crate) missing: u64,
}

impl BlobCounts {
    pub(crate) fn of(blobs: &Blobs) -> Self {
        Self { fetched: blobs.fetched, missing: blobs.missing.len() as u64 }
    }
}

/// A repository that was cloned from a host or from a data directory: as [`Info`], with the host and the counts of the
/// fetch.
pub(crate) struct ClonedAccount {
    pub(crate) info: Info,
    /// The host that the repository follows.
    pub(crate) host: Option<Host>,
    pub(crate) host_rev: Option<Tid>,
    pub(crate) handle: Option<String>,
    pub(crate) blobs: BlobCounts,
    pub(crate) traffic: Traffic,
}

impl Serialize for ClonedAccount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;

        let mut value = serde_json::to_value(&self.info).map_err(S::Error::custom)?;
        let added = serde_json::json!({
            "host": self.host.as_ref().map(ToString::to_string),
            "hostRev": self.host_rev.map(|rev| rev.to_string()),
            "handle": self.handle,
            "blobs": self.blobs,
            "bytesReceived": self.traffic.bytes_received,
            "requests": self.traffic.requests,
        });
        if let (Some(value), serde_json::Value::Object(added)) = (value.as_object_mut(), added) {
            value.extend(added);
        }
        value.serialize(serializer)
    }
}

impl fmt::Display for ClonedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { info, host, blobs, .. } = self;
        write!(f, "{info}")?;
        if let Some(host) = host {
            write!(f, "\nhost     {host}")?;
        }
        match blobs.missing {
            0 => Ok(()),
            missing => write!(f, "\nmissing  {}", counted_plain(missing, "blob")),
        }
    }
}

/// What a pull has done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PulledAnswer {
    pub(crate) did: String,
    pub(crate) action: PullAction,
    pub(crate) before: Cid,
    pub(crate) after: Cid,
    #[serde(serialize_with = "optional_text")]
    pub(crate) rev: Option<Tid>,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    pub(crate) blobs: BlobCounts,
    pub(crate) bytes_received: u64,
    pub(crate) requests: u64,
}

impl PulledAnswer {
    pub(crate) fn of(mirror: &Mirror, pulled: &Pulled) -> Self {
        let (mut created, mut updated, mut deleted) = (0, 0, 0);
        for change in &pulled.changes {
            match (change.before, change.after) {
                (None, _) => created += 1,
                (Some(_), Some(_)) => updated += 1,
                (Some(_), None) => deleted += 1,
            }
        }
        let action = match (pulled.after.cid() == pulled.before, pulled.moves_head) {
            (true, _) => PullAction::Unchanged,
            (false, true) => PullAction::Pulled,
            (false, false) => PullAction::Diverged,
        };
        Self {
            did: mirror.upstream().did.to_string(),
            action,
            before: pulled.before,
            after: pulled.after.cid(),
            rev: pulled.after.rev(),
            created,
            updated,
            deleted,
            blobs: BlobCounts::of(&pulled.blobs),
            bytes_received: pulled.traffic.bytes_received,
            requests: pulled.traffic.requests,
        }
    }
}

impl PulledAnswer {
    /// Returns whether the pull has stored anything.
    pub(crate) fn has_changed(&self) -> bool {
        self.action != PullAction::Unchanged || self.blobs.fetched > 0
    }
}

/// The effect of a pull.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PullAction {
    /// The host has no newer state.
    Unchanged,
    /// `HEAD` and `origin` have moved.
    Pulled,
    /// Only `origin` has moved, because there are commits made here.
    Diverged,
}

impl fmt::Display for PulledAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, updated, deleted, blobs, .. } = self;
        let rev = self.rev.map_or_else(|| "-".to_owned(), |rev| rev.to_string());
        if self.action == PullAction::Unchanged {
            write!(f, "{rev}\tunchanged")?;
            return match blobs.fetched {
                0 => Ok(()),
                fetched => write!(f, "\t{}", counted_plain(fetched, "blob")),
            };
        }
        write!(
            f,
            "{rev}\t+{created} ~{updated} -{deleted}\t{}",
            counted_plain(blobs.fetched, "blob")
        )
    }
}

/// The result of the pull of one of several mirrors.
#[derive(Serialize)]
pub(crate) struct PulledOne {
    pub(crate) dir: String,
    #[serde(flatten)]
    pub(crate) outcome: PulledOutcome,
}

/// The result of a pull, or why it failed.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum PulledOutcome {
    Pulled(PulledAnswer),
    Failed { action: &'static str, error: &'static str, message: String },
}

impl PulledOne {
    pub(crate) fn pulled(dir: String, answer: PulledAnswer) -> Self {
        Self { dir, outcome: PulledOutcome::Pulled(answer) }
    }

    pub(crate) fn failed(dir: String, error: &'static str, message: &str) -> Self {
        let message = message.to_owned();
        Self { dir, outcome: PulledOutcome::Failed { action: "failed", error, message } }
    }
}

impl fmt::Display for PulledOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            PulledOutcome::Pulled(answer) => write!(f, "{}\t{answer}", self.dir),
            PulledOutcome::Failed { message, .. } => write!(f, "{}\t{message}", self.dir),
        }
    }
}
