//! Measures clone, pull and follow against a real host: `measure [--records N] [--blobs N] [--rounds N] [--page FILE]`.
//!
//! Everything that is compared runs in the same round, one after another, so that other load slows both alike.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod meter;
mod page;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use meter::{Cost, cost, process_cpu};
use page::{Row, page};
use pds_e2e::{Account, Home, Live, Servers};
use serde_json::Value as Json;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let bench = Bench {
        records: number("--records", 100_000),
        blobs: number("--blobs", 1_000),
        rounds: number("--rounds", 3),
        home: Home::new(),
    };
    let servers = Servers::start(&[]).expect("the servers are not installed: run bash .ci/e2e");
    let account = Account::create(&servers, 0);
    // An action of the harness has a limit of time.
    for many in portions(bench.records, 5_000) {
        account.act("bulk", &[&many]);
    }
    account.act("blobs", &[&bench.blobs.to_string(), "20000"]);
    let mut rows = bench.clones(&account);
    rows.push(bench.idle_pulls(&account));
    rows.extend(bench.pulls(&account));
    rows.push(bench.events(&account));
    let text = page(&rows, &bench);
    match arguments.iter().position(|argument| argument == "--page") {
        Some(at) => fs::write(&arguments[at + 1], text).unwrap(),
        None => print!("{text}"),
    }
}

/// Divides an amount into portions.
fn portions(all: usize, most: usize) -> impl Iterator<Item = String> {
    (0..all.div_ceil(most)).map(move |number| (all - number * most).min(most).to_string())
}

/// The amount of work, and the place for it.
struct Bench {
    records: usize,
    blobs: usize,
    rounds: usize,
    home: Home,
}

impl Bench {
    fn pds(&self, account: &Account<'_>, arguments: &[&str]) -> Command {
        let network = account.network();
        self.home.command(arguments.iter().copied().chain(network.iter().map(String::as_str)))
    }

