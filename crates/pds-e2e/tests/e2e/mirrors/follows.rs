//! Following: each event becomes a state, and what an event does not prove is pulled.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pds_e2e::{Account, Home, Lie, Live, Rule, Servers};
use serde_json::{Value as Json, json};
use tungstenite::Message;

use super::Mirror;

/// Returns a mirror of an account that its host names itself.
fn mirror(notes: &str, blobs: &str) -> Option<Mirror> {
    let servers = Servers::shared()?;
    let account = Account::create(servers, 0);
    account.act("bulk", &[notes]);
    account.act("blobs", &[blobs, "2000"]);
    let mirror = Mirror::at(account, servers);
    mirror.clone().with(0);
    Some(mirror)
}

impl Mirror {
    pub(super) fn follow(&self, more: &[&str]) -> Live {
        let arguments = [&["-R", "copy", "pull", "--json", "-v"], more].concat();
        Live::start(&mut self.command(&arguments))
    }

    pub(super) fn note(&self, text: &str) {
        let value = json!({ "$type": "com.example.note", "text": text });
        let write = json!({ "action": "create", "collection": "com.example.note", "value": value });
        self.account.apply(&[write]);
    }
}

fn counts(line: &Json) -> [u64; 3] {
    ["created", "updated", "deleted"].map(|field| line[field].as_u64().unwrap())
}

#[test]
fn each_event_becomes_a_state() {
    let Some(mirror) = mirror("50", "1") else { return };
    let live = mirror.follow(&["--follow"]);
    let first = live.line();
    assert_eq!((&first["by"], &first["action"]), (&json!("pull"), &json!("unchanged")), "{first}");
    for number in 0..3 {
        mirror.note(&format!("number {number}"));
        let line = live.line();
        assert_eq!((&line["by"], &line["action"]), (&json!("event"), &json!("pulled")), "{line}");
        assert_eq!((counts(&line), &line["after"]), ([1, 0, 0], &json!(mirror.account.head().0)));
        assert_eq!(mirror.info()["commit"], line["after"]);
    }
    mirror.account.act("change", &["20", "5"]);
    let line = live.line();
    assert_eq!((&line["by"], counts(&line).iter().sum::<u64>()), (&json!("event"), 20), "{line}");
    mirror.account.act("blobs", &["2", "700"]);
    let mut blobs = 0;
    while blobs < 2 {
        let line = live.line();
        assert_eq!(line["by"], "event", "{line}");
        blobs += line["blobs"]["fetched"].as_u64().unwrap();
    }
    mirror.assert_equal();
    live.kill();
    mirror.home.pds(["-R", "copy", "verify", "--history", "--blobs"]).with(0);
}

#[test]
fn a_following_that_was_killed_continues_with_each_event() {
    let Some(mirror) = mirror("20", "1") else { return };
    let live = mirror.follow(&["--follow"]);
    live.line();
    mirror.note("before");
    live.line();
    // The place in the stream is written soon.
    let upstream = || -> Json {
        serde_json::from_slice(&std::fs::read(mirror.home.path("copy/upstream.json")).unwrap())
            .unwrap()
    };
    while upstream()["cursor"].is_null() {
        thread::sleep(Duration::from_millis(20));
    }
    live.kill();
    for number in 0..3 {
        mirror.note(&format!("meanwhile {number}"));
    }
    // Each of them is a state, although none was read when it was made.
    let live = mirror.follow(&["--follow"]);
    for _ in 0..3 {
        let line = live.line_with(|line| line["action"] != "unchanged");
        assert_eq!((&line["by"], counts(&line)), (&json!("event"), [1, 0, 0]), "{line}");
    }
    mirror.assert_equal();
}

#[test]
fn followings_that_are_killed_lose_no_state() {
    let Some(mirror) = mirror("20", "1") else { return };
    let write = |account: &Account<'_>, _| drop(account.act("each", &["30"]));
    mirror.account.while_acting(write, || {
        for kill in 0..if super::is_full() { 200 } else { 8 } {
            let live = mirror.follow(&["--follow"]);
            // Some end before the first event, and some between two.
            thread::sleep(Duration::from_millis(kill * 97 % 1_000));
            live.kill();
            mirror.home.pds(["-R", "copy", "verify"]).with(0);
        }
    });
    let live = mirror.follow(&["--follow"]);
    let head = mirror.account.head().0;
    while mirror.info()["commit"] != head {
        live.line();
    }
    live.kill();
    mirror.assert_equal();
    mirror.home.pds(["-R", "copy", "verify", "--history", "--blobs"]).with(0);
}

