//! On what was measured, and with what.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gb: u64,
    kernel: String,
    compiler: String,
    packages: String,
}

impl Machine {
    pub(crate) fn here() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let total = field(&meminfo, "MemTotal").trim_end_matches(" kB").trim().parse::<u64>()?;
        let compiler = Command::new("rustc").arg("--version").output().context("no rustc")?;
        let hashes = if field(&cpuinfo, "flags").contains("sha_ni") { "with" } else { "without" };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Self {
            processor: format!("{} ({hashes} SHA instructions)", field(&cpuinfo, "model name")),
            cores: std::thread::available_parallelism()?.get(),
            memory_gb: (total * 1024).div_ceil(1 << 30),
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            compiler: String::from_utf8(compiler.stdout)?.trim().to_owned(),
            packages: packages(),
        })
    }

    /// The processor, the system and the compiler.
    pub(crate) fn computer(&self) -> String {
        let Self { processor, cores, memory_gb, kernel, compiler, .. } = self;
        format!(
            "Machine: {processor}, {cores} cores, {memory_gb} GiB, Linux {kernel}; {compiler}, \
             profile `release` (thin LTO, 4 units, the library in one)"
        )
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}. Versions: {}.", self.computer(), self.packages)
    }
}

/// A package with the version that the lock file has.
pub(crate) fn version(package: &str) -> Option<String> {
    let entry = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))?.1;
    Some(format!("{package} {}", entry.split_once('"')?.0))
}

/// The versions of all packages that are measured.
fn packages() -> String {
    let packages: Vec<String> = PACKAGES.iter().copied().filter_map(version).collect();
    // What SQLite is compiled with, as the configuration of this checkout says it to whatever is compiled in it.
    let flags = option_env!("LIBSQLITE3_FLAGS").unwrap_or("no flags of its own");
    format!("{}, SQLite {} with {flags}", packages.join(", "), rusqlite::version())
}

/// A line `name : value` of a file in /proc.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']).trim())
}

const LOCK: &str = include_str!("../Cargo.lock");

/// What is measured, and what it is measured with.
const PACKAGES: [&str; 7] =
    ["atpds", "shrike", "repo-stream", "atrium-repo", "jacquard-repo", "rsky-repo", "rusqlite"];
