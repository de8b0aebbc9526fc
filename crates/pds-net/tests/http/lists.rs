//! The accounts of a host, page by page.

use std::io::Write;

use pds_net::error::Error;
use pds_net::mirror::all::each_account;

use crate::server::{Server, ok, patient};

/// A host with so many pages, of two accounts each.
fn host(pages: usize) -> Server {
    Server::start(move |head, stream| {
        let page: usize = match head.split_once("cursor=") {
            Some((_, rest)) => rest.split([' ', '&']).next().unwrap().parse().unwrap(),
            None => 0,
        };
        let repo = |name: &str| {
            format!(
                r#"{{"did":"did:web:{name}{page}.com","rev":"3jzfcijpj2z2a","active":true,
                "head":"bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}}"#
            )
        };
        let cursor = match page + 1 < pages {
            true => format!(r#""cursor":"{}","#, page + 1),
            false => String::new(),
        };
        let body = format!(r#"{{{cursor}"repos":[{},{}]}}"#, repo("a"), repo("b"));
        let _ = stream.write_all(&ok("application/json", body.as_bytes()));
    })
}

fn list(server: &Server, most: usize) -> (Vec<String>, Result<(), Error>) {
    let mut found = Vec::new();
    let ended = each_account(patient().client(), &server.host, &mut |repo| {
        found.push(repo.did.to_string());
        if found.len() < most { Ok(()) } else { Err(Error::Stopped) }
    });
    (found, ended)
}

#[test]
fn every_page_is_asked_for_when_the_one_before_was_visited() {
    let server = host(3);
    let (found, ended) = list(&server, usize::MAX);
    ended.unwrap();
    let expected = ["a0", "b0", "a1", "b1", "a2", "b2"].map(|name| format!("did:web:{name}.com"));
    assert_eq!((found, server.requests()), (expected.into(), 3));
    let server = host(3);
    let (found, ended) = list(&server, 3);
    assert!(matches!(ended, Err(Error::Stopped)));
    assert_eq!((found.len(), server.requests()), (3, 2));
}

#[test]
fn a_list_without_end_is_an_error() {
    let server = host(usize::MAX);
    let (found, ended) = list(&server, usize::MAX);
    assert!(matches!(ended, Err(Error::Answer { .. })), "{ended:?}");
    assert_eq!((found.len(), server.requests()), (2_000, 1_000));
}
