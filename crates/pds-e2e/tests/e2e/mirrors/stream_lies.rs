//! Followings of a host whose event stream lies: the mirror ends at the state of the host, and holds no other.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::block::MemoryBlocks;
use pds_core::data::cid::Cid;
use pds_core::sync::build::{State, build_commit, build_sync};
use pds_core::sync::event::{AccountEvent, CommitEvent, Event, IdentityEvent};
use pds_core::sync::frame::Frame;
use pds_e2e::liar::stream::with_seq;
use pds_e2e::{Forged, Lie, Live, Rule, Sent};
use serde_json::{Value as Json, json};

use super::Mirror;

/// What the proxy sends instead of a commit event of the account.
type Rewrite = Arc<dyn Fn(&CommitEvent, Vec<u8>) -> Vec<Sent> + Send + Sync>;

/// A lie, and the fault that the client reports, if it does.
type Case = (&'static str, Option<&'static str>, Rewrite);

fn case(
    name: &'static str,
    fault: Option<&'static str>,
    rewrite: impl Fn(&CommitEvent, Vec<u8>) -> Vec<Sent> + Send + Sync + 'static,
) -> Case {
    (name, fault, Arc::new(rewrite))
}

/// An event that is changed, with its number.
fn changed(event: &CommitEvent, change: impl FnOnce(&mut CommitEvent)) -> Vec<Sent> {
    let mut event = event.clone();
    change(&mut event);
    vec![Sent::Message(Frame::from(Event::Commit(event)).encode())]
}

fn cases() -> Vec<Case> {
    let forged = |event: Event| vec![Sent::Message(Frame::from(event).encode())];
    vec![
        case("left out", None, |_, _| Vec::new()),
        case("repeated", Some("sequence"), |_, frame| {
            vec![Sent::Message(frame.clone()), Sent::Message(frame)]
        }),
        case("too large a number", Some("event-unreadable"), |_, frame| {
            vec![Sent::Message(with_seq(&frame, 1 << 62))]
        }),
        case("a number that goes back", Some("sequence"), |_, frame| {
            vec![Sent::Message(frame.clone()), Sent::Message(with_seq(&frame, 1))]
        }),
        case("another operation", Some("event-operation"), |event, _| {
            changed(event, |event| event.ops[0].path = "com.example.note/lie".parse().unwrap())
        }),
        case("no operation", Some("event-not-inverted"), |event, _| {
            changed(event, |event| event.ops.clear())
        }),
        case("another rev", Some("event-invalid"), |event, _| {
            let later = |event: &mut CommitEvent| {
                event.rev = pds_core::syntax::tid::Tid::next(0, 0, Some(event.rev)).unwrap();
            };
            changed(event, later)
        }),
        case("a bit of a block", Some("event-invalid"), |event, _| {
            changed(event, |event| {
                let at = event.blocks.len() / 2;
                event.blocks[at] ^= 1;
            })
        }),
        case("no frame", Some("event-unreadable"), |_, _| vec![Sent::Message(vec![0xff; 10])]),
        case("more than a message may have", None, |_, _| vec![Sent::Message(vec![0; 5_000_001])]),
        case("the same in parts", None, |_, _| vec![Sent::Fragments(vec![vec![0; 1_000_000]; 6])]),
        case("cut", None, |_, _| vec![Sent::Cut]),
        case("a status that the host did not set", None, move |event, _| {
            forged(Event::Account(AccountEvent {
                seq: event.seq,
                did: event.repo.clone(),
                active: false,
                status: Some("deleted".to_owned()),
                time: event.time.clone(),
            }))
        }),
        case("an identity that has not changed", None, move |event, _| {
            forged(Event::Identity(IdentityEvent {
                seq: event.seq,
                did: event.repo.clone(),
                handle: Some("evil.example.com".parse().unwrap()),
                time: event.time.clone(),
            }))
        }),
    ]
}

