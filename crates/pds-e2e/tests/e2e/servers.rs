//! The servers themselves: what an account on them has, and how they start and end.

use std::net::TcpStream;

use pds_e2e::{Account, Home, Liar, Servers, http};
use serde_json::{Value as Json, json};

/// Returns the collections of a repository with their numbers of records, as the host lists them.
fn listed_by_host(account: &Account<'_>) -> Vec<(String, u64)> {
    let repo = |method: &str| format!("{}/xrpc/com.atproto.repo.{method}", account.host().url);
    let described = http::get(&format!("{}?repo={}", repo("describeRepo"), account.did)).json();
    let collections = described["collections"].as_array().unwrap().iter();
    let count = |collection: &str| {
        let (list, did) = (repo("listRecords"), &account.did);
        let url = format!("{list}?repo={did}&collection={collection}&limit=100");
        http::get(&url).json()["records"].as_array().unwrap().len() as u64
    };
    let collections = collections.map(|name| name.as_str().unwrap().to_owned());
    collections.map(|name| (name.clone(), count(&name))).collect()
}

#[test]
fn the_export_of_a_host_has_every_kind_of_record_and_verifies() {
    let Some(servers) = Servers::shared() else { return };
    let (account, home) = (Account::create(servers, 0), Home::new());
    let blobs = account.act("fill", &[]);
    let export = account.sync("getRepo", "");
    std::fs::write(home.path("a.car"), &export.body).unwrap();
    home.pds(["verify", "a.car", "--key", &account.key()]).with(0);

    let info = home.pds(["info", "a.car", "--json"]).json();
    let (cid, rev) = account.head();
    assert_eq!((&info["did"], &info["commit"]), (&json!(account.did), &json!(cid)));
    assert_eq!(info["rev"], rev);
    let listed = home.pds(["ls", "a.car", "--all"]);
    let listed_by_host = listed_by_host(&account);
    let total: u64 = listed_by_host.iter().map(|(_, count)| count).sum();
    assert_eq!(listed.with(0).lines().count() as u64, total);
    assert!(listed_by_host.len() >= 7, "{listed_by_host:?}");
    for blob in blobs.as_array().unwrap() {
        let found = account.sync("getBlob", &format!("&cid={}", link(blob)));
        assert_eq!(found.body.len() as u64, blob["size"].as_u64().unwrap());
    }
}

fn link(blob: &Json) -> &str {
    blob["ref"]["$link"].as_str().unwrap()
}

#[test]
fn the_states_of_an_account_show_in_the_answers_of_its_host() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    let error = || account.sync("getRepo", "").json()["error"].clone();
    for (action, name) in [("deactivate", "RepoDeactivated"), ("takedown", "RepoTakendown")] {
        account.act(action, &[]);
        assert_eq!(error(), name);
        account.act(if action == "takedown" { "restore" } else { "activate" }, &[]);
        assert_eq!(account.sync("getRepo", "").status, 200);
    }
    account.act("delete", &[]);
    assert_eq!(error(), "RepoNotFound");
}

#[test]
fn random_changes_and_batches_move_the_head() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 1);
    account.act("bulk", &["250"]);
    let before = account.head();
    account.act("change", &["40", "7"]);
    let changed = account.head();
    assert!(changed.1 > before.1);
    let write = json!({
        "action": "create", "collection": "com.example.note", "rkey": "one",
        "value": { "$type": "com.example.note" },
    });
    let applied = account.apply(&[write]);
    assert_eq!(applied["commit"]["cid"], account.head().0);
    account.act("blobs", &["3", "500"]);
    assert_eq!(account.sync("listBlobs", "").json()["cids"].as_array().unwrap().len(), 3);
}

#[test]
fn an_identity_can_name_a_proxy_as_its_host() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    let liar = Liar::before(&account.host().url);
    account.move_behind(&liar);
    let document = http::get(&format!("{}/{}", servers.plc(), account.did)).json();
    assert_eq!(document["service"][0]["serviceEndpoint"], liar.url());
    let log = http::get(&format!("{}/{}/log/audit", servers.plc(), account.did)).json();
    assert_eq!(log.as_array().unwrap().len(), 2);
    account.act_on("identity", &[], &json!({ "alsoKnownAs": ["at://other.test"] }));
    let document = http::get(&format!("{}/{}", servers.plc(), account.did)).json();
    assert_eq!(document["alsoKnownAs"], json!(["at://other.test"]));
}

#[test]
fn servers_end_with_their_owner_and_continue_in_their_directory() {
    let home = Home::new();
    let dir = home.dir().to_str().unwrap();
    let start = || Servers::start(&["--dir", dir, "--pds", "1"]);
    let Some(servers) = start() else { return };
    let account = Account::create(&servers, 0);
    let (head, key, url) = (account.head(), account.key(), account.host().url.clone());
    let did = account.did.clone();
    drop(servers);
    let address = url.trim_start_matches("http://");
    assert!(TcpStream::connect(address).is_err(), "the servers still run");

    let servers = start().unwrap();
    assert_eq!(servers.host(0).url, url);
    let data = http::get(&format!("{}/{did}/data", servers.plc())).json();
    assert_eq!(data["verificationMethods"]["atproto"], key);
    let url = format!("{url}/xrpc/com.atproto.sync.getLatestCommit?did={did}");
    assert_eq!(http::get(&url).json()["cid"], head.0);
}
