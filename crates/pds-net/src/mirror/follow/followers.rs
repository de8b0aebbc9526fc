//! The following of mirrors: one thread for each event stream.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::Scope;

use crate::host::Host;
use crate::mirror::follow::event_source::EventSource;
use crate::mirror::follow::followed::{OnFollowed, Unfollowed};
use crate::mirror::follow::group::{Group, Left};
use crate::mirror::follow::one::Shared;
use crate::mirror::handle::{FetchOptions, Mirror};
use crate::net::Net;
use crate::progress::Report;

/// Follows mirrors until none is left, or until the report stops it. Returns why each one ended.
///
/// A mirror is pulled first, unless its place in the event stream is known. Then each event of its account is checked
/// and stored by itself. Where that is not possible, and for events without a signature, the mirror is pulled: at most
/// once a minute, and less often while there is nothing new. Faults of the network and of hosts pass; a fault of this
/// machine ends the following of the mirror.
///
/// With [`EventSource::Host`], there is one connection for each host. A mirror is locked only while it changes, and
/// `options.wait` is the time to wait for another process that changes it.
#[must_use]
pub fn follow(
    net: &Net,
    mirrors: Vec<Mirror>,
    source: &EventSource,
    options: &FetchOptions,
    report: Report<'_>,
    on: OnFollowed<'_>,
) -> Vec<Unfollowed> {
    let shared = Shared { net, source, options, report, on };
    let mut ended = Vec::new();
    std::thread::scope(|scope| {
        // `None` comes when a thread ends.
        let (sender, messages) = mpsc::channel();
        let mut running = 0_usize;
        for group in groups(mirrors, source) {
            running += 1;
            spawn(scope, Group::new(group, shared), sender.clone());
        }
        while running > 0 {
            match messages.recv() {
                Ok(Some(Left::Ended(one))) => ended.push(one),
                Ok(Some(Left::Moved(mirror))) => {
                    running += 1;
                    spawn(scope, Group::new(vec![mirror], shared), sender.clone());
                }
                Ok(None) | Err(_) => running -= 1,
            }
        }
    });
    ended
}

fn spawn<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    group: Group<'a>,
    sender: mpsc::Sender<Option<Left>>,
) {
    scope.spawn(move || {
        let sender = DoneAtEnd(sender);
        // The receiver lives until each thread has ended.
        group.run(&|left| drop(sender.0.send(Some(left))));
    });
}

/// Says that a thread has ended, also after a panic.
struct DoneAtEnd(mpsc::Sender<Option<Left>>);

impl Drop for DoneAtEnd {
    fn drop(&mut self) {
        let _ = self.0.send(None);
    }
}

/// Returns the mirrors of each event stream. Without a stream, those of a host wait for each other only.
fn groups(mirrors: Vec<Mirror>, source: &EventSource) -> Vec<Vec<Mirror>> {
    if matches!(source, EventSource::Relay(_) | EventSource::Jetstream(_)) {
        return if mirrors.is_empty() { Vec::new() } else { vec![mirrors] };
    }
    let mut by_host: BTreeMap<Host, Vec<Mirror>> = BTreeMap::new();
    for mirror in mirrors {
        by_host.entry(mirror.upstream.host.clone()).or_default().push(mirror);
    }
    by_host.into_values().collect()
}
