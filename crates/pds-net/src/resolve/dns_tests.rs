use std::net::TcpListener;
use std::thread;

use simple_dns::ResourceRecord;
use simple_dns::rdata::TXT;

use super::*;

const MOMENT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// Starts a server that answers one packet with several, over UDP and over TCP.
fn server(
    answer: impl Fn(&Packet<'_>, bool) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let answer = std::sync::Arc::new(answer);
    let over_udp = std::sync::Arc::clone(&answer);
    thread::spawn(move || {
        let mut buffer = [0; 1000];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let query = Packet::parse(&buffer[..length]).unwrap();
            for packet in over_udp(&query, false) {
                udp.send_to(&packet, from).unwrap();
            }
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            for packet in answer(&Packet::parse(&query).unwrap(), true) {
                let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length[..], &packet].concat()).unwrap();
            }
        }
    });
    address
}

fn reply(query: &Packet<'_>, texts: &[&str]) -> Vec<u8> {
    let mut reply = query.clone().into_reply();
    for text in texts {
        let name = query.questions[0].qname.clone();
        let data = RData::TXT(TXT::try_from(*text).unwrap());
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
    }
    reply.build_bytes_vec().unwrap()
}

#[test]
fn records_of_a_name() {
    let long = "x".repeat(600);
    let expected = long.clone();
    let server = server(move |query, _| {
        assert_eq!(query.questions[0].qname.to_string(), "_atproto.alice.com");
        vec![reply(query, &["did=did:web:alice.com", &long])]
    });
    let found = txt(&[server], "_atproto.alice.com", LONG).unwrap();
    assert_eq!(found, ["did=did:web:alice.com".to_owned(), expected]);
}

#[test]
fn a_forged_answer_is_skipped() {
    let server = server(|query, _| {
        let mut other_id = query.clone();
        other_id.set_id(query.id().wrapping_add(1));
        let mut other_name = query.clone();
        other_name.questions[0].qname = Name::new("_atproto.evil.com").unwrap();
        let echo = query.build_bytes_vec().unwrap();
        vec![
            vec![0; 3],
            echo,
            reply(&other_id, &["did=did:web:evil.com"]),
            reply(&other_name, &["did=did:web:evil.com"]),
            reply(query, &["did=did:web:alice.com"]),
        ]
    });
    let found = txt(&[server], "_atproto.alice.com", LONG).unwrap();
    assert_eq!(found, ["did=did:web:alice.com"]);
}

#[test]
fn a_cut_answer_is_asked_over_tcp() {
    let server = server(|query, is_tcp| {
        let mut reply_packet = query.clone().into_reply();
        if is_tcp {
            return vec![reply(query, &["did=did:web:alice.com"])];
        }
        reply_packet.set_flags(PacketFlag::TRUNCATION);
        vec![reply_packet.build_bytes_vec().unwrap()]
    });
    let found = txt(&[server], "_atproto.alice.com", LONG).unwrap();
    assert_eq!(found, ["did=did:web:alice.com"]);
}

#[test]
fn a_name_that_does_not_exist_and_servers_that_fail() {
    let with_code = |code| {
        server(move |query: &Packet<'_>, _| {
            let mut reply = query.clone().into_reply();
            *reply.rcode_mut() = code;
            vec![reply.build_bytes_vec().unwrap()]
        })
    };
    let (missing, failing) = (with_code(RCODE::NameError), with_code(RCODE::ServerFailure));
    let silent = server(|_, _| Vec::new());
    assert_eq!(txt(&[missing], "_atproto.a.com", LONG), Ok(Vec::new()));
    assert_eq!(txt(&[failing, silent, missing], "_atproto.a.com", MOMENT), Ok(Vec::new()));
    assert!(txt(&[failing], "_atproto.a.com", LONG).unwrap_err().contains("ServerFailure"));
    assert!(txt(&[silent], "_atproto.a.com", MOMENT).is_err());
    assert!(txt(&[], "_atproto.a.com", LONG).is_err());
}

#[test]
fn many_records_are_cut() {
    let server = server(|query, is_tcp| {
        assert!(!is_tcp);
        vec![reply(query, &["x"; 100])]
    });
    assert_eq!(txt(&[server], "_atproto.a.com", LONG).unwrap().len(), MAX_TXT_RECORDS);
}
