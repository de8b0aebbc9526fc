//! TXT records, asked from the DNS servers of the system. An answer is a claim that the document of a DID confirms.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use crate::limits::{DNS_TRIES, MAX_TXT_RECORDS};

/// The servers that are asked at most.
const MAX_SERVERS: usize = 3;

/// The largest answer over UDP.
const MAX_UDP_BYTES: usize = 4096;

/// Returns the DNS servers of the system.
pub(crate) fn system_servers() -> Vec<SocketAddr> {
    let text = fs::read("/etc/resolv.conf").unwrap_or_default();
    let (config, _) = resolv_conf::Config::parse_with_errors(&text);
    let addresses = config.nameservers.iter().map(|server| IpAddr::from(server.clone()));
    addresses.map(|address| SocketAddr::new(address, 53)).collect()
}

/// Returns the TXT records of a name: none if the name does not exist.
///
/// # Errors
///
/// The reason, if no server answered.
pub(crate) fn txt(
    servers: &[SocketAddr],
    name: &str,
    timeout: Duration,
) -> Result<Vec<String>, String> {
    let mut reason = "the system has no DNS server".to_owned();
    for _ in 0..DNS_TRIES {
        for server in servers.iter().take(MAX_SERVERS) {
            match ask(*server, name, timeout) {
                Ok(records) => return Ok(records),
                Err(error) => reason = format!("the DNS server {}: {error}", server.ip()),
            }
        }
    }
    Err(reason)
}

fn ask(server: SocketAddr, name: &str, timeout: Duration) -> io::Result<Vec<String>> {
    let mut random = [0; 2];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let id = u16::from_ne_bytes(random);
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(
        Name::new(name).map_err(io::Error::other)?,
        QTYPE::TYPE(TYPE::TXT),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    query.questions.push(question);
    let bytes = query.build_bytes_vec().map_err(io::Error::other)?;
    let end = Instant::now() + timeout;
    let answer = over_udp(server, &query, &bytes, end)?;
    let answer = match records(&query, &answer)? {
        Some(records) => return Ok(records),
        None => over_tcp(server, &bytes, end)?,
    };
    records(&query, &answer)?.ok_or_else(|| io::Error::other("the answer is cut"))
}

fn over_udp(
    server: SocketAddr,
    query: &Packet<'_>,
    bytes: &[u8],
    end: Instant,
) -> io::Result<Vec<u8>> {
    // The system chooses a random port.
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(bytes)?;
    let mut buffer = [0; MAX_UDP_BYTES];
    loop {
        socket.set_read_timeout(Some(left(end)?))?;
        let length = socket.recv(&mut buffer)?;
        let answer = buffer.get(..length).unwrap_or_default();
        // An answer to another question may be forged. The right one may still come.
        if Packet::parse(answer).is_ok_and(|answer| answers(query, &answer)) {
            return Ok(answer.to_vec());
        }
    }
}

fn over_tcp(server: SocketAddr, bytes: &[u8], end: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, left(end)?)?;
    stream.set_write_timeout(Some(left(end)?))?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat())?;
    let mut length = [0; 2];
    read_until(&mut stream, &mut length, end)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    read_until(&mut stream, &mut answer, end)?;
    Ok(answer)
}

/// Fills a buffer before a time, however slowly the bytes come.
fn read_until(stream: &mut TcpStream, buffer: &mut [u8], end: Instant) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(rest)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(())
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn answers(query: &Packet<'_>, answer: &Packet<'_>) -> bool {
    let question = |packet: &Packet<'_>| {
        let question = packet.questions.first()?;
        let name = question.qname.to_string().to_ascii_lowercase();
        Some((name, question.qtype, question.qclass))
    };
    answer.has_flags(PacketFlag::RESPONSE)
        && answer.id() == query.id()
        && answer.questions.len() == 1
        && question(answer) == question(query)
}

/// Returns the TXT records of an answer, or `None` if the answer is cut.
fn records(query: &Packet<'_>, answer: &[u8]) -> io::Result<Option<Vec<String>>> {
    let answer = Packet::parse(answer).map_err(io::Error::other)?;
    if !answers(query, &answer) {
        return Err(io::Error::other("it answers another question"));
    }
    if answer.has_flags(PacketFlag::TRUNCATION) {
        return Ok(None);
    }
    match answer.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        code => return Err(io::Error::other(format!("it answers {code:?}"))),
    }
    let texts = answer.answers.into_iter().filter_map(|record| match record.rdata {
        RData::TXT(text) => String::try_from(text).ok(),
        _ => None,
    });
    Ok(Some(texts.take(MAX_TXT_RECORDS).collect()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "dns_tests.rs"]
mod tests;
