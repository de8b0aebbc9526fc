//! WebSockets, spoken by hand on the side of the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tungstenite::handshake::derive_accept_key;

use pds_net::error::Error;
use pds_net::limits::MAX_MESSAGE_BYTES;
use pds_net::net::Net;
use pds_net::options::Patience;
use pds_net::socket::{Messages, Socket};

use crate::server::{Server, impatient, options, patient};

pub(crate) const PATH: &str = "/xrpc/com.atproto.sync.subscribeRepos?cursor=5";

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// Bits of the first byte: a frame that is not the last one of its message.
const FIRST: u8 = 0x02;
const MIDDLE: u8 = 0x00;
const LAST: u8 = 0x80;

/// Returns a frame of a server.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    match payload.len() {
        short @ ..126 => frame.push(u8::try_from(short).unwrap()),
        long => {
            frame.push(127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Returns the answer to a handshake.
pub(crate) fn agree(head: &str) -> Vec<u8> {
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// Starts a server that sends bytes after the handshake and waits for the end of the connection.
fn sending(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    Server::start(move |head, stream| {
        let _ = stream.write_all(&[agree(head), bytes.clone()].concat());
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn open(net: &Net, server: &Server) -> Result<Socket, Error> {
    Socket::open(net.client(), &server.host, PATH, Messages::Binary)
}

/// Reads messages until an error.
fn fault(net: &Net, server: &Server) -> Error {
    let mut socket = open(net, server).unwrap();
    loop {
        if let Err(error) = socket.next() {
            return error;
        }
    }
}

/// Returns the next message, however long it takes.
fn message(socket: &mut Socket) -> Vec<u8> {
    loop {
        if let Some(message) = socket.next().unwrap() {
            return message;
        }
    }
}

#[test]
fn messages_arrive_in_order_and_are_counted() {
    let (seen, heads) = mpsc::channel();
    let frames = [frame(BINARY, b"one"), frame(PING, b"?"), frame(BINARY, &[7; 70_000])].concat();
    let length = frames.len() as u64;
    let server = Server::start(move |head, stream| {
        seen.send(head.to_owned()).unwrap();
        stream.write_all(&[agree(head), frames.clone()].concat()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let net = patient();
    let mut socket = open(&net, &server).unwrap();
    assert_eq!(message(&mut socket), b"one");
    assert_eq!(message(&mut socket), [7; 70_000]);
    assert_eq!(socket.next().unwrap(), None, "no message for a second");
    assert_eq!((net.traffic().requests, net.traffic().bytes_received), (1, length));
    let head = heads.recv().unwrap();
    assert!(head.starts_with(&format!("GET {PATH} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("sec-websocket-version: 13\r\n") && head.contains("user-agent: pds/"));
    assert!(!head.contains("sec-websocket-extensions"), "no compression is offered: {head}");
}

#[test]
fn fragments_with_a_ping_between_them_are_one_message() {
    let frames =
        [frame(FIRST, b"o"), frame(PING, b"?"), frame(MIDDLE, b"n"), frame(LAST, b"e")].concat();
    assert_eq!(message(&mut open(&patient(), &sending(frames)).unwrap()), b"one");
}

#[test]
fn a_message_has_a_largest_size() {
    let largest = vec![1; MAX_MESSAGE_BYTES];
    let server = sending(frame(BINARY, &largest));
    assert_eq!(message(&mut open(&patient(), &server).unwrap()).len(), MAX_MESSAGE_BYTES);
    let half = &largest[..MAX_MESSAGE_BYTES / 2];
    let together = [frame(FIRST, half), frame(MIDDLE, half), frame(LAST, b"x")].concat();
    let announced = [[BINARY, 127].as_slice(), &[0xff; 8]].concat();
    for frames in [frame(BINARY, &vec![1; MAX_MESSAGE_BYTES + 1]), together, announced] {
        let error = fault(&patient(), &sending(frames));
        assert!(matches!(error, Error::Bound { limit: 5_000_000, .. }), "{error}");
    }
}

#[test]
fn empty_fragments_without_end() {
    let floods = Server::start(|head, stream| {
        let _ = stream.write_all(&[agree(head), frame(FIRST, b"")].concat());
        let some = [frame(MIDDLE, b"").repeat(1000), frame(PING, b"x")].concat();
        while stream.write_all(&some).is_ok() {}
    });
    let error = fault(&patient(), &floods);
    assert!(matches!(error, Error::Bound { limit: 5_000_000, .. }), "{error}");
}

#[test]
fn messages_of_the_other_kind() {
    let error = fault(&patient(), &sending(frame(TEXT, b"text")));
    assert!(matches!(&error, Error::Answer { reason, .. } if reason.contains("text")), "{error}");
    let texts = sending([frame(TEXT, "é".as_bytes()), frame(BINARY, b"x")].concat());
    let net = patient();
    let mut socket = Socket::open(net.client(), &texts.host, PATH, Messages::Text).unwrap();
    assert_eq!(message(&mut socket), "é".as_bytes());
    assert!(matches!(socket.next(), Err(Error::Answer { .. })));
    let invalid = sending(frame(TEXT, b"\xff"));
    let mut socket = Socket::open(net.client(), &invalid.host, PATH, Messages::Text).unwrap();
    assert!(matches!(socket.next(), Err(Error::Answer { .. })));
}

/// Reads a frame of a client and returns its first byte and its payload.
fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    stream.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).unwrap();
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= head[2 + at % 4];
    }
    (head[0], payload)
}

#[test]
fn a_flood_of_pings_gets_few_pongs() {
    let (done, pongs) = mpsc::channel();
    let server = Server::start(move |head, stream| {
        let started = Instant::now();
        let pings = [frame(PING, b"x").repeat(20_000), frame(PING, b"last")].concat();
        stream.write_all(&[agree(head), pings].concat()).unwrap();
        let mut count = 0;
        loop {
            let (kind, payload) = read_frame(stream);
            assert_eq!(kind, PONG);
            count += 1;
            if payload == b"last" {
                break;
            }
        }
        done.send((count, started.elapsed().as_secs())).unwrap();
        let _ = stream.write_all(&frame(BINARY, b"end"));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(message(&mut open(&patient(), &server).unwrap()), b"end");
    let (count, seconds) = pongs.recv().unwrap();
    assert!((2..=seconds + 1).contains(&count), "{count} pongs in {seconds} s");
}

#[test]
fn a_message_that_drips() {
    let drips = Server::start(|head, stream| {
        let _ = stream.write_all(&agree(head));
        let drop = |stream: &mut TcpStream, byte| {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(&[byte]).is_ok()
        };
        for byte in frame(BINARY, &[7; 90_000]) {
            if !drop(stream, byte) {
                return;
            }
        }
    });
    let error = fault(&impatient(), &drips);
    assert!(matches!(&error, Error::Stalled { what, .. } if what.contains("slowest")), "{error}");
}

#[test]
fn a_stream_between_messages_has_no_pace() {
    let server = Server::start(|head, stream| {
        stream.write_all(&agree(head)).unwrap();
        for frames in [frame(PING, b"?"), frame(BINARY, b"one"), frame(BINARY, b"two")] {
            // Longer than the window in which the client measures the pace.
            thread::sleep(Duration::from_millis(700));
            stream.write_all(&frames).unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut socket = open(&impatient(), &server).unwrap();
    assert_eq!((message(&mut socket), message(&mut socket)), (b"one".to_vec(), b"two".to_vec()));
}

/// A client that soon sends pings, and waits for a time.
fn with_silence(silence: Duration) -> Net {
    let mut options = options();
    let ping_after = Duration::from_millis(1);
    options.patience = Patience { silence, ping_after, ..Patience::default() };
    Net::new(options).unwrap()
}

#[test]
fn a_host_that_is_silent() {
    let error = fault(&with_silence(Duration::from_millis(1500)), &sending(frame(BINARY, b"x")));
    assert!(matches!(&error, Error::Stalled { what, .. } if what.contains("pong")), "{error}");
    assert!(error.is_retryable());
    // A ping of the host says nothing about the events of the host.
    let pings = Server::start(|head, stream| {
        let _ = stream.write_all(&agree(head));
        while stream.write_all(&frame(PING, b"")).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let error = fault(&with_silence(Duration::from_millis(1500)), &pings);
    assert!(matches!(&error, Error::Stalled { what, .. } if what.contains("pong")), "{error}");
}

#[test]
fn a_host_that_answers_pings_is_waited_for() {
    let server = Server::start(|head, stream| {
        stream.write_all(&agree(head)).unwrap();
        for _ in 0..5 {
            assert_eq!(read_frame(stream).0, PING);
            stream.write_all(&frame(PONG, b"")).unwrap();
        }
        stream.write_all(&frame(BINARY, b"late")).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut socket = open(&with_silence(Duration::from_secs(4)), &server).unwrap();
    assert_eq!(message(&mut socket), b"late");
}

#[test]
fn time_in_which_nothing_is_read_is_no_silence_of_the_host() {
    let server = sending(frame(BINARY, b"x"));
    let silence = Duration::from_secs(3);
    let mut socket = open(&with_silence(silence), &server).unwrap();
    assert_eq!(message(&mut socket), b"x");
    thread::sleep(silence);
    assert_eq!(socket.next().unwrap(), None);
}

#[test]
fn connections_that_end() {
    let closes = sending(frame(CLOSE, b"\x03\xf0Consumer\x1bTooSlow"));
    let error = fault(&patient(), &closes);
    assert!(matches!(&error, Error::Closed { .. }) && error.is_retryable(), "{error}");
    assert!(error.to_string().contains("code 1008, Consumer\\u{1b}TooSlow; connect"), "{error}");
    let error = fault(&patient(), &sending(frame(CLOSE, b"")));
    assert!(matches!(&error, Error::Closed { .. }), "{error}");
    for bytes in [vec![], frame(FIRST, b"o"), frame(BINARY, b"one")[..3].to_vec()] {
        let count = bytes.len() as u64;
        let cuts = Server::start(move |head, stream| {
            let _ = stream.write_all(&[agree(head), bytes.clone()].concat());
        });
        let error = fault(&patient(), &cuts);
        assert!(matches!(error, Error::Cut { bytes, .. } if bytes == count), "{error}");
        assert!(error.is_retryable());
    }
    let mut socket = open(&patient(), &sending(frame(TEXT, b"x"))).unwrap();
    assert!(matches!(socket.next(), Err(Error::Answer { .. })));
    assert!(matches!(socket.next(), Err(Error::Closed { .. })), "the socket stays closed");
}

/// Parts of streams. Together they make valid, broken and absurd ones.
const PARTS: [&[u8]; 14] = [
    b"\x82\x01x",
    b"\x02\x01x",
    b"\x00\x00",
    b"\x80\x01x",
    b"\x81\x02\xc3\xa9",
    b"\x89\x00",
    b"\x8a\x7d",
    b"\x88\x02\x03\xe8",
    b"\x88\x01x",
    b"\x8b\x00",
    b"\xc2\x01x",
    b"\x82\x81mask",
    b"\x82\x7e\x00\x01x",
    b"\xff\xff\xff\xff",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_stream_makes_the_client_panic(parts in prop::collection::vec(0..PARTS.len(), 0..12)) {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| PARTS[*part]).copied().collect();
        let server = Server::start(move |head, stream| {
            let _ = stream.write_all(&[agree(head), bytes.clone()].concat());
        });
        let error = fault(&impatient(), &server);
        prop_assert!(error.is_remote(), "{}", error);
    }
}
