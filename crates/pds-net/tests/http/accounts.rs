//! Accounts, as a directory, a resolver and a web server name them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use pds_core::syntax::did::Did;
use pds_net::account::Account;
use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::options::NetOptions;
use pds_net::private_addresses::PrivateAddresses;
use pds_net::refusal::Refusal;
use pds_net::resolve::who::Who;

use crate::server::{Server, ok, options, with_headers};

const DID: &str = "did:plc:63pkxhemu6bbfv2acr7222ci";
const KEY: &str = "zQ3sheG8tXvPm3kYGpeG4v2KhccF85T4ym8h9fsxwX98oeYkn";

/// The log of the account, as a directory gives it.
const LOG: &str = r#"[{"did":"did:plc:63pkxhemu6bbfv2acr7222ci","operation":{"type":"plc_operation",
"verificationMethods":{"atproto":"did:key:zQ3sheG8tXvPm3kYGpeG4v2KhccF85T4ym8h9fsxwX98oeYkn"},
"rotationKeys":["did:key:zQ3shY6rHZipn81hVvZEypHRWXGgUcGNmQ2ng7ccZFBvpANx8"],
"alsoKnownAs":["at://alice.test"],
"services":{"atproto_pds":{"type":"AtprotoPersonalDataServer","endpoint":"http://localhost:2783"}},
"prev":null,
"sig":"j-3tDUJZkIgb5eY6oLD3wwEtkFehetJcFccB1wf3KiNBFmOm1Z4kaNv-P0WhQyBJkj0o92NV4GCCNyhBcpiz-g"},
"cid":"bafyreihw32vzzdfhqijnoqaup6wwqsfo5p46cx55o5nsnsvm2k2pupytqy","nullified":false,
"createdAt":"2026-11-21T23:38:15.725Z"}]"#;

/// What the servers of a test answer.
#[derive(Clone)]
struct Answers {
    document: String,
    log: String,
    /// The DID that the resolver gives for each handle.
    named: String,
}

fn document(did: &str) -> String {
    format!(
        r##"{{"id":"{did}","alsoKnownAs":["at://alice.test"],"verificationMethod":[{{
        "id":"{did}#atproto","type":"Multikey","controller":"{did}","publicKeyMultibase":"{KEY}"}}],
        "service":[{{"id":"#atproto_pds","type":"AtprotoPersonalDataServer",
        "serviceEndpoint":"http://localhost:2783"}}]}}"##
    )
}

fn honest() -> Answers {
    Answers { document: document(DID), log: LOG.to_owned(), named: DID.to_owned() }
}

/// A server that is directory, resolver and web server, and the paths that it was asked for.
fn server(answers: Answers) -> (Server, Arc<Mutex<Vec<String>>>) {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&paths);
    let server = Server::start(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let body = match path.as_str() {
            path if path.ends_with("/log/audit") => answers.log.clone(),
            path if path.starts_with("/xrpc/") => format!(r#"{{"did":"{}"}}"#, answers.named),
            _ => answers.document.clone(),
        };
        asked.lock().unwrap().push(path);
        let _ = stream.write_all(&ok("application/did+ld+json", body.as_bytes()));
    });
    (server, paths)
}

fn net(server: &Server) -> Net {
    let mut options: NetOptions = options();
    options.plc = server.host.clone();
    options.resolver = Some(server.host.clone());
    Net::new(options).unwrap()
}

fn find(answers: Answers, who: &str) -> Result<Account, Error> {
    net(&server(answers).0).account(&who.parse().unwrap())
}

#[test]
fn an_account_by_its_handle_and_by_its_did() {
    for who in ["alice.test", "@Alice.test", DID] {
        let account = find(honest(), who).unwrap();
        assert_eq!(account.did.as_str(), DID);
        assert_eq!(account.handle.unwrap().as_str(), "alice.test");
        assert_eq!(account.host.to_string(), "http://localhost:2783");
        assert_eq!((account.document_text, account.log_text.unwrap()), (document(DID), LOG.into()));
    }
}

