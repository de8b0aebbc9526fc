//! One followed mirror: its events, its pulls, and its place in the stream.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pds_core::sync::event::Event;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::mirror::fetch_dir::MirrorLock;
use crate::mirror::follow::event_source::EventSource;
use crate::mirror::follow::followed::{EventRefused, Followed, OnFollowed};
use crate::mirror::follow::pull_pace::PullPace;
use crate::mirror::follow::step::{Judge, Step};
use crate::mirror::handle::{FetchOptions, Mirror};
use crate::mirror::pull::Beforehand;
use crate::mirror::stored_identity::stored;
use crate::mirror::upstream::Cursor;
use crate::net::Net;
use crate::progress::Report;
use crate::xrpc::sync::ListedRepo;

/// What all mirrors of a following share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) net: &'a Net,
    pub(super) source: &'a EventSource,
    pub(super) options: &'a FetchOptions,
    pub(super) report: Report<'a>,
    pub(super) on: OnFollowed<'a>,
}

/// A mirror that is followed.
pub(super) struct One {
    pub(super) mirror: Mirror,
    account: Option<Account>,
    pub(super) pace: PullPace,
    /// Whether the next pull checks the identity of the account.
    checks_identity: bool,
    /// The faults that were reported.
    faults: BTreeSet<&'static str>,
    /// The number in the stream whose effects are stored, and when it was written to the disk.
    stored_seq: Option<u64>,
    stored_at: Instant,
    /// Whether an event of this account came since then.
    has_moved: bool,
}

impl One {
    /// Begins to follow a mirror in the stream of a server.
    pub(super) fn new(mirror: Mirror, server: Option<&Host>, shared: Shared<'_>) -> Self {
        let now = Instant::now();
        let account = stored(shared.net, &mirror.dir, &mirror.upstream);
        let cursor = mirror.upstream.cursor.as_ref();
        let stored_seq = cursor.filter(|at| Some(&at.url) == server).map(|at| at.seq);
        let mut pace = PullPace::new(now, regular(&mirror, shared.source));
        let is_known = account.is_some() && mirror.is_checked();
        let is_fresh = is_known && mirror.upstream.complete && stored_seq.is_some();
        if !is_fresh {
            pace.ask_now(now);
        }
        let (faults, stored_at) = (BTreeSet::new(), now);
        let checks_identity = account.is_none();
        Self {
            mirror,
            account,
            pace,
            checks_identity,
            faults,
            stored_seq,
            stored_at,
            has_moved: false,
        }
    }

    /// Returns the number in the stream whose effects are stored.
    pub(super) fn stored_seq(&self) -> Option<u64> {
        self.stored_seq
    }

    /// Takes an event of this account.
    pub(super) fn take(&mut self, event: &Event, shared: Shared<'_>) {
        self.has_moved = true;
        let Some(account) = &self.account else { return self.ask() };
        let Shared { net, options, report, .. } = shared;
        let judge = Judge { net, report, options, account };
        let step = match event {
            Event::Commit(event) => self.mirror.step(event, judge),
            Event::Sync(event) => self.mirror.renew(event, judge),
            Event::Identity(_) => {
                self.checks_identity = true;
                Ok(Step::Behind)
            }
            // It is not signed: the pull asks the host of the account.
            Event::Account(_) => Ok(Step::Behind),
            _ => Ok(Step::Old),
        };
        match step {
            Ok(Step::Old) => {}
            Ok(Step::Taken(pulled)) => {
                if pulled.blobs_error.is_some() {
                    self.ask();
                } else if !pulled.blobs.missing.is_empty() {
                    self.pace.within(Instant::now(), BLOBS_AGAIN);
                }
                (shared.on)(&self.mirror, Followed::Event(pulled));
            }
            Ok(Step::Behind) => self.ask(),
            Err(why) => {
                // The account may have a new key.
                self.checks_identity |= matches!(&why, EventRefused::Commit { .. });
                self.refuse(&Arc::new(why), shared);
            }
        }
    }