    fn curl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail"]).args(arguments);
        command.current_dir(self.home.dir());
        command
    }

    /// A clone, next to the same bytes by curl, eight at a time, and an import of the file.
    fn clones(&self, account: &Account<'_>) -> Vec<Row> {
        let export = account.sync_url(&account.host().url, "getRepo");
        let mut rows = Vec::new();
        let (mut cpu, mut wall, mut peak) =
            (Row::ratios("clone: CPU", 1.15), Row::ratios("clone: wall", 1.3), 0);
        for _ in 0..self.rounds {
            for name in ["repo.car", "imported", "copy", "fetched"] {
                let path = self.home.path(name);
                let _ =
                    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
            let car = cost(&mut self.curl(&["--compressed", "-o", "repo.car", &export]));
            let import = cost(&mut self.home.command(["clone", "repo.car", "imported"]));
            let clone = cost(&mut self.pds(account, &["clone", &account.handle, "copy"]));
            fs::write(self.home.path("blobs.txt"), self.blob_urls(account)).unwrap();
            fs::create_dir(self.home.path("fetched")).unwrap();
            let blobs = ["--parallel", "--parallel-max", "8", "--config", "blobs.txt"];
            let blobs = cost(&mut self.curl(&blobs));
            cpu.add(clone.cpu, car.cpu + blobs.cpu + import.cpu);
            wall.add(clone.wall, car.wall + blobs.wall);
            peak = peak.max(clone.peak_bytes);
        }
        let car_bytes = fs::metadata(self.home.path("repo.car")).unwrap().len();
        rows.push(cpu.against("curl of the same bytes, 8 at a time, then `pds clone FILE`"));
        rows.push(wall.against("curl of the same bytes, 8 at a time"));
        rows.push(Row::amount(
            &format!("clone: memory, for a CAR file of {:.0} MB", car_bytes as f64 / 1e6),
            "64 MiB",
            &format!("{:.1} MiB", peak as f64 / 1_048_576.0),
            peak <= 64 << 20,
        ));
        rows
    }

    /// The blobs of the clone, as a configuration of curl.
    fn blob_urls(&self, account: &Account<'_>) -> String {
        let listed = self.home.pds(["-R", "copy", "blob", "ls"]);
        let url = account.sync_url(&account.host().url, "getBlob");
        let mut text = String::new();
        for line in listed.with(0).lines() {
            let cid = line.split('\t').next().unwrap();
            writeln!(text, "url = \"{url}&cid={cid}\"\noutput = \"fetched/{cid}\"").unwrap();
        }
        text
    }

    /// Pulls without anything new.
    fn idle_pulls(&self, account: &Account<'_>) -> Row {
        let cost = self.repeated(IDLE, || self.pds(account, &["-R", "copy", "pull"]));
        let cpu = cost.cpu / IDLE;
        let measured = format!("{:.1} ms", millis(cpu));
        Row::amount("pull, nothing new: CPU", "10 ms", &measured, cpu <= Duration::from_millis(10))
    }

    fn repeated(&self, times: u32, command: impl Fn() -> Command) -> Cost {
        let costs = (0..times).map(|_| cost(&mut command()));
        costs.reduce(Cost::plus).unwrap()
    }

    /// Pulls of ten changes, next to the bytes of the slice.
    fn pulls(&self, account: &Account<'_>) -> Vec<Row> {
        let mut bytes = Row::ratios("pull of 10 changes: bytes", 1.1);
        let (mut pulled, mut fetched) = (Duration::ZERO, Duration::ZERO);
        for round in 0..PULLS {
            let since = format!("&since={}", account.head().1);
            account.act("change", &["10", &(round + 7).to_string()]);
            let slice = account.sync_url(&account.host().url, "getRepo") + &since;
            fetched += cost(&mut self.curl(&["--compressed", "-o", "slice.car", &slice])).cpu;
            let compressed = account.sync("getRepo", &since).body.len();
            let start = meter::children_cpu();
            let out = self.pds(account, &["-R", "copy", "pull", "--json"]).output().unwrap();
            pulled += meter::children_cpu() - start;
            let answer: Json = serde_json::from_slice(&out.stdout).unwrap();
            let received = answer["bytesReceived"].as_u64().unwrap();
            bytes.add(Duration::from_micros(received), Duration::from_micros(compressed as u64));
        }
        let beyond = pulled.saturating_sub(fetched) / PULLS;
        let measured = format!("{:.1} ms", millis(beyond));
        let most = Duration::from_millis(20);
        vec![
            bytes.against("the bytes of the slice before gzip"),
            Row::amount("pull of 10 changes: CPU beyond curl", "20 ms", &measured, beyond <= most),
        ]
    }

    /// Events that are followed, next to puts of such records.
    fn events(&self, account: &Account<'_>) -> Row {
        let live = Live::start(
            &mut self.pds(account, &["-R", "copy", "pull", "--follow", "--json", "-v"]),
        );
        live.line();
        let before = process_cpu(live.id());
        account.act("each", &[&EVENTS.to_string()]);
        let is_event = |line: &Json| line["by"] == "event";
        let last = account.head().0;
        live.line_with(|line| is_event(line) && line["after"] == last);
        let each = (process_cpu(live.id()) - before) / EVENTS;
        live.kill();
        let key = self.home.path("key");
        fs::write(&key, account.signing_key().to_multikey().as_str()).unwrap();
        self.home.pds(["-R", "copy", "key", "import", "key"]).with(0);
        let put = |number: u32| {
            let path = format!("com.example.note/put{number}");
            let mut command = self.home.command(["-R", "copy", "put", &path, "note.json"]);
            command.stdin(std::process::Stdio::null());
            command
        };
        fs::write(self.home.path("note.json"), "{\"number\":1,\"text\":\"note note note\"}")
            .unwrap();
        let start = Instant::now();
        let puts = (0..PUTS).map(|number| cost(&mut put(number))).reduce(Cost::plus).unwrap();
        println!("{PUTS} puts took {:.1} s", start.elapsed().as_secs_f64());
        let mut row = Row::ratios("follow, one event: CPU", 1.2);
        row.add(each, puts.cpu / PUTS);
        row.against("`pds put` of such a record")
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const IDLE: u32 = 50;
const PULLS: u32 = 20;
const EVENTS: u32 = 300;
const PUTS: u32 = 50;
