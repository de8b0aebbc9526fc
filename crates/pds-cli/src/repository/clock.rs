//! The clock of this machine: warnings before a write, and the option to sign in spite of a wrong clock.

use anyhow::Result;
use pds::Repo;
use pds::clock::{ClockReading, ClockVerdict};

use crate::process::output::Output;

/// The option that accepts a clock that may be wrong.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ClockArg {
    /// Sign even if the clock is more than a day behind the newest commit or log entry, or more than 400 days ahead of
    /// both
    #[arg(long)]
    pub(crate) accept_clock: bool,
}

/// The option that accepts a commit from the future.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FutureArg {
    /// Accept a commit whose rev is more than five minutes in the future. Other readers refuse it until that time
    #[arg(long)]
    accept_clock: bool,
}

impl ClockArg {
    /// Returns the repository with the choice of the user, and warns of a clock that may be wrong.
    pub(crate) fn on(self, repo: Repo, out: &mut Output) -> Result<Repo> {
        let reading = repo.clock()?;
        warn_of(&reading, out);
        match reading.verdict() {
            ClockVerdict::Plausible => {}
            // The error has the same text.
            ClockVerdict::Behind | ClockVerdict::Ahead if !self.accept_clock => {}
            _ => out.warn(reading.to_string()),
        }
        Ok(if self.accept_clock { repo.accepting_clock() } else { repo })
    }
}

impl FutureArg {
    pub(crate) fn is_given(self) -> bool {
        self.accept_clock
    }

    /// Returns the repository with the choice of the user. An import signs nothing, so there is only a warning of a
    /// clock that is far ahead.
    pub(crate) fn on(self, repo: Repo, out: &mut Output) -> Result<Repo> {
        let reading = repo.clock()?;
        warn_of(&reading, out);
        if reading.verdict() == ClockVerdict::Ahead {
            out.warn(reading.to_string());
        }
        Ok(if self.accept_clock { repo.accepting_clock() } else { repo })
    }
}

/// Warns of a clock that shows a time before the release of this program.
pub(crate) fn warn_of_release(out: &mut Output) {
    warn_of(&ClockReading::now(), out);
}

fn warn_of(reading: &ClockReading, out: &mut Output) {
    if reading.is_before_release() {
        let alone = ClockReading { newest: None, ..*reading };
        out.warn(format!("{alone}, before the release of this program; set the clock"));
    }
}
