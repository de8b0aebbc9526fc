//! Clones from the data directory of a running host, compared with clones over the network.

use std::fs;

use pds_e2e::{Account, Home, Servers};
use serde_json::Value as Json;

struct Copy {
    account: Account<'static>,
    home: Home,
    /// The data directory of the host.
    data: String,
}

impl Copy {
    fn of(account: Account<'static>, servers: &'static Servers) -> Self {
        let data = servers.dir().join(format!("pds{}", account.host().number));
        Self { account, home: Home::new(), data: data.to_str().unwrap().to_owned() }
    }

    /// Runs the binary in the network of the account.
    fn pds(&self, arguments: &[&str]) -> pds_e2e::home::Ended {
        let network = self.account.network();
        self.home.pds(arguments.iter().copied().chain(network.iter().map(String::as_str)))
    }

    fn clone_from_data(&self, dir: &str, more: &[&str]) -> Json {
        let arguments = ["clone", &self.data, dir, "--did", &self.account.did, "--json"];
        self.pds(&[&arguments[..], more].concat()).json()
    }

    /// Returns the blobs of a repository, by name.
    fn blobs(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        let to = format!("{dir}-blobs");
        self.home.pds(["-R", dir, "blob", "export", &to]).with(0);
        let place = self.home.path(&format!("{to}/{}_blobs", self.account.did));
        let files = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut blobs: Vec<_> = files.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
        blobs.sort();
        blobs
    }
}

#[test]
fn a_data_directory_gives_what_its_host_gives() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("fill", &[]);
    let copy = Copy::of(account, servers);
    copy.pds(&["clone", &copy.account.did, "http"]).with(0);
    let answer = copy.clone_from_data("data", &[]);
    assert_eq!(answer["host"], copy.account.host().url);
    assert_eq!(answer["handle"], copy.account.handle);
    assert_eq!(
        (&answer["commit"], &answer["rev"]),
        (&copy.account.head().0.into(), &answer["hostRev"])
    );
    let offline = copy.clone_from_data("offline", &["--offline"]);
    assert_eq!((&offline["host"], &offline["requests"]), (&Json::Null, &0.into()));
    let expected = copy.blobs("http");
    assert!(expected.len() > 2);
    for dir in ["data", "offline"] {
        let [one, other] = ["http", dir].map(|dir| copy.home.pds(["-R", dir, "ls", "--all"]));
        assert_eq!(one.with(0), other.with(0));
        assert_eq!(copy.blobs(dir), expected);
    }
    // With an identity, no key is needed there.
    let groups = fs::read_dir(format!("{}/actors", copy.data)).unwrap();
    let mut groups = groups.map(|entry| entry.unwrap().path());
    let group = groups.find(|group| group.join(&copy.account.did).exists()).unwrap();
    let own = copy.home.path("own/actors").join(group.file_name().unwrap()).join(&copy.account.did);
    fs::create_dir_all(&own).unwrap();
    fs::copy(group.join(&copy.account.did).join("store.sqlite"), own.join("store.sqlite")).unwrap();
    let arguments = ["clone", "./own", "without-key", "--did", &copy.account.did, "--no-blobs"];
    copy.pds(&arguments).with(0);
    let refused = copy.pds(&["clone", "./own", "with", "--did", &copy.account.did, "--with-key"]);
    refused.with(3);
    assert!(refused.stderr.contains("key cannot be used: it does not exist"), "{}", refused.stderr);
    fs::write(own.join("key"), [7; 32]).unwrap();
    let refused = copy.pds(&["clone", "./own", "with", "--did", &copy.account.did, "--with-key"]);
    refused.with(3);
    let other = format!("the key of the account is {}", copy.account.key());
    assert!(refused.stderr.contains(&other), "{}", refused.stderr);
    assert!(!copy.home.path("with").exists());
    let by_handle = ["clone", &copy.data, "by-handle", "--handle", &copy.account.handle];
    copy.pds(&by_handle).with(0);
}

#[test]
fn a_copy_of_a_data_directory_follows_the_host_and_can_sign() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 1);
    account.act("bulk", &["30"]);
    account.act("blobs", &["2", "500"]);
    let copy = Copy::of(account, servers);
    let answer = copy.clone_from_data("copy", &["--with-key"]);
    assert_eq!(answer["signingKey"], copy.account.key());
    let pulled = copy.pds(&["-R", "copy", "pull", "--json"]).json();
    assert_eq!((&pulled["action"], &pulled["requests"]), (&"unchanged".into(), &1.into()));
    copy.account.act("change", &["10", "3"]);
    assert_eq!(copy.pds(&["-R", "copy", "pull", "--json"]).json()["action"], "pulled");
    copy.home.pds(["-R", "copy", "verify", "--blobs"]).with(0);
    let info = copy.home.pds(["-R", "copy", "info", "--json"]).json();
    assert_eq!(info["commit"], copy.account.head().0);
    assert_eq!(info["signingKey"], copy.account.key());
    copy.home.pds(["-R", "copy", "rm", "com.example.note/absent"]).with(1);
}

#[test]
fn a_data_directory_is_read_while_its_host_writes() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("bulk", &["400"]);
    account.act("blobs", &["2", "500"]);
    let copy = Copy::of(account, servers);
    let rounds = if super::is_full() { 50 } else { 6 };
    let change = |account: &Account<'_>, seed: u32| {
        account.act("change", &["20", &seed.to_string()]);
    };
    let revs = copy.account.while_acting(change, || {
        let clone = |round| {
            let dir = format!("copy{round}");
            let answer = copy.clone_from_data(&dir, &["--offline"]);
            copy.home.pds(["-R", &dir, "verify", "--blobs"]).with(0);
            answer["rev"].as_str().unwrap().to_owned()
        };
        (0..rounds).map(clone).collect::<Vec<_>>()
    });
    assert!(revs.is_sorted() && revs.first() < revs.last(), "{revs:?}");
    let answer = copy.clone_from_data("last", &[]);
    assert_eq!(answer["commit"], copy.account.head().0);
}

#[test]
fn without_the_directory_of_identities_the_key_file_decides() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("bulk", &["3"]);
    let copy = Copy::of(account, servers);
    let mut arguments = vec!["clone", &*copy.data, "copy", "--did", &*copy.account.did];
    arguments.extend(["--plc", "http://localhost:1", "--allow-private=localhost"]);
    let ended = copy.home.pds(arguments);
    assert!(ended.stderr.contains("because its identity cannot be fetched"), "{}", ended.stderr);
    assert!(!ended.with(0).contains("host"), "{}", ended.stdout);
    assert_eq!(
        copy.home.pds(["-R", "copy", "info", "--json"]).json()["commit"],
        copy.account.head().0
    );
}
