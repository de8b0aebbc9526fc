//! The waits before requests: as long as a host asks for, and spread if few requests remain.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::advice::Advice;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::limits::FEW_REQUESTS;
use crate::progress::{Progress, Report, Why};

/// The longest part of a wait. After each part the caller may stop the wait.
const PART: Duration = Duration::from_secs(1);

/// The waits for all hosts.
#[derive(Debug)]
pub(crate) struct Gate {
    hosts: Mutex<HashMap<Host, HostState>>,
    max_wait: Duration,
    clock: Arc<dyn Clock>,
}

/// What a host said last.
#[derive(Debug, Default)]
struct HostState {
    not_before: Option<SystemTime>,
    remaining: Option<u64>,
    reset_at: Option<SystemTime>,
    /// The time of the last request that was spread.
    last_slot: Option<SystemTime>,
}

impl Gate {
    /// Makes a gate without waits.
    pub(crate) fn new(max_wait: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { hosts: Mutex::default(), max_wait, clock }
    }

    /// Waits until a request to a host is welcome.
    pub(crate) fn enter(&self, host: &Host, report: Option<Report<'_>>) -> Result<()> {
        let now = self.clock.now();
        let (until, why) = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            match hosts.get_mut(host) {
                Some(state) => state.next(now, self.max_wait),
                None => return Ok(()),
            }
        };
        let wait = until.duration_since(now).unwrap_or_default();
        if wait > self.max_wait {
            return Err(Error::RateLimited { host: host.clone(), until });
        }
        self.pause(wait, report, || Progress::Waiting { host: host.clone(), until, why })
    }

    /// Waits in parts. The report may stop it.
    pub(crate) fn pause(
        &self,
        wait: Duration,
        report: Option<Report<'_>>,
        progress: impl Fn() -> Progress,
    ) -> Result<()> {
        let mut left = wait;
        while !left.is_zero() {
            if report.is_some_and(|report| report(progress()) == ControlFlow::Break(())) {
                return Err(Error::Stopped);
            }
            let part = left.min(PART);
            self.clock.sleep(part);
            left -= part;
        }
        Ok(())
    }

    /// Notes what an answer says.
    pub(crate) fn note(&self, host: &Host, advice: Advice) {
        if advice == Advice::default() {
            return;
        }
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let state = hosts.entry(host.clone()).or_default();
        // Answers arrive in any order: the longer wait counts.
        state.not_before = state.not_before.max(advice.retry_at);
        if advice.remaining.is_some() {
            state.remaining = advice.remaining;
            state.reset_at = advice.reset_at;
        }
    }

    /// Returns the time before which no request to a host is welcome, if the host named one.
    pub(crate) fn not_before(&self, host: &Host) -> Option<SystemTime> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let until = hosts.get(host)?.not_before?;
        (until > self.clock.now()).then_some(until)
    }

    /// Returns the clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}

impl HostState {
    /// Returns the time of the next request, and takes it unless the wait is too long.
    fn next(&mut self, now: SystemTime, max_wait: Duration) -> (SystemTime, Why) {
        let spread = self.slot(now).unwrap_or(now);
        let asked = self.not_before.unwrap_or(now);
        let until = spread.max(asked).max(now);
        if until.duration_since(now).is_ok_and(|wait| wait <= max_wait) {
            self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(1));
            self.last_slot = Some(until);
        }
        (until, if asked >= spread { Why::RateLimited } else { Why::Spreading })
    }

    /// Returns the time of the next request, if few of them remain.
    fn slot(&self, now: SystemTime) -> Option<SystemTime> {
        let (remaining, reset_at) = (self.remaining?, self.reset_at?);
        let left = reset_at.duration_since(now).ok().filter(|left| !left.is_zero())?;
        if remaining >= FEW_REQUESTS {
            return None;
        }
        if remaining == 0 {
            return Some(reset_at);
        }
        let requests = u32::try_from(remaining).unwrap_or(u32::MAX);
        let last = self.last_slot?;
        Some((last + left / requests).min(reset_at))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "gate_tests.rs"]
mod tests;
