//! Event streams of a real host, through the proxy and with its lies.

use std::sync::OnceLock;
use std::time::Duration;

use pds_core::sync::event::{AccountEvent, Action, Event, SyncEvent};
use pds_core::sync::frame::Frame;
use pds_e2e::liar::stream::with_seq;
use pds_e2e::{Account, Liar, Lie, Rule, Sent, Servers};
use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::options::{NetOptions, Patience, ProxyOptions};
use pds_net::private_addresses::PrivateAddresses;
use pds_net::socket::{Messages, Socket};
use serde_json::json;

/// A proxy before a host that nothing else uses, so that its events are always the same.
struct Quiet {
    account: &'static Account<'static>,
    liar: Liar,
    /// The first events of the host.
    honest: Vec<Vec<u8>>,
}

/// The events that are compared.
const EVENTS: usize = 10;

impl Quiet {
    fn new() -> Option<Self> {
        static SERVERS: OnceLock<Option<Servers>> = OnceLock::new();
        static ACCOUNT: OnceLock<Account<'static>> = OnceLock::new();
        let servers = SERVERS.get_or_init(|| Servers::start(&["--pds", "1"])).as_ref()?;
        let account = ACCOUNT.get_or_init(|| {
            let account = Account::create(servers, 0);
            for number in 0..EVENTS {
                account.apply(&[create(&format!("early{number}"))]);
            }
            account
        });
        let liar = Liar::before(&account.host().url);
        let mut socket = open(&net(), &account.host().url, "?cursor=0").unwrap();
        let honest = (0..EVENTS).map(|_| message(&mut socket)).collect();
        Some(Self { account, liar, honest })
    }

    /// Opens the stream of all events while the proxy lies.
    fn lied(&self, lie: Lie) -> Socket {
        self.liar.reset();
        self.liar.add(Rule::every("subscribeRepos", lie));
        open(&net(), self.liar.url(), "?cursor=0").unwrap()
    }

    /// Returns some messages that come while the proxy lies.
    fn messages(&self, lie: Lie, count: usize) -> Vec<Vec<u8>> {
        let mut socket = self.lied(lie);
        (0..count).map(|_| message(&mut socket)).collect()
    }

    /// Returns the error that comes after the first three messages.
    fn fault(&self, lie: Lie) -> Error {
        let mut socket = self.lied(lie);
        for honest in &self.honest[..3] {
            assert_eq!(message(&mut socket), *honest);
        }
        loop {
            match socket.next() {
                Ok(None) => {}
                Ok(Some(_)) => panic!("a fourth message"),
                Err(error) => return error,
            }
        }
    }
}

fn net() -> Net {
    with_patience(Patience::default())
}

fn with_patience(patience: Patience) -> Net {
    let mut options = NetOptions::default();
    options.private_addresses = PrivateAddresses::Hosts(vec!["localhost".to_owned()]);
    options.proxy = ProxyOptions::Direct;
    options.patience = patience;
    Net::new(options).unwrap()
}

fn open(net: &Net, url: &str, query: &str) -> Result<Socket, Error> {
    let path = format!("/xrpc/com.atproto.sync.subscribeRepos{query}");
    Socket::open(net.client(), &url.parse().unwrap(), &path, Messages::Binary)
}

/// Returns the next message, which must come in time.
fn message(socket: &mut Socket) -> Vec<u8> {
    let mut waits = 0..60;
    loop {
        if let Some(message) = socket.next().unwrap() {
            return message;
        }
        waits.next().expect("no message came");
    }
}

