//! `pds pull --follow`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;
use pds_net::error::Error;
use pds_net::host::Host;
use pds_net::mirror::all::{find_mirrors, open_found};
use pds_net::mirror::follow::event_source::EventSource;
use pds_net::mirror::follow::followed::Unfollowed;
use pds_net::mirror::follow::followers::follow;
use pds_net::mirror::handle::{FetchOptions, Mirror};
use pds_net::net::Net;
use pds_net::progress::Progress as Step;

use crate::answers::followed::{FollowedAnswer, StepOutcome};
use crate::failures::exit::{Exit, Stated};
use crate::failures::failure::Failure;
use crate::process::network_progress::NetworkProgress;
use crate::process::output::Output;
use crate::screens::followed as screen;

/// Where pull learns of changes while it goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct FollowArgs {
    /// Follow the event stream of the host: store each event as it comes
    #[arg(long)]
    follow: bool,

    /// Follow the event stream of this relay, which has the events of many hosts
    #[arg(long, value_name = "URL", conflicts_with_all = ["jetstream", "every"])]
    relay: Option<Host>,

    /// Pull after each event of this Jetstream server
    #[arg(long, value_name = "URL", conflicts_with = "every")]
    jetstream: Option<Host>,

    /// Pull again after each of these times, such as 5m
    #[arg(long, value_name = "TIME", value_parser = pause)]
    every: Option<Duration>,
}

impl FollowArgs {
    /// Returns what to follow, or `None` for one pull.
    pub(super) fn source(&self) -> Option<EventSource> {
        let relay = self.relay.clone().map(EventSource::Relay);
        let jetstream = self.jetstream.clone().map(EventSource::Jetstream);
        let every = self.every.map(EventSource::Every);
        relay.or(jetstream).or(every).or(self.follow.then_some(EventSource::Host))
    }
}

/// Parses the time between two pulls.
fn pause(text: &str) -> Result<Duration, String> {
    let time: SignedDuration = text.parse().map_err(|_| "write a time such as 5m or 1h")?;
    match Duration::try_from(time) {
        Ok(time) if time > LONGEST_PAUSE => Err("the longest time is 720h".to_owned()),
        Ok(time) if time >= SHORTEST_PAUSE => Ok(time),
        _ => Err("the shortest time is 10s; --follow has each event at once".to_owned()),
    }
}

/// What is followed, and how.
pub(super) struct Following<'a> {
    pub(super) net: &'a Net,
    pub(super) source: &'a EventSource,
    pub(super) options: &'a FetchOptions,
    /// Whether pulls without a change are printed, too.
    pub(super) verbose: bool,
}

impl Following<'_> {
    /// Follows all mirrors below a directory.
    pub(super) fn all(&self, below: &Path, out: &mut Output) -> Result<Exit> {
        let found = find_mirrors(below)?;
        let mut mirrors = Vec::new();
        let mut failed = found.unread;
        for dir in found.dirs {
            match open_found(&dir) {
                Ok(mirror) => mirrors.push(mirror),
                Err(error) => failed.push((dir, error)),
            }
        }
        let has_failed = !failed.is_empty();
        for (dir, error) in failed {
            say_ended(&[dir], error, out);
        }
        if mirrors.is_empty() && has_failed {
            return Ok(Exit::Partly);
        }
        if mirrors.is_empty() {
            let message = format!("no repository below {} follows a host", below.display());
            let hint = "pds clone ACCOUNT makes a repository that does";
            return Stated::no("no-upstream", message).hint(hint).fail();
        }
        let ended = self.run(mirrors, out)?;
        let has_ended = !ended.is_empty();
        for one in ended {
            say_ended(&one.dirs, one.error, out);
        }
        Ok(if has_failed || has_ended { Exit::Partly } else { Exit::Done })
    }

    /// Follows one mirror.
    pub(super) fn one(&self, mirror: Mirror, out: &mut Output) -> Result<Exit> {
        match self.run(vec![mirror], out)?.pop() {
            Some(ended) => Err(ended.error.into()),
            None => Ok(Exit::Done),
        }
    }

    /// Follows until no mirror is left, or until the reader of the answers is gone.
    fn run(&self, mirrors: Vec<Mirror>, out: &mut Output) -> Result<Vec<Unfollowed>> {
        let (is_over, progress) = (AtomicBool::new(false), NetworkProgress::default());
        let report = |step: Step| match is_over.load(Ordering::Relaxed) {
            true => std::ops::ControlFlow::Break(()),
            false => progress.show(step),
        };
        let ended = std::thread::scope(|scope| -> Result<Vec<Unfollowed>> {
            let (sender, steps) = mpsc::sync_channel(WAITING_STEPS);
            let following = scope.spawn(|| {
                // The steps end with the following.
                let sender = sender;
                let on = |mirror: &Mirror, step| {
                    // The receiver ends only with the command.
                    let _ = sender.send(FollowedAnswer::of(mirror, step));
                };
                follow(self.net, mirrors, self.source, self.options, &report, &on)
            });
            for step in steps {
                let shown = self.show(&step, &progress, out);
                if shown.is_err() || out.is_closed() {
                    is_over.store(true, Ordering::Relaxed);
                }
                shown?;
            }
            Ok(following.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        progress.finish();
        let is_stopped = is_over.into_inner();
        let mut ended = ended?;
        ended.retain(|one| !(is_stopped && matches!(one.error, Error::Stopped)));
        Ok(ended)
    }

    fn show(
        &self,
        step: &FollowedAnswer,
        progress: &NetworkProgress,
        out: &mut Output,
    ) -> Result<()> {
        progress.finish();
        for warning in &step.warnings {
            out.warn(format!("{}: {warning}", step.dir));
        }
        if step.is_unchanged() && !self.verbose {
            return Ok(());
        }
        match &step.outcome {
            StepOutcome::Failed { message, .. } if !out.is_json() => {
                out.warn(format!("{}: {message}", step.dir));
            }
            StepOutcome::Failed { .. } => out.answer(step)?,
            StepOutcome::Stored(pulled) => {
                out.show(step, |terminal| vec![screen::followed(&step.dir, pulled, terminal)])?;
            }
        }
        out.flush()
    }
}

fn say_ended(dirs: &[PathBuf], error: Error, out: &mut Output) {
    let failure = Failure::of(&error.into());
    for dir in dirs {
        out.warn(format!("{} is not followed: {}", dir.display(), failure.message()));
    }
}

/// The shortest time between two pulls without an event.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest time between two pulls without an event.
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The steps that wait to be printed. More wait in the streams of the hosts.
const WAITING_STEPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_bounds() {
        assert_eq!(pause("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "9s", "-5m", "721h", "9223372036854775807s", "soon"] {
            assert!(pause(wrong).is_err(), "{wrong}");
        }
    }
}
