//! The mirrors of one event stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pds_core::syntax::did::Did;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::mirror::all::{Listed, listed_if_many};
use crate::mirror::follow::arrival::Arrival;
use crate::mirror::follow::connection::Connection;
use crate::mirror::follow::event_source::EventSource;
use crate::mirror::follow::feed::{EventFeed, Feed};
use crate::mirror::follow::followed::Unfollowed;
use crate::mirror::follow::jetstream::Jetstream;
use crate::mirror::follow::one::{One, Shared};
use crate::mirror::handle::Mirror;
use crate::socket::Messages;

/// The mirrors of one event stream. An account may have several.
pub(super) struct Group<'a> {
    shared: Shared<'a>,
    server: Option<Host>,
    feed: Feed<'a>,
    mirrors: BTreeMap<Did, Vec<One>>,
    looked_at: Option<Instant>,
    /// Whether the stream was open before.
    was_open: bool,
}

/// What leaves a group.
pub(super) enum Left {
    /// The account has another host now.
    Moved(Mirror),
    /// These are not followed any more.
    Ended(Unfollowed),
}

impl<'a> Group<'a> {
    /// Makes a group of mirrors that have the same host, or whose host does not matter.
    pub(super) fn new(mirrors: Vec<Mirror>, shared: Shared<'a>) -> Self {
        let server = match shared.source {
            EventSource::Host => mirrors.first().map(|mirror| mirror.upstream.host.clone()),
            EventSource::Relay(server) | EventSource::Jetstream(server) => Some(server.clone()),
            EventSource::Every(_) => None,
        };
        let mut by_did: BTreeMap<Did, Vec<One>> = BTreeMap::new();
        for mirror in mirrors {
            let one = One::new(mirror, server.as_ref(), shared);
            by_did.entry(one.mirror.upstream.did.clone()).or_default().push(one);
        }
        let client = (shared.net.reporting(shared.report), shared.report);
        let feed = match &server {
            None => Feed::Clock(client.0),
            Some(server) if matches!(shared.source, EventSource::Jetstream(_)) => {
                let connection = Connection::new(client, server.clone(), Messages::Text);
                Feed::Jetstream(Jetstream::new(connection, &by_did.keys().collect()))
            }
            Some(server) => {
                let connection = Connection::new(client, server.clone(), Messages::Binary);
                // Mirrors without a place in the stream are pulled.
                let after = by_did.values().flatten().filter_map(One::stored_seq).min();
                Feed::Events(EventFeed::new(connection, after))
            }
        };
        Self { shared, server, feed, mirrors: by_did, looked_at: None, was_open: false }
    }

    /// Follows until no mirror is left, or until the report stops it.
    pub(super) fn run(mut self, left: &dyn Fn(Left)) {
        while !self.mirrors.is_empty() {
            let went_on = self.take_next().and_then(|()| self.look(left));
            let Err(error) = went_on else { continue };
            if !self.was_open && !matches!(error, Error::Stopped) {
                // The accounts may have moved to a host that has a stream.
                self.ask_now();
                let _ = self.look(left);
            }
            self.store_seq(true);
            let all = self.mirrors.into_values().flatten();
            let dirs: Vec<_> = all.map(|one| one.mirror.dir).collect();
            if !dirs.is_empty() {
                left(Left::Ended(Unfollowed { dirs, error }));
            }
            return;
        }
    }

    /// Asks for a pull of each mirror, which does not count for the pace.
    fn ask_now(&mut self) {
        let now = Instant::now();
        self.all().for_each(|one| one.pace.ask_now(now));
        self.looked_at = None;
    }

