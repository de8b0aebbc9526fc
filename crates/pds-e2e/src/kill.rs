//! Runs of a command that are killed at a chosen moment.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::{Ended, Running};
use crate::liar::proxy::Liar;
use crate::liar::rule::{Lie, Rule};

/// When a process is killed.
#[derive(Clone, Debug)]
pub enum Moment {
    /// After some time.
    Time(Duration),
    /// After the proxy has sent some bytes of bodies, all answers together.
    Bytes(u64),
    /// At a request whose path and query contain a text, by its number from 0: the answer has begun, and nothing of
    /// its body was sent.
    Request(String, u64),
}

/// How a run has ended.
#[derive(Debug)]
pub enum End {
    /// The moment came, and the process was killed.
    Killed(Ended),
    /// The process ended before.
    Finished(Ended),
}

/// Runs a command whose requests go through a proxy, and kills it at a moment. The proxy is reset before and after.
///
/// # Panics
/// If neither the moment nor the end of the process comes in time.
pub fn run(command: &mut Command, liar: &Liar, moment: &Moment) -> End {
    liar.reset();
    match moment {
        Moment::Time(_) => {}
        Moment::Bytes(bytes) => liar.stall_after(*bytes),
        Moment::Request(path, number) => {
            liar.add(Rule::nth(*number, path, Lie::StallAfter(0)));
        }
    }
    let (mut running, start) = (Running::start(command, b""), Instant::now());
    let is_finished = running.is_ended_before(|| {
        assert!(start.elapsed() < PATIENCE, "neither {moment:?} nor the end came: {command:?}");
        match moment {
            Moment::Time(time) => start.elapsed() >= *time,
            Moment::Bytes(_) | Moment::Request(..) => liar.is_stalled(),
        }
    });
    let ended = running.killed();
    liar.reset();
    if is_finished { End::Finished(ended) } else { End::Killed(ended) }
}

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