impl Mirror {
    /// Applies a lie to the next commit event of the account.
    fn lie_once(&self, rewrite: &Rewrite) {
        let (did, rewrite, left) = (self.account.did.clone(), rewrite.clone(), AtomicU64::new(1));
        self.liar.add(Rule::every(
            "subscribeRepos",
            Lie::Stream(Arc::new(move |_, frame| {
                let event = match Frame::decode(&frame) {
                    Ok(Frame::Event(Event::Commit(event))) if event.repo.as_str() == did => event,
                    _ => return vec![Sent::Message(frame)],
                };
                let is_due = left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                match is_due {
                    Ok(_) => rewrite(&event, frame),
                    Err(_) => vec![Sent::Message(frame)],
                }
            })),
        ));
    }

    /// Follows without a place in the stream, and waits for the first pull: no further one hides what comes then.
    fn follow_from_now(&self) -> Live {
        let mut upstream = self.upstream();
        upstream["cursor"] = Json::Null;
        fs::write(self.home.path("copy/upstream.json"), upstream.to_string()).unwrap();
        let live = self.follow(&["--follow"]);
        assert_eq!(live.line()["by"], "pull");
        live
    }

    /// Waits until the copy is at the state of the host.
    fn comes_to_the_head(&self, what: &str) {
        let (start, head) = (Instant::now(), self.account.head().0);
        while self.info()["commit"] != head {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: not at the head");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn whatever_the_stream_says_the_mirror_comes_to_the_state_of_the_host() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    for (name, fault, rewrite) in cases() {
        mirror.liar.reset();
        mirror.lie_once(&rewrite);
        let live = mirror.follow_from_now();
        mirror.note(name);
        mirror.note("and one more");
        mirror.comes_to_the_head(name);
        if let Some(fault) = fault {
            let line = live.line_with(|line| line["action"] == "fault");
            assert_eq!((&line["error"], &line["by"]), (&json!(fault), &json!("event")), "{name}");
        }
        live.kill();
        mirror.assert_equal();
        let upstream = mirror.upstream();
        assert!(upstream["status"].is_null(), "{name}: {upstream}");
        assert_eq!(upstream["handle"], mirror.account.handle, "{name}");
    }
    mirror.home.pds(["-R", "copy", "verify", "--history", "--blobs"]).with(0);
}

/// Returns an event with a new commit over the present records, which another key has signed.
fn forged_event(mirror: &Mirror, key: &SigningKey, is_sync: bool) -> (Event, Cid) {
    let before = Forged::of(&mirror.account.sync("getRepo", "").body);
    let forged = before.clone().signed(key, |_| {});
    let (commit, before) = (forged.commit(), before.commit());
    let blocks: MemoryBlocks = forged.blocks().iter().cloned().collect();
    let state = |commit| State { commit, blocks: &blocks };
    let now = "2026-11-30T12:00:00Z".parse().unwrap();
    let event = match is_sync {
        true => Event::Sync(build_sync(&commit, 1, &now).unwrap()),
        false => {
            let event = build_commit(Some(state(&before)), state(&commit), 1, &now);
            Event::Commit(event.unwrap())
        }
    };
    (event, commit.cid())
}

#[test]
fn a_commit_that_another_key_has_signed_is_refused_and_the_host_is_asked() {
    let Some(mirror) = Mirror::new("20", "1") else { return };
    mirror.clone().with(0);
    let key = SigningKey::generate(Curve::K256).unwrap();
    for is_sync in [false, true] {
        let (event, commit) = forged_event(&mirror, &key, is_sync);
        mirror.liar.reset();
        let lie = move |true_event: &CommitEvent, _: Vec<u8>| {
            let forged = Frame::from(event.clone()).encode();
            vec![Sent::Message(with_seq(&forged, true_event.seq as i64))]
        };
        mirror.lie_once(&(Arc::new(lie) as Rewrite));
        let live = mirror.follow_from_now();
        mirror.note("true");
        let line = live.line_with(|line| line["action"] == "fault");
        assert_eq!(line["error"], "wrong-key", "{line}");
        mirror.comes_to_the_head("forged");
        live.kill();
        mirror.assert_equal();
        mirror.home.pds(["-R", "copy", "show", &commit.to_string()]).with(1);
    }
}
