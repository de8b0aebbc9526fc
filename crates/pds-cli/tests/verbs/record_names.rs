//! The names of records: URLs of bsky.app, and handles that a stored document confirms.

use std::fs;

use crate::common::{DID, Home, TestRepo};

/// A repository with a post and a profile.
fn repo() -> TestRepo {
    let repo = TestRepo::new();
    for path in ["app.bsky.feed.post/3k", "app.bsky.actor.profile/self", "app.bsky.graph.list/3l"] {
        repo.pds(["put", path]).stdin(format!("{{\"at\":\"{path}\"}}")).ok();
    }
    repo
}

fn store_document(home: &Home, id: &str, handle: &str) {
    let dir = home.dir().join("alice/identity");
    fs::create_dir_all(&dir).unwrap();
    let document = format!("{{\"id\":\"{id}\",\"alsoKnownAs\":[\"at://{handle}\"]}}");
    fs::write(dir.join("did.json"), document).unwrap();
}

#[test]
fn urls_of_pages_name_records() {
    let repo = repo();
    for (page, path) in [
        ("", "app.bsky.actor.profile/self"),
        ("/post/3k", "app.bsky.feed.post/3k"),
        ("/post/3k?ref=x", "app.bsky.feed.post/3k"),
        ("/lists/3l/", "app.bsky.graph.list/3l"),
    ] {
        let url = format!("https://bsky.app/profile/{DID}{page}");
        assert_eq!(repo.json(["get", &url])["value"]["at"], path, "{url}");
        assert_eq!(repo.json(["get", &format!("HEAD:{url}")])["value"]["at"], path);
        repo.pds(["prove", &url, "-o", "proof.car", "--force"]).ended().done();
    }
    let url = format!("https://bsky.app/profile/{DID}/post/3m");
    repo.pds(["put", &url]).stdin("{\"n\":1}").ok();
    repo.pds(["rm", &url]).ok();
    let other = "https://bsky.app/profile/did:web:bob.example.com/post/3k";
    let said = repo.pds(["get", other]).fails(1);
    assert!(said.contains("not of did:web:bob.example.com"), "{said}");
    for url in ["https://example.com/x", "https://bsky.app/profile/x/y/z", "https://bsky.app/"] {
        let said = repo.pds(["get", url]).fails(2);
        assert!(said.contains(url), "{said}");
    }
}

#[test]
fn a_handle_counts_only_if_the_stored_document_has_it() {
    let repo = repo();
    let names = [
        "https://bsky.app/profile/alice.example.com/post/3k",
        "at://alice.example.com/app.bsky.feed.post/3k",
    ];
    let refused = |why: &str| {
        for name in names {
            let said = repo.pds(["get", name]).fails(2);
            let message = "error: no stored identity document has the handle alice.example.com, and \
                handles cannot be resolved offline; write did:web:alice.example.com in its place\n";
            assert_eq!(said, message, "{why}");
        }
    };
    refused("no document");
    store_document(&repo.home, DID, "other.example.com");
    refused("another handle");
    store_document(&repo.home, "did:web:bob.example.com", "alice.example.com");
    refused("another account");
    fs::write(repo.home.dir().join("alice/identity/did.json"), "{").unwrap();
    refused("no JSON");
    fs::write(repo.home.dir().join("alice/identity/did.json"), " ".repeat(3_000_000)).unwrap();
    refused("too long");
    store_document(&repo.home, DID, "Alice.example.com");
    for name in names {
        assert_eq!(repo.json(["get", name])["value"]["at"], "app.bsky.feed.post/3k");
        assert_eq!(repo.json(["show", &format!("@:{name}")])["at"], "app.bsky.feed.post/3k");
        repo.pds(["prove", name, "-o", "p.car", "--force"]).ended().done();
    }
    repo.pds(["rm", names[1]]).ok();
    repo.pds(["forget", names[0], "--dry-run"]).ok();
}