    /// Notes an event that was not taken. Each fault is reported once.
    pub(super) fn refuse(&mut self, why: &Arc<EventRefused>, shared: Shared<'_>) {
        self.ask();
        if self.faults.insert(why.code()) {
            (shared.on)(&self.mirror, Followed::Fault(Arc::clone(why)));
        }
    }

    /// Asks for a pull.
    pub(super) fn ask(&mut self) {
        self.pace.ask(Instant::now());
    }

    /// Pulls, and returns whether the account has moved to another host. `listed` is what its host has said of it.
    ///
    /// # Errors
    ///
    /// The errors after which the mirror cannot be followed any more: those of this machine, and the stop.
    pub(super) fn pull(&mut self, listed: Option<&ListedRepo>, shared: Shared<'_>) -> Result<bool> {
        let before = Beforehand { listed, checks_identity: self.checks_identity };
        let pulled = self.mirror.pull_knowing(shared.net, before, shared.options, shared.report);
        let (now, regular) = (Instant::now(), regular(&self.mirror, shared.source));
        match pulled {
            Ok(pulled) => {
                self.checks_identity = false;
                self.account = stored(shared.net, &self.mirror.dir, &self.mirror.upstream);
                self.pace.done(now, pulled.before != pulled.after.cid(), regular);
                let has_moved = pulled.moved_to.is_some();
                (shared.on)(&self.mirror, Followed::Pulled(Box::new(pulled)));
                Ok(has_moved)
            }
            Err(error) if may_pass(&error) => {
                self.pace.done(now, false, regular);
                if !matches!(error, Error::Inactive { .. }) {
                    self.pace.ask(now);
                }
                (shared.on)(&self.mirror, Followed::Failed(error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the place in the stream if all effects are stored, and if it is time.
    pub(super) fn store_seq(&mut self, server: &Host, seq: Option<u64>, is_last: bool) {
        let Some(seq) = seq.filter(|seq| Some(*seq) != self.stored_seq) else { return };
        let after = if self.has_moved { SOON } else { LATER };
        if self.pace.is_asked() || (!is_last && self.stored_at.elapsed() < after) {
            return;
        }
        // The next one will do if another process is at work; the place is a hint.
        if self.write_seq(server, seq).is_ok() {
            (self.stored_seq, self.has_moved) = (Some(seq), false);
        }
        self.stored_at = Instant::now();
    }

    fn write_seq(&mut self, server: &Host, seq: u64) -> Result<()> {
        let _lock = MirrorLock::take(&self.mirror.dir, Duration::ZERO)?;
        self.mirror.reload()?;
        let head = self.mirror.state()?;
        let upstream = &mut self.mirror.upstream;
        if upstream.head != Some(head.cid()) {
            (upstream.head, upstream.host_rev) = (Some(head.cid()), head.rev());
        }
        upstream.cursor = Some(Cursor { url: server.clone(), seq });
        upstream.write(&self.mirror.dir)
    }
}

/// Returns whether a failed pull may succeed later without a change on this machine.
fn may_pass(error: &Error) -> bool {
    error.is_remote() || error.is_refusal() || error.is_retryable()
}

/// Returns the time between two pulls without an event.
fn regular(mirror: &Mirror, source: &EventSource) -> Duration {
    match source {
        EventSource::Every(time) => *time,
        _ if mirror.upstream.missing > 0 => BLOBS_AGAIN,
        _ => CHECK,
    }
}

/// How soon the place in the stream is written after an event of the account. A replay changes nothing.
const SOON: Duration = Duration::from_secs(2);

/// How often the place in the stream is written without one.
const LATER: Duration = Duration::from_secs(10 * 60);

/// How often missing blobs are asked for.
const BLOBS_AGAIN: Duration = Duration::from_secs(60 * 60);

/// How often the host is asked although no event says so. The identity is checked then, too.
const CHECK: Duration = Duration::from_secs(24 * 60 * 60);
