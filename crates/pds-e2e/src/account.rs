//! One account of a host, and what its owner and the administrator do with it.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use serde_json::{Value as Json, json};

use crate::http::{self, Answer};
use crate::liar::proxy::Liar;
use crate::servers::{Host, Servers};
use crate::web::WebIdentity;

/// An account that exists on a host.
#[derive(Clone, Debug)]
pub struct Account<'s> {
    servers: &'s Servers,
    host: Host,
    /// The handle, which the host resolves.
    pub handle: String,
    /// The DID.
    pub did: String,
}

impl<'s> Account<'s> {
    /// Creates an account with a new handle on a host of the servers.
    pub fn create(servers: &'s Servers, host: usize) -> Self {
        Self::named(servers, host, &new_handle())
    }

    /// Creates an account with this handle on a host of the servers.
    pub fn named(servers: &'s Servers, host: usize, handle: &str) -> Self {
        let (host, handle) = (servers.host(host).clone(), handle.to_owned());
        let created = servers.act(&host, &["create", &handle], "");
        let did = created["did"].as_str().unwrap().to_owned();
        Self { servers, host, handle, did }
    }

    /// Creates an account on the first host for an identity of did:web.
    pub fn of_web(servers: &'s Servers, web: &WebIdentity) -> Self {
        let (host, handle) = (servers.host(0).clone(), new_handle());
        let this = Self { servers, host, handle, did: web.did.clone() };
        let own = SigningKey::from_hex(Curve::K256, OWN_KEY).unwrap();
        web.name(&this.handle, &this.host.url, &own.public_key().multikey());
        let of_host = this.act("adopt", &[&web.did, OWN_KEY]);
        let of_host = of_host.as_str().unwrap().trim_start_matches("did:key:");
        web.name(&this.handle, &this.host.url, of_host);
        this.act("activate", &[]);
        this
    }

    /// Returns the host that has the repository.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the servers.
    pub fn servers(&self) -> &'s Servers {
        self.servers
    }

    /// Does an action of `harness/act.mjs` with this account, and returns its result.
    pub fn act(&self, action: &str, arguments: &[&str]) -> Json {
        self.act_on(action, arguments, &Json::Null)
    }

    /// Does an action of `harness/act.mjs` that reads JSON.
    pub fn act_on(&self, action: &str, arguments: &[&str], input: &Json) -> Json {
        let arguments = [&[action, &self.handle], arguments].concat();
        self.servers.act(&self.host, &arguments, &input.to_string())
    }

    /// Creates, updates or deletes records in one commit: each write has `action`, `collection`, `rkey` and `value`.
    pub fn apply(&self, writes: &[Json]) -> Json {
        self.act_on("apply", &[], &json!(writes))
    }

    /// Repeats an action until `work` ends. It gets the number of each repetition, from 1.
    ///
    /// # Panics
    /// If the action fails, or `work` panics.
    pub fn while_acting<T>(&self, act: impl Fn(&Self, u32) + Sync, work: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let numbers = (1..).take_while(|_| !is_over.load(Ordering::Relaxed));
                numbers.for_each(|number| act(self, number));
            });
            // A panic must end the repetition, too.
            let _over = AtEnd(&is_over);
            work()
        })
    }

    /// Names a proxy as the host in the identity of the account.
    pub fn move_behind(&self, liar: &Liar) {
        self.act("endpoint", &[liar.url()]);
    }

    /// Asks the host itself for a method of `com.atproto.sync` about this account.
    pub fn sync(&self, method: &str, more: &str) -> Answer {
        http::get(&(self.sync_url(&self.host.url, method) + more))
    }

    /// Returns the address of a method of `com.atproto.sync` about this account, at a host or at a proxy before it.
    pub fn sync_url(&self, host: &str, method: &str) -> String {
        format!("{host}/xrpc/com.atproto.sync.{method}?did={}", self.query_did())
    }

    /// Returns the DID as a part of a query: one of did:web can have an escaped port.
    fn query_did(&self) -> String {
        self.did.replace('%', "%25")
    }

    /// Returns the CID and the rev of the present commit.
    pub fn head(&self) -> (String, String) {
        let head = self.sync("getLatestCommit", "").json();
        let text = |field: &str| head[field].as_str().unwrap().to_owned();
        (text("cid"), text("rev"))
    }

    /// Returns the paths and CIDs of all records, as the host lists them, in the order of the paths.
    pub fn records(&self) -> Vec<(String, String)> {
        let url = |method: &str| format!("{}/xrpc/com.atproto.repo.{method}", self.host.url);
        let did = self.query_did();
        let described = http::get(&format!("{}?repo={did}", url("describeRepo"))).json();
        let mut found = Vec::new();
        for collection in described["collections"].as_array().unwrap() {
            let collection = collection.as_str().unwrap();
            let list = format!("{}?repo={did}&collection={collection}", url("listRecords"));
            let mut cursor = String::new();
            loop {
                let page = http::get(&format!("{list}&limit=100{cursor}")).json();
                for record in page["records"].as_array().unwrap() {
                    let uri = record["uri"].as_str().unwrap();
                    let path = uri.splitn(4, '/').last().unwrap().to_owned();
                    found.push((path, record["cid"].as_str().unwrap().to_owned()));
                }
                let Some(next) = page["cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
        }
        found.sort();
        found
    }

    /// Returns the key that signs the commits, as a did:key.
    pub fn key(&self) -> String {
        let data = http::get(&format!("{}/{}/data", self.servers.plc(), self.did)).json();
        data["verificationMethods"]["atproto"].as_str().unwrap().to_owned()
    }

    /// Returns the key that signs the commits, which the host keeps in a file.
    pub fn signing_key(&self) -> SigningKey {
        let actors = self.servers.dir().join(format!("pds{}/actors", self.host.number));
        // Between the two is a directory that is named by a hash of the DID.
        let hashes = fs::read_dir(actors).unwrap().map(|entry| entry.unwrap().path());
        let files = hashes.map(|hash| hash.join(&self.did).join("key"));
        let key = files.filter_map(|file| fs::read(file).ok()).next().unwrap();
        SigningKey::from_bytes(Curve::K256, &key).unwrap()
    }

    /// Returns the arguments with which the binary finds the account in this network.
    pub fn network(&self) -> [String; 5] {
        let (plc, resolver) = (self.servers.plc().to_owned(), self.host.url.clone());
        [
            "--plc".to_owned(),
            plc,
            "--resolver".to_owned(),
            resolver,
            "--allow-private=localhost".to_owned(),
        ]
    }
}

/// Says at its end that something is over.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn new_handle() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("user{}.test", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The key with which an identity of did:web begins, as 32 bytes.
const OWN_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