fn event(message: &[u8]) -> Event {
    match Frame::decode(message).unwrap() {
        Frame::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn create(name: &str) -> serde_json::Value {
    let value = json!({ "$type": "com.example.note", "name": name });
    json!({ "action": "create", "collection": "com.example.note", "rkey": name, "value": value })
}

#[test]
fn an_honest_proxy_passes_events_on_and_counts() {
    let Some(quiet) = Quiet::new() else { return };
    let mut socket = open(&net(), quiet.liar.url(), "?cursor=0").unwrap();
    for honest in &quiet.honest {
        assert_eq!(message(&mut socket), *honest);
    }
    let seen = quiet.liar.seen("subscribeRepos?cursor=0");
    let bytes: usize = quiet.honest.iter().map(Vec::len).sum();
    assert_eq!((seen.len(), seen[0].status), (1, 101));
    assert!(seen[0].bytes >= bytes as u64);
    let seqs: Vec<Option<u64>> = quiet.honest.iter().map(|message| event(message).seq()).collect();
    assert!(seqs.is_sorted() && seqs[0].is_some(), "{seqs:?}");
}

#[test]
fn events_of_writes_arrive() {
    let Some(quiet) = Quiet::new() else { return };
    let other = Account::create(quiet.account.servers(), 0);
    let mut socket = open(&net(), quiet.liar.url(), "").unwrap();
    other.apply(&[create("a"), create("b")]);
    other.apply(&[json!({ "action": "delete", "collection": "com.example.note", "rkey": "a" })]);
    let mut commits = Vec::new();
    while commits.len() < 2 {
        match event(&message(&mut socket)) {
            // The event of the first commit, which has no records, may come after the account exists.
            Event::Commit(commit)
                if commit.repo.as_str() == other.did && commit.since.is_some() =>
            {
                commits.push(commit);
            }
            _ => {}
        }
    }
    let actions: Vec<Vec<Action>> =
        commits.iter().map(|commit| commit.ops.iter().map(|op| op.action).collect()).collect();
    assert_eq!(actions, [vec![Action::Create; 2], vec![Action::Delete]]);
    assert_eq!(commits[1].since, Some(commits[0].rev));
    assert_eq!(other.head().0, commits[1].commit.to_string());
}

#[test]
fn events_are_left_out_repeated_and_changed() {
    let Some(quiet) = Quiet::new() else { return };
    let honest = &quiet.honest;
    let dropped = quiet.messages(Lie::drop_message(2), 4);
    assert_eq!(dropped, [&honest[..2], &honest[3..5]].concat());
    let repeated = quiet.messages(Lie::repeat_message(2), 5);
    assert_eq!(repeated, [&honest[..3], &honest[2..4]].concat());
    for seq in [1 << 62, 1] {
        let renumbered = quiet.messages(Lie::renumber_message(2, seq), 4);
        assert_eq!(renumbered[2], with_seq(&honest[2], seq));
        assert_ne!(renumbered[2], honest[2]);
        assert_eq!(renumbered[3], honest[3]);
    }
    assert!(Frame::decode(&with_seq(&honest[2], 1 << 62)).is_err(), "above 2^53");
    assert_eq!(event(&with_seq(&honest[2], 1)).seq(), Some(1));
    let last = honest[2].len() - 1;
    let flipped = quiet.messages(Lie::flip_in_message(2, last), 3);
    let different = flipped[2].iter().zip(&honest[2]).filter(|(one, other)| one != other);
    assert_eq!((flipped[2].len(), different.count()), (last + 1, 1));
}

#[test]
fn forged_events_are_inserted() {
    let Some(quiet) = Quiet::new() else { return };
    let did: pds_core::syntax::did::Did = quiet.account.did.parse().unwrap();
    let time = "2026-01-01T00:00:00.000Z".to_owned();
    let gone = AccountEvent {
        seq: 3,
        did: did.clone(),
        active: false,
        status: Some("deleted".to_owned()),
        time: time.clone(),
    };
    let rev = quiet.account.head().1.parse().unwrap();
    let sync = SyncEvent { seq: 4, did, rev, blocks: b"no CAR file".to_vec(), time };
    let forged = [Event::Account(gone), Event::Sync(sync)].map(|event| Frame::from(event).encode());
    let messages = quiet.messages(Lie::insert_messages(1, forged.to_vec()), 4);
    assert_eq!(messages, [&quiet.honest[..1], &forged, &quiet.honest[1..2]].concat());
}

#[test]
fn streams_end_and_grow_too_large() {
    let Some(quiet) = Quiet::new() else { return };
    let error = quiet.fault(Lie::cut_after_messages(3));
    assert!(matches!(error, Error::Cut { .. }), "{error}");
    for frames in [1, 3, 1000] {
        let error = quiet.fault(Lie::large_message(3, frames));
        assert!(matches!(error, Error::Bound { limit: 5_000_000, .. }), "{frames}: {error}");
    }
    // Fragments of a message are one message.
    let fragments = |message: Vec<u8>| message.chunks(7).map(<[u8]>::to_vec).collect();
    let lie = Lie::at_message(2, move |message| vec![Sent::Fragments(fragments(message))]);
    assert_eq!(quiet.messages(lie, 4), quiet.honest[..4]);
}

#[test]
fn a_stream_stalls() {
    let Some(quiet) = Quiet::new() else { return };
    let patience = Patience {
        ping_after: Duration::from_millis(100),
        silence: Duration::from_secs(2),
        ..Patience::default()
    };
    quiet.liar.add(Rule::every("subscribeRepos", Lie::at_message(1, |_| vec![Sent::Stall])));
    let mut socket = open(&with_patience(patience), quiet.liar.url(), "?cursor=0").unwrap();
    assert_eq!(message(&mut socket), quiet.honest[0]);
    let error = loop {
        if let Err(error) = socket.next() {
            break error;
        }
    };
    assert!(matches!(error, Error::Stalled { .. }) && error.is_retryable(), "{error}");
    assert!(quiet.liar.is_stalled());
    // A proxy that has nothing to say answers pings.
    quiet.liar.reset();
    let mut socket = open(&with_patience(patience), quiet.liar.url(), "").unwrap();
    assert!((0..5).all(|_| socket.next().is_ok()));
}

#[test]
fn handshakes_are_refused() {
    let Some(quiet) = Quiet::new() else { return };
    let refusal = |lie| {
        quiet.liar.reset();
        quiet.liar.add(Rule::every("subscribeRepos", lie));
        open(&net(), quiet.liar.url(), "").unwrap_err()
    };
    let error = refusal(Lie::error(401, "AuthMissing"));
    assert_eq!((error.status(), error.host_error()), (Some(401), Some("AuthMissing")));
    let error = refusal(Lie::answer(200, "text/html", &[], "<html>"));
    assert!(matches!(error, Error::NotAtproto { .. }), "{error}");
    let error = refusal(Lie::redirect("http://169.254.169.254/"));
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    let error = refusal(Lie::EndlessHeaders);
    assert!(error.is_remote(), "{error}");
    // A refusal of the host passes through a proxy, too.
    let honest = Liar::before(quiet.liar.url());
    quiet.liar.reset();
    quiet.liar.add(Rule::every("subscribeRepos", Lie::error(401, "AuthMissing")));
    let error = open(&net(), honest.url(), "").unwrap_err();
    assert_eq!((error.status(), error.host_error()), (Some(401), Some("AuthMissing")));
    assert_eq!(honest.seen("subscribeRepos")[0].status, 401);
}

#[test]
fn a_host_names_its_errors_in_a_frame() {
    let Some(quiet) = Quiet::new() else { return };
    let mut socket = open(&net(), quiet.liar.url(), "?cursor=999999999").unwrap();
    let frame = Frame::decode(&message(&mut socket)).unwrap();
    assert!(matches!(&frame, Frame::Error { name, .. } if name == "FutureCursor"), "{frame:?}");
    let error = loop {
        if let Err(error) = socket.next() {
            break error;
        }
    };
    assert!(matches!(error, Error::Closed { .. }) && error.is_retryable(), "{error}");
}
