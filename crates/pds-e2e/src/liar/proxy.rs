//! The proxy: its clients, its host, and its lies.

use std::io::{self, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::liar::bodies::{Flipped, bomb, repeated};
use crate::liar::rule::{Canned, Lie, Rule};
use crate::liar::stream;
use crate::liar::upgrade::Handshake;
use crate::liar::wire::{Ending, OWN, PATIENCE, Reply, Request, wait_for_end};

/// A proxy on loopback. It asks the host for plain bodies, so that bytes of a lie are bytes of the content.
#[derive(Debug)]
pub struct Liar {
    url: String,
    shared: Arc<Shared>,
}

/// One request that has arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path with the query.
    pub path: String,
    /// The status of the reply; 0 before there is one.
    pub status: u16,
    /// The bytes of the body that were sent.
    pub bytes: u64,
}

#[derive(Debug)]
struct Shared {
    host: String,
    agent: ureq::Agent,
    rules: Mutex<Vec<(Rule, u64)>>,
    seen: Mutex<Vec<Seen>>,
    /// The bytes of bodies that may still be sent.
    budget: AtomicU64,
    is_stalled: AtomicBool,
    is_over: AtomicBool,
}

impl Liar {
    /// Starts an honest proxy before a host or a directory.
    pub fn before(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            host: host.to_owned(),
            agent: crate::http::agent(None),
            rules: Mutex::default(),
            seen: Mutex::default(),
            budget: AtomicU64::new(u64::MAX),
            is_stalled: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let for_clients = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if for_clients.is_over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = for_clients.clone();
                thread::spawn(move || shared.serve(&client.unwrap()));
            }
        });
        Self { url, shared }
    }

    /// Returns the address of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a rule. The first rule that fits a request decides.
    pub fn add(&self, rule: Rule) {
        self.shared.rules.lock().unwrap().push((rule, 0));
    }

    /// Removes all rules and limits, and forgets what it has seen.
    pub fn reset(&self) {
        self.shared.rules.lock().unwrap().clear();
        self.shared.seen.lock().unwrap().clear();
        self.shared.budget.store(u64::MAX, Ordering::Relaxed);
        self.shared.is_stalled.store(false, Ordering::Relaxed);
    }

    /// Sends at most this number of bytes of bodies from now on, all requests together. Then the proxy stalls.
    pub fn stall_after(&self, bytes: u64) {
        self.shared.budget.store(bytes, Ordering::Relaxed);
    }

    /// Returns whether a reply has stalled since the last reset.
    pub fn is_stalled(&self) -> bool {
        self.shared.is_stalled.load(Ordering::Relaxed)
    }

    /// Returns the requests whose path and query contain a text, in the order of their arrival.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.path.contains(path)).cloned().collect()
    }

    /// Returns the bytes of the bodies that were sent to requests whose path and query contain a text.
    pub fn bytes(&self, path: &str) -> u64 {
        self.seen(path).iter().map(|seen| seen.bytes).sum()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }
}

