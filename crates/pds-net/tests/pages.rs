//! The pages of the project and the bounds of the client say the same.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use pds_net::limits;

/// Returns a number with commas.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) {
        format!("{} GiB", bytes >> 30)
    } else {
        format!("{} bytes", number(bytes))
    }
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[test]
fn the_table_of_limits_has_the_values() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("## The network\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let wanted = [
        ("to connect, with TLS", time(limits::CONNECT_TIMEOUT)),
        ("from the request to the headers of the answer", time(limits::FIRST_BYTE_TIMEOUT)),
        ("between two parts of a body", time(limits::BETWEEN_BYTES_TIMEOUT)),
        (
            "the slowest body, over a minute",
            format!("{} a second", bytes(limits::SLOWEST_BYTES_A_SECOND)),
        ),
        ("the headers of an answer", bytes(limits::MAX_HEADER_BYTES as u64)),
        ("the answer of a web server about a handle", bytes(limits::MAX_WELL_KNOWN_BYTES)),
        ("an answer in JSON", bytes(limits::MAX_JSON_BYTES)),
        ("a DID document", bytes(limits::MAX_DID_DOCUMENT_BYTES)),
        ("an operation log", bytes(limits::MAX_PLC_LOG_BYTES)),
        ("a CAR file after decompression", bytes(limits::MAX_REPO_BYTES)),
        ("a blob, whatever size its record names", bytes(limits::MAX_BLOB_BYTES)),
        ("redirects of one request", number(u64::from(limits::MAX_REDIRECTS))),
        ("parallel requests, to one host", number(limits::REQUESTS_A_HOST as u64)),
        ("parallel requests, in all", number(limits::REQUESTS_IN_ALL as u64)),
        ("tries of a request", number(u64::from(limits::TRIES))),
        (
            "blobs in a row that a host fails to send, before the rest is left out",
            number(u64::from(limits::FAILED_BLOBS)),
        ),
        ("a wait that a host asks for", time(limits::MAX_WAIT)),
        ("one try to ask DNS", time(limits::DNS_TIMEOUT)),
        (
            "a message of a WebSocket, with all its fragments",
            bytes(limits::MAX_MESSAGE_BYTES as u64),
        ),
        ("between two pongs of ours", time(limits::PONG_PAUSE)),
        ("without a message, until we send a ping", time(limits::PING_AFTER)),
        ("without a message or pong, until the connection ends", time(limits::SILENCE_TIMEOUT)),
    ];
    let wanted: Vec<String> =
        wanted.iter().map(|(what, bound)| format!("| {what} | {bound} |")).collect();
    assert_eq!(rows, wanted);
}
