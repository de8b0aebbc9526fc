//! Clones of all accounts of a host.

use std::collections::BTreeMap;
use std::fs;

use pds_e2e::home::{Ended, ended};
use pds_e2e::kill::{End, Moment, run};
use pds_e2e::{Account, Home, Liar, Lie, Rule, Servers};
use serde_json::Value as Json;

/// A host of its own behind a proxy, which the identities of its accounts name.
struct Host<'s> {
    servers: &'s Servers,
    liar: Liar,
    home: Home,
}

impl<'s> Host<'s> {
    fn of(servers: &'s Servers) -> Self {
        Self { servers, liar: Liar::before(&servers.host(0).url), home: Home::new() }
    }

    /// Makes an account with some notes and blobs.
    fn account(&self, name: &str) -> Account<'s> {
        let account = Account::named(self.servers, 0, name);
        account.act("bulk", &["40"]);
        account.act("blobs", &["2", "3000"]);
        account.move_behind(&self.liar);
        account
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let network = ["--plc", self.servers.plc(), "--resolver", &self.servers.host(0).url];
        let network = network.into_iter().chain(["--allow-private=localhost"]);
        self.home.command(arguments.iter().copied().chain(network))
    }

    fn pds(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments), b"")
    }

    /// Clones all accounts into `all`. Returns the line of each one, by its DID.
    fn clone(&self, code: i32) -> BTreeMap<String, Json> {
        let ended = self.pds(&["clone", self.liar.url(), "all", "--yes", "--json"]);
        let lines = ended.with(code).lines().map(|line| serde_json::from_str(line).unwrap());
        lines.map(|line: Json| (line["did"].as_str().unwrap().to_owned(), line)).collect()
    }

    fn assert_equal(&self, account: &Account<'_>) {
        let dir = format!("all/{}", account.handle);
        self.home.pds(["-R", &dir, "verify", "--blobs"]).with(0);
        let info = self.home.pds(["-R", &dir, "info", "--json"]).json();
        assert_eq!(info["commit"], account.head().0);
    }
}

#[test]
fn all_accounts_of_a_host_are_cloned_and_a_second_run_continues() {
    let Some(servers) = Servers::start(&[]) else { return };
    let host = Host::of(&servers);
    let [one, two, gone, moved] =
        ["one.test", "two.test", "gone.test", "moved.test"].map(|name| host.account(name));
    gone.act("deactivate", &[]);
    moved.act("endpoint", &[&servers.host(1).url]);

    let refused = host.pds(&["clone", host.liar.url()]);
    refused.with(2);
    assert!(refused.stderr.contains("hint: add --yes"), "{}", refused.stderr);
    assert_eq!(host.liar.seen("").len(), 0);
    let from = host.pds(&["clone", host.liar.url(), "--yes", "--from", &servers.host(1).url]);
    from.with(2);

    // A file of the user is in the way of one account.
    fs::create_dir_all(host.home.path("all/two.test")).unwrap();
    fs::write(host.home.path("all/two.test/notes"), "mine").unwrap();
    let lines = host.clone(6);
    let action = |account: &Account<'_>| lines[&account.did]["action"].as_str().unwrap().to_owned();
    assert_eq!([&one, &two, &gone, &moved].map(action), ["cloned", "failed", "skipped", "skipped"]);
    assert_eq!(lines[&gone.did]["reason"], "deactivated");
    let elsewhere = format!("its document names {}", servers.host(1).url);
    assert_eq!(lines[&moved.did]["reason"], elsewhere);
    let cloned = &lines[&one.did];
    assert_eq!((&cloned["dir"], &cloned["handle"]), (&"all/one.test".into(), &"one.test".into()));
    assert_eq!(cloned["commit"], one.head().0);
    assert_eq!((&cloned["blobs"]["fetched"], &cloned["blobs"]["missing"]), (&2.into(), &0.into()));
    host.assert_equal(&one);
    assert_eq!(fs::read(host.home.path("all/two.test/notes")).unwrap(), b"mine");

    fs::remove_file(host.home.path("all/two.test/notes")).unwrap();
    host.liar.reset();
    let ended = host.pds(&["clone", host.liar.url(), "all", "--yes"]);
    let rows = ended.with(0);
    assert!(rows.contains("all/one.test\talready there\n"), "{rows}");
    assert!(rows.contains(&format!("{}\tskipped: deactivated\n", gone.did)), "{rows}");
    let sum = "4 accounts: 1 cloned, 1 already there, 2 skipped, 0 failed\n";
    assert!(ended.stderr.ends_with(sum), "{}", ended.stderr);
    assert!(ended.stderr.contains("has 4 accounts, 3 of them active"), "{}", ended.stderr);
    assert_eq!(host.liar.seen("getRepo").len(), 1);
    host.assert_equal(&two);

    one.act("change", &["5", "1"]);
    let pulled = host.pds(&["pull", "--all", "all"]);
    pulled.with(0);
    assert_eq!(pulled.stderr, "2 mirrors: 1 pulled, 1 unchanged, 0 failed\n");
    host.assert_equal(&one);
}

#[test]
fn a_killed_clone_of_a_host_continues() {
    let Some(servers) = Servers::start(&["--pds", "1"]) else { return };
    let host = Host::of(&servers);
    let accounts = ["ann.test", "ben.test", "cat.test"].map(|name| host.account(name));
    // The next account would be refused as well.
    host.liar.add(Rule::every("getRepo", Lie::rate_limited("99999999")));
    let limited = host.pds(&["clone", host.liar.url(), "all", "--yes"]);
    limited.with(4);
    assert!(limited.stderr.contains("limits requests until"), "{}", limited.stderr);
    assert_eq!(host.liar.seen("getRepo").len(), 1);

    let moments = [
        Moment::Request("getRepo".to_owned(), 0),
        Moment::Request("getBlob".to_owned(), 3),
        Moment::Request("getRepo".to_owned(), 0),
        Moment::Request("getBlob".to_owned(), 0),
    ];
    for moment in &moments {
        let mut command = host.command(&["clone", host.liar.url(), "all", "--yes"]);
        let end = run(&mut command, &host.liar, moment);
        assert!(matches!(end, End::Killed(_)), "{moment:?}: {end:?}");
    }
    host.liar.reset();
    host.clone(0);
    accounts.iter().for_each(|account| host.assert_equal(account));
    let lines = host.clone(0);
    assert!(lines.values().all(|line| line["action"] == "present"), "{lines:?}");
    // An account that another handle names by now stays where it is.
    fs::rename(host.home.path("all/ann.test"), host.home.path(&format!("all/{}", accounts[0].did)))
        .unwrap();
    let lines = host.clone(0);
    assert!(lines.values().all(|line| line["action"] == "present"), "{lines:?}");
}
