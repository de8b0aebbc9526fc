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
}

impl Machine {
    pub(crate) fn here() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let total = field(&meminfo, "MemTotal").trim_end_matches(" kB").trim().parse::<u64>()?;
        let compiler = Command::new("rustc").arg("--version").output().context("no rustc")?;
        let hashes = if field(&cpuinfo, "flags").contains("sha_ni") { "with" } else { "without" };
        Ok(Self {
            processor: format!("{} ({hashes} SHA instructions)", field(&cpuinfo, "model name")),
            cores: std::thread::available_parallelism()?.get(),
            memory_gb: (total * 1024).div_ceil(1 << 30),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            compiler: String::from_utf8(compiler.stdout)?.trim().to_owned(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gb, kernel, compiler } = self;
        writeln!(
            f,
            "Machine: {processor}, {cores} cores, {memory_gb} GiB, Linux {kernel}; {compiler}, \
             profile `release` (thin LTO, 4 units)."
        )
    }
}

/// A line `name : value` of a file in /proc.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']).trim())
}