impl Shared {
    /// Answers one request. An error means that one of the two sides has left.
    fn serve(&self, client: &TcpStream) {
        let answered = client
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| client.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| Request::read(client))
            .and_then(|request| request.map_or(Ok(()), |request| self.answer(client, &request)));
        drop(answered);
    }

    fn answer(&self, client: &TcpStream, request: &Request) -> io::Result<()> {
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen { path: request.path.clone(), status: 0, bytes: 0 });
            seen.len() - 1
        };
        let reply = match self.lie_for(&request.path) {
            Some(Lie::EndlessHeaders) => return endless_headers(client),
            Some(Lie::Answer(canned)) => Reply::canned(canned),
            Some(Lie::Respond(respond)) => Reply::canned(respond(&request.path)),
            lie if request.is_upgrade() => return self.relay(client, request, number, lie),
            Some(lie) => self.ask(request)?.with(lie)?,
            None => self.ask(request)?,
        };
        self.note(number, |seen| seen.status = reply.status);
        let has_body = request.method != "HEAD";
        let ending = reply.send(client, has_body, |bytes| self.allow(number, bytes))?;
        self.end(client, ending);
        Ok(())
    }

    /// Connects the client to the host by a WebSocket, and lies about its messages.
    fn relay(
        &self,
        client: &TcpStream,
        request: &Request,
        number: usize,
        lie: Option<Lie>,
    ) -> io::Result<()> {
        let rewrite = match lie {
            None => stream::honest(),
            Some(Lie::Stream(rewrite)) => rewrite,
            Some(lie) => panic!("{lie:?} is no lie about messages"),
        };
        let handshake = Handshake::ask(&self.host, request)?;
        self.note(number, |seen| seen.status = handshake.status());
        let ending = handshake.relay(client, &rewrite, |bytes| self.allow(number, bytes))?;
        client.set_read_timeout(Some(PATIENCE))?;
        self.end(client, ending);
        Ok(())
    }

    /// Takes bytes of a body from the budget, and notes them.
    fn allow(&self, number: usize, bytes: usize) -> usize {
        let allowed = self.spend(bytes);
        self.note(number, |seen| seen.bytes += allowed as u64);
        allowed
    }

    fn end(&self, client: &TcpStream, ending: Ending) {
        if ending == Ending::Stall {
            self.is_stalled.store(true, Ordering::Relaxed);
            wait_for_end(client);
        }
    }

    /// Changes what is known of a request, unless it was forgotten.
    fn note(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.seen.lock().unwrap().get_mut(number) {
            change(seen);
        }
    }

    /// Takes bytes from the budget: as many as are wanted and left.
    fn spend(&self, wanted: usize) -> usize {
        let wanted = wanted as u64;
        let rest = |left: u64| Some(left - left.min(wanted));
        let left = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).unwrap();
        usize::try_from(left.min(wanted)).unwrap()
    }

    fn lie_for(&self, path: &str) -> Option<Lie> {
        let mut rules = self.rules.lock().unwrap();
        for (rule, count) in rules.iter_mut().filter(|(rule, _)| path.contains(&rule.path)) {
            *count += 1;
            if rule.numbers.contains(&(*count - 1)) {
                return Some(rule.lie.clone());
            }
        }
        None
    }

    /// Asks the host, for a body without compression.
    fn ask(&self, request: &Request) -> io::Result<Reply> {
        let url = format!("{}{}", self.host, request.path);
        let mut asked = ureq::http::Request::builder().method(request.method.as_str()).uri(url);
        let kept = request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        for (name, value) in kept {
            asked = asked.header(name, value);
        }
        let asked = asked.header("accept-encoding", "identity");
        let answer = if request.body.is_empty() {
            self.agent.run(asked.body(()).unwrap())
        } else {
            self.agent.run(asked.body(request.body.clone()).unwrap())
        };
        let (head, body) = answer.map_err(ureq::Error::into_io)?.into_parts();
        let headers = head.headers.iter();
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map(|(_, length)| length.parse().unwrap());
        Ok(Reply {
            status: head.status.as_u16(),
            headers: headers.into_iter().filter(|(name, _)| !OWN.contains(&&**name)).collect(),
            body: Box::new(body.into_reader()),
            length,
            ending: Ending::Complete,
            pace: None,
        })
    }
}

impl Reply {
    fn canned(canned: Canned) -> Self {
        let Canned { status, headers, body } = canned;
        let length = Some(body.len() as u64);
        let body = Box::new(Cursor::new(body));
        Self { status, headers, body, length, ending: Ending::Complete, pace: None }
    }

    /// Applies a lie to the answer of the host.
    fn with(mut self, lie: Lie) -> io::Result<Self> {
        match lie {
            Lie::EndAfter(bytes) => {
                self.length = self.length.map(|length| length.min(bytes));
                self.body = Box::new(self.body.take(bytes));
            }
            Lie::CutAfter(bytes) => {
                self.body = Box::new(self.body.take(bytes));
                self.ending = Ending::Cut;
            }
            Lie::StallAfter(bytes) => {
                self.body = Box::new(self.body.take(bytes));
                self.ending = Ending::Stall;
            }
            Lie::FlipBit(at) => {
                self.body = Box::new(Flipped { from: self.body, left: at, is_done: false });
            }
            Lie::Change(change) => {
                let body = change(self.whole()?);
                self.length = Some(body.len() as u64);
                self.body = Box::new(Cursor::new(body));
            }
            Lie::Slowly { bytes, pause } => self.pace = Some((bytes, pause)),
            Lie::Endless(padding) => {
                self.length = None;
                self.body = Box::new(self.body.take(padding.after).chain(repeated(&padding.bytes)));
            }
            Lie::GzipBomb { layers, padding } => {
                self.body = Box::new(self.body.take(padding.after));
                let body = self.whole()?;
                self.headers.push(("content-encoding".into(), vec!["gzip"; layers].join(", ")));
                self.length = None;
                self.body = Box::new(bomb(layers, body, &padding.bytes));
            }
            Lie::EndlessHeaders | Lie::Answer(_) | Lie::Respond(_) => {
                unreachable!("they need no host")
            }
            Lie::Stream(_) => panic!("only a WebSocket has messages"),
        }
        Ok(self)
    }

    fn whole(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.body.read_to_end(&mut body)?;
        Ok(body)
    }
}

/// Sends headers until the client leaves.
fn endless_headers(mut client: &TcpStream) -> io::Result<()> {
    client.write_all(b"HTTP/1.1 200 OK\r\n")?;
    for number in 0..10_000_000 {
        client.write_all(format!("x-{number}: {}\r\n", "x".repeat(100)).as_bytes())?;
    }
    Ok(())
}
