//! The servers themselves: what an account on them has, and how they start and end.

use std::net::TcpStream;

use pds_e2e::{Account, Home, Liar, Servers, WebIdentity, http};
use serde_json::{Value as Json, json};

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
    let (records, rows) = (account.records(), listed.with(0).lines());
    let rows = rows.map(|row| row.split_once('\t').unwrap());
    assert!(rows.eq(records.iter().map(|(path, cid)| (path.as_str(), cid.as_str()))));
    assert!(records.len() > 20, "{}", records.len());
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

#[test]
fn an_account_of_did_web_is_adopted_and_writes() {
    let Some(servers) = Servers::shared() else { return };
    let web = WebIdentity::new();
    let account = Account::of_web(servers, &web);
    assert!(web.reads() > 0);
    account.act("bulk", &["5"]);
    let home = Home::new();
    std::fs::write(home.path("a.car"), account.sync("getRepo", "").body).unwrap();
    let key = account.signing_key().public_key().did_key();
    home.pds(["verify", "a.car", "--did", &account.did, "--key", &key]).with(0);
}
