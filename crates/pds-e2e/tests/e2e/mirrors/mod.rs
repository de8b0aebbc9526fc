//! Clones and pulls of accounts on the real host, through a proxy.

mod again;
mod all;
mod answers;
mod blobs;
mod clones;
mod data_directories;
mod follows;
mod forged;
mod hosts;
mod identities;
mod kills;
mod pulls;
mod races;
mod stream_lies;

use std::collections::BTreeSet;
use std::process::Command;

use pds_e2e::home::{Ended, ended};
use pds_e2e::{Account, Home, Liar, Servers};
use serde_json::Value as Json;

/// An account behind a proxy, and a home in which it is cloned to `copy`.
struct Mirror {
    account: Account<'static>,
    liar: Liar,
    home: Home,
    servers: &'static Servers,
    /// The address of the directory, or of a proxy before it.
    plc: String,
    /// The bound of a repository in bytes.
    max_repo: &'static str,
}

impl Mirror {
    /// Makes an account with some notes and blobs, whose identity names the proxy as its host.
    fn new(notes: &str, blobs: &str) -> Option<Self> {
        let servers = Servers::shared()?;
        let account = Account::create(servers, 0);
        account.act("bulk", &[notes]);
        account.act("blobs", &[blobs, "2000"]);
        Some(Self::of(account, servers))
    }

    fn of(account: Account<'static>, servers: &'static Servers) -> Self {
        let mirror = Self::at(account, servers);
        mirror.account.move_behind(&mirror.liar);
        mirror
    }

    /// An account whose identity does not name the proxy yet.
    fn at(account: Account<'static>, servers: &'static Servers) -> Self {
        let (liar, plc) = (Liar::before(&account.host().url), servers.plc().to_owned());
        Self { account, liar, home: Home::new(), servers, plc, max_repo: "4000000" }
    }

    /// The command that clones the account.
    fn clone_command(&self) -> Command {
        self.command(&["clone", &self.account.handle, "copy"])
    }

    /// The command that pulls.
    fn pull_command(&self) -> Command {
        self.command(&["-R", "copy", "pull"])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut network = self.account.network();
        network[1].clone_from(&self.plc);
        let network = network.iter().map(String::as_str).chain(["--max-repo", self.max_repo]);
        self.home.command(arguments.iter().copied().chain(network))
    }

    /// Clones or pulls with a client that does not wait long.
    fn impatiently(&self, verb: &str) -> Ended {
        let (plc, resolver) = (self.servers.plc(), &*self.account.host().url);
        let arguments = [verb, &self.account.handle, plc, resolver];
        ended(&mut self.home.example("impatient", arguments), b"")
    }

    /// Returns the bytes of the CAR files that a fetch has left.
    fn fetched_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.home.path("copy/fetch")).unwrap();
        let cars = files.map(|file| file.unwrap()).filter(|file| file.file_name() != "state.json");
        cars.map(|file| file.metadata().unwrap().len()).sum()
    }

    fn clone(&self) -> Ended {
        ended(&mut self.clone_command(), b"")
    }

    fn pull(&self) -> Ended {
        ended(&mut self.pull_command(), b"")
    }

    /// Clones again, into an empty home.
    fn clone_again(&mut self) -> Ended {
        self.home = Home::new();
        self.clone()
    }

    fn info(&self) -> Json {
        self.home.pds(["-R", "copy", "info", "--json"]).json()
    }

    /// Checks that the copy verifies, and has the present commit, the records and the blobs of the host.
    fn assert_equal(&self) {
        self.home.pds(["-R", "copy", "verify", "--blobs"]).with(0);
        assert_eq!(self.info()["commit"], self.account.head().0);
        let listed = self.home.pds(["-R", "copy", "ls", "--all"]);
        let rows = listed.with(0).lines().map(|row| row.split_once('\t').unwrap());
        let records = self.account.records();
        let records = records.iter().map(|(path, cid)| (path.as_str(), cid.as_str()));
        let (rows, records): (BTreeSet<_>, BTreeSet<_>) = (rows.collect(), records.collect());
        let differ: Vec<_> = rows.symmetric_difference(&records).collect();
        assert!(differ.is_empty(), "only here or there: {differ:?}");
    }
}

/// Whether all rounds are wanted: `PDS_E2E_FULL=1`. The gate does a sample.
fn is_full() -> bool {
    std::env::var_os("PDS_E2E_FULL").is_some()
}