#[test]
fn states_and_identities_are_asked_of_the_host() {
    let Some(mirror) = mirror("20", "1") else { return };
    let live = mirror.follow(&["--follow"]);
    live.line();
    mirror.account.act("deactivate", &[]);
    let line = live.line();
    assert_eq!((&line["action"], &line["error"]), (&json!("failed"), &json!("inactive")), "{line}");
    mirror.home.pds(["-R", "copy", "verify", "--blobs"]).with(0);
    live.kill();
    mirror.account.act("activate", &[]);
    let live = mirror.follow(&["--follow"]);
    live.line_with(|line| line["action"] != "failed");
    mirror.assert_equal();
}

#[test]
fn mirrors_of_several_hosts_are_followed_together() {
    let Some(servers) = Servers::shared() else { return };
    let home = Home::new();
    let accounts = [0, 0, 1].map(|host| Account::create(servers, host));
    for account in &accounts {
        account.act("bulk", &["10"]);
        let dir = format!("all/{}", account.handle);
        let arguments = ["clone", &account.did, &dir].map(str::to_owned);
        home.pds(arguments.into_iter().chain(account.network())).with(0);
    }
    let arguments = ["pull", "--all", "all", "--follow", "--json"].map(str::to_owned);
    let network = accounts[0].network();
    let live = Live::start(&mut home.command(arguments.into_iter().chain(network)));
    for host in [0, 1] {
        live.says(&format!("following {}", servers.host(host).url));
    }
    for account in &accounts {
        account.act("bulk", &["1"]);
        let line = live.line_with(|line| line["action"] == "pulled");
        assert_eq!(line["did"], account.did, "{line}");
        assert_eq!(line["after"], account.head().0, "{line}");
    }
    live.kill();
}

#[test]
fn a_relay_has_events_and_the_host_has_the_answers() {
    let Some(mirror) = mirror("10", "1") else { return };
    // A host is a relay for its own accounts.
    let relay = mirror.account.host().url.clone();
    let live = mirror.follow(&["--relay", &relay]);
    live.line();
    mirror.note("by way of a relay");
    let line = live.line();
    assert_eq!((&line["by"], counts(&line)), (&json!("event"), [1, 0, 0]), "{line}");
    mirror.assert_equal();
}

#[test]
fn the_clock_pulls_again() {
    let Some(mirror) = mirror("10", "1") else { return };
    let live = mirror.follow(&["--every", "10s"]);
    live.line();
    mirror.note("seen by the clock");
    let line = live.line_with(|line| line["action"] == "pulled");
    assert_eq!((&line["by"], counts(&line)), (&json!("pull"), [1, 0, 0]), "{line}");
    mirror.assert_equal();
}

#[test]
fn each_event_of_a_jetstream_server_causes_a_pull() {
    let Some(mirror) = mirror("10", "1") else { return };
    // No such server is installed. What it says is never believed, so a socket that says something will do.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}", server.local_addr().unwrap().port());
    let (send, events) = mpsc::channel::<String>();
    thread::spawn(move || {
        let mut socket = tungstenite::accept(server.accept().unwrap().0).unwrap();
        for event in events {
            socket.send(Message::text(event)).unwrap();
        }
    });
    let live = mirror.follow(&["--jetstream", &url]);
    assert_eq!(live.line()["action"], "unchanged");
    mirror.note("seen by a pull");
    send.send(json!({ "did": "did:plc:other", "kind": "commit" }).to_string()).unwrap();
    send.send(json!({ "did": mirror.account.did, "kind": "commit" }).to_string()).unwrap();
    let line = live.line();
    assert_eq!((&line["by"], counts(&line)), (&json!("pull"), [1, 0, 0]), "{line}");
    mirror.assert_equal();
    // A server that says nothing sensible is asked for nothing more than a pull.
    send.send("no JSON".to_owned()).unwrap();
    let line = live.line();
    assert_eq!((&line["action"], &line["error"]), (&json!("fault"), &json!("event-unreadable")));
    live.kill();
}

#[test]
fn a_following_finds_the_new_host_of_an_account() {
    for status in [404, 502] {
        let Some(mirror) = Mirror::new("10", "1") else { return };
        mirror.clone().with(0);
        // The proxy was the host. Now it is another server, and the account is elsewhere.
        mirror.account.act("endpoint", &[&mirror.account.host().url]);
        mirror.note("after the move");
        mirror.liar.add(Rule::every("", Lie::answer(status, "text/html", &[], "for sale")));
        let live = mirror.follow(&["--follow"]);
        live.line_with(|line| line["action"] == "pulled");
        live.says(&format!("following {}", mirror.account.host().url));
        mirror.note("on the new host");
        let line = live.line_with(|line| line["after"] == mirror.account.head().0);
        assert_eq!(line["action"], "pulled", "{line}");
        live.kill();
        mirror.assert_equal();
    }
}