    fn take_next(&mut self) -> Result<()> {
        let shared = self.shared;
        let arrival = self.feed.next()?;
        let is_open = matches!(arrival, Arrival::Opened { .. });
        match arrival {
            Arrival::Opened { has_gap: true } if !self.was_open => self.ask_now(),
            // A server that closes each connection does not cause a pull for each.
            Arrival::Opened { has_gap: true } | Arrival::Gap => self.all().for_each(One::ask),
            Arrival::Event(event) => {
                let found = event.did().and_then(|did| self.mirrors.get_mut(did));
                found.into_iter().flatten().for_each(|one| one.take(&event, shared));
            }
            Arrival::Refused(Some(did), why) => {
                let (found, why) = (self.mirrors.get_mut(&did), Arc::new(why));
                found.into_iter().flatten().for_each(|one| one.refuse(&why, shared));
            }
            // It may have been about any of them.
            Arrival::Refused(None, why) => {
                let why = Arc::new(why);
                self.all().for_each(|one| one.refuse(&why, shared));
            }
            Arrival::Changed(did) => {
                self.mirrors.get_mut(&did).into_iter().flatten().for_each(One::ask);
            }
            Arrival::Opened { has_gap: false } | Arrival::Nothing => {}
        }
        self.was_open |= is_open;
        Ok(())
    }

    fn all(&mut self) -> impl Iterator<Item = &mut One> {
        self.mirrors.values_mut().flatten()
    }

    /// Makes the pulls that are due, and stores the place in the stream.
    fn look(&mut self, left: &dyn Fn(Left)) -> Result<()> {
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        let now = Instant::now();
        let due = self.all().filter(|one| one.pace.is_due(now)).count();
        let looked = if due > 0 { self.pull(now, due, left) } else { Ok(()) };
        self.store_seq(false);
        self.looked_at = Some(Instant::now());
        looked
    }

    /// Pulls the mirrors that are due, those of each host one after the other, and gives away those that cannot be
    /// followed here any more.
    fn pull(&mut self, now: Instant, due: usize, left: &dyn Fn(Left)) -> Result<()> {
        let Shared { net, source, report, .. } = self.shared;
        let by_host = *source == EventSource::Host;
        let listed = match &self.server {
            Some(host) if by_host => listed_if_many(net, host, due, report),
            _ => Listed::new(),
        };
        let mut of_hosts: BTreeMap<Host, Vec<One>> = BTreeMap::new();
        for one in std::mem::take(&mut self.mirrors).into_values().flatten() {
            let host = &one.mirror.upstream.host;
            let is_turn = of_hosts.len() < MAX_HOSTS || of_hosts.contains_key(host);
            match one.pace.is_due(now) && is_turn {
                true => of_hosts.entry(host.clone()).or_default().push(one),
                false => self.keep(one),
            }
        }
        let mut pulled = Ok(());
        for (one, result) in pull_hosts(of_hosts, &listed, self.shared) {
            match result {
                Ok(has_moved) if has_moved && by_host => left(Left::Moved(one.mirror)),
                Ok(_) => self.keep(one),
                Err(Error::Stopped) => {
                    pulled = Err(Error::Stopped);
                    self.keep(one);
                }
                Err(error) => {
                    left(Left::Ended(Unfollowed { dirs: vec![one.mirror.dir], error }));
                }
            }
        }
        pulled
    }

    fn keep(&mut self, one: One) {
        self.mirrors.entry(one.mirror.upstream.did.clone()).or_default().push(one);
    }

    fn store_seq(&mut self, is_last: bool) {
        let (Some(server), Some(seq)) = (self.server.clone(), self.feed.seq()) else { return };
        self.all().for_each(|one| one.store_seq(&server, Some(seq), is_last));
    }
}

/// Pulls the mirrors of each host in a thread of its own.
fn pull_hosts(
    of_hosts: BTreeMap<Host, Vec<One>>,
    listed: &Listed,
    shared: Shared<'_>,
) -> Vec<(One, Result<bool>)> {
    std::thread::scope(|scope| {
        let pull = |mut one: One| {
            let result = one.pull(listed.get(&one.mirror.upstream.did), shared);
            (one, result)
        };
        let threads: Vec<_> = of_hosts
            .into_values()
            .map(|ones| scope.spawn(move || ones.into_iter().map(pull).collect::<Vec<_>>()))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(pulled) => pulled,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

/// The most hosts that are asked at the same time. The others have their turn next.
const MAX_HOSTS: usize = 32;

/// How often the pulls that are due are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