#[test]
fn a_handle_counts_in_both_directions() {
    let error = find(honest(), "bob.test").unwrap_err();
    assert!(matches!(&error, Error::Resolve { name, .. } if name == "bob.test"), "{error}");
    let other = Answers { named: "did:web:other.com".into(), ..honest() };
    let account = find(other, DID).unwrap();
    assert_eq!(account.handle, None);
}

#[test]
fn a_document_that_differs_from_the_log_is_refused() {
    for (from, to, field) in [
        (KEY, "zQ3shY6rHZipn81hVvZEypHRWXGgUcGNmQ2ng7ccZFBvpANx8", "signing key"),
        ("http://localhost:2783", "http://localhost:2784", "host"),
        ("at://alice.test", "at://mallory.test", "handle"),
    ] {
        let answers = Answers { document: document(DID).replace(from, to), ..honest() };
        let (server, paths) = server(answers);
        let error = net(&server).account(&DID.parse().unwrap()).unwrap_err();
        let Error::Refused(refusal) = &error else { panic!("{error}") };
        assert!(matches!(&**refusal, Refusal::DocumentDiffers { what, .. } if *what == field));
        assert!(error.is_refusal() && !error.is_remote());
        assert_eq!(paths.lock().unwrap().len(), 4, "the directory is asked twice");
    }
}

#[test]
fn answers_about_another_account_or_without_proof() {
    let other = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    for answers in [
        Answers { document: document(other), ..honest() },
        Answers { document: "{".into(), ..honest() },
        Answers { log: LOG.replace("alice.test", "mal.test"), ..honest() },
        Answers { log: "[]".into(), ..honest() },
    ] {
        let error = find(answers, DID).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }
    let error = find(honest(), other).unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

#[test]
fn a_directory_is_held_to_the_past_it_showed() {
    let account = find(honest(), DID).unwrap();
    let log = account.log.clone().unwrap();
    assert!(account.check_extends(&log).is_ok());
    let later = find(Answers { log: LOG.replace("38:15", "38:16"), ..honest() }, DID).unwrap();
    let error = later.check_extends(&log).unwrap_err();
    assert!(error.to_string().contains("shows another past of did:plc:63"), "{error}");
    let did: Did = DID.parse().unwrap();
    let stored = Account::stored(&Net::new(options()).unwrap(), &did, None, document(DID), None);
    assert_eq!(stored.unwrap().host, account.host);
}

#[test]
fn a_directory_must_not_redirect() {
    let (end, _) = server(honest());
    let start = Server::sending(with_headers(302, &format!("location: {}/x\r\n", end.host), b""));
    let error = net(&start).account(&DID.parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    assert_eq!(end.requests(), 0);
}

#[test]
fn a_did_web_of_this_machine() {
    let answers = Arc::new(Mutex::new(String::new()));
    let served = Arc::clone(&answers);
    let server = Server::start(move |head, stream| {
        assert!(head.starts_with("GET /.well-known/did.json "), "{head}");
        let _ = stream.write_all(&ok("application/json", served.lock().unwrap().as_bytes()));
    });
    let did = format!("did:web:localhost%3A{}", server.host.port());
    *answers.lock().unwrap() = document(&did);
    let account = Net::new(options()).unwrap().account(&did.parse().unwrap()).unwrap();
    assert_eq!((account.did.as_str(), account.log.is_none()), (did.as_str(), true));
}

#[test]
fn names_that_are_not_asked_for() {
    let mut refusing = options();
    refusing.private_addresses = PrivateAddresses::Refuse;
    let net = Net::new(refusing).unwrap();
    let handles = ["alice.test", "alice.localhost"].map(|name| name.parse().unwrap());
    // A host may name a DID that no user can.
    let dids = ["did:example:x", "did:web:a.com:b"].map(|did| Who::Did(did.parse().unwrap()));
    for who in handles.iter().chain(&dids) {
        let error = net.account(who).unwrap_err();
        assert!(matches!(error, Error::Resolve { .. }), "{error}");
    }
    let host: Who = "https://pds.example.com".parse().unwrap();
    assert!(matches!(net.account(&host), Err(Error::Resolve { .. })));
}
