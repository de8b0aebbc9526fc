//! The answers of `pds pull --follow`.

use std::fmt;

use pds_net::mirror::follow::followed::Followed;
use pds_net::mirror::handle::Mirror;
use serde::Serialize;

use super::fetched::{PullAction, PulledAnswer};
use crate::failures::failure::Failure;
use crate::repository::missing_blobs::{not_begun, not_fetched};

/// A step of the following of one mirror.
#[derive(Serialize)]
pub(crate) struct FollowedAnswer {
    pub(crate) dir: String,
    /// What the step comes from: an event or a pull.
    pub(crate) by: FollowedBy,
    #[serde(flatten)]
    pub(crate) outcome: StepOutcome,
    /// Warnings for the user.
    #[serde(skip)]
    pub(crate) warnings: Vec<String>,
}

/// What a step comes from.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FollowedBy {
    /// An event of the stream.
    Event,
    /// A pull.
    Pull,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum StepOutcome {
    Stored(PulledAnswer),
    Failed { did: String, action: FailedAction, error: &'static str, message: String },
}

/// What has failed.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailedAction {
    /// An event, which was not taken.
    Fault,
    /// A pull.
    Failed,
}

impl FollowedAnswer {
    pub(crate) fn of(mirror: &Mirror, step: Followed) -> Self {
        let dir = mirror.dir().display().to_string();
        let did = mirror.upstream().did.to_string();
        let (by, pulled) = match step {
            Followed::Event(pulled) => (FollowedBy::Event, pulled),
            Followed::Pulled(pulled) => (FollowedBy::Pull, pulled),
            Followed::Fault(why) => {
                let (action, error, message) = (FailedAction::Fault, why.code(), why.to_string());
                let outcome = StepOutcome::Failed { did, action, error, message };
                return Self { dir, by: FollowedBy::Event, outcome, warnings: Vec::new() };
            }
            Followed::Failed(error) => {
                let failure = Failure::of(&error.into());
                let (action, error) = (FailedAction::Failed, failure.name());
                let message = failure.message().to_owned();
                let outcome = StepOutcome::Failed { did, action, error, message };
                return Self { dir, by: FollowedBy::Pull, outcome, warnings: Vec::new() };
            }
            _ => unreachable!("every step has an answer"),
        };
        let mut warnings = pulled.warnings.clone();
        if let Some(host) = &pulled.moved_to {
            warnings.push(format!("the account has moved to {host}"));
        }
        warnings.extend(not_fetched(&pulled.blobs));
        warnings.extend(pulled.blobs_error.as_ref().map(not_begun));
        let outcome = StepOutcome::Stored(PulledAnswer::of(mirror, &pulled));
        Self { dir, by, outcome, warnings }
    }

    /// Returns whether nothing has changed.
    pub(crate) fn is_unchanged(&self) -> bool {
        matches!(&self.outcome, StepOutcome::Stored(answer) if answer.action == PullAction::Unchanged)
    }
}

impl fmt::Display for FollowedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            StepOutcome::Stored(answer) => write!(f, "{}\t{answer}", self.dir),
            StepOutcome::Failed { message, .. } => write!(f, "{}\t{message}", self.dir),
        }
    }
}
