//! What a piece of work costs the process that does it.

use std::fmt::Display;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What has been measured: one line of JSON between the process of a case and the one that asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// User and system time of all threads, in seconds.
    pub(crate) cpu_s: f64,
    /// In seconds.
    pub(crate) wall_s: f64,
    /// The most memory that was resident, beyond what the process had before it did anything.
    pub(crate) peak_bytes: u64,
    /// How many times the work was done: records, keys, commits.
    pub(crate) times: u64,
    /// What must be the same for everyone who does this work; the limits of the machine have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<String>,
    /// How large what has been written is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) written_bytes: Option<u64>,
    /// How many blocks were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocks_read: Option<u64>,
}

impl Outcome {
    pub(crate) fn checked(mut self, check: impl Display) -> Self {
        self.check = Some(check.to_string());
        self
    }

    pub(crate) fn written(mut self, bytes: u64) -> Self {
        self.written_bytes = Some(bytes);
        self
    }
}

/// Measures from its start to [`stop`](Self::stop).
pub(crate) struct Meter {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        // The peak so far is that of the preparations; from here on it is the work's.
        fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")?;
        Ok(Self { cpu: cpu()?, wall: Instant::now() })
    }

    pub(crate) fn stop(self, times: usize) -> Result<Outcome> {
        let (wall, cpu) = (self.wall.elapsed(), cpu()? - self.cpu);
        let empty = EMPTY_PROCESS.get().copied().unwrap_or(0);
        Ok(Outcome {
            cpu_s: cpu.as_secs_f64(),
            wall_s: wall.as_secs_f64(),
            peak_bytes: status("VmHWM:")?.saturating_sub(empty),
            times: times as u64,
            check: None,
            written_bytes: None,
            blocks_read: None,
        })
    }
}

/// Measures processes that this one starts.
pub(crate) struct ChildMeter {
    cpu: Duration,
    wall: Instant,
}

impl ChildMeter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { cpu: children()?.0, wall: Instant::now() })
    }

    /// The memory is all that the largest process had: nothing is taken off.
    pub(crate) fn stop(self, times: usize) -> Result<Outcome> {
        let wall = self.wall.elapsed();
        let (cpu, peak_bytes) = children()?;
        Ok(Outcome {
            cpu_s: (cpu - self.cpu).as_secs_f64(),
            wall_s: wall.as_secs_f64(),
            peak_bytes,
            times: times as u64,
            check: None,
            written_bytes: None,
            blocks_read: None,
        })
    }
}

/// Notes what an empty process has; to be called first of all.
pub(crate) fn note_empty_process() -> Result<()> {
    let resident = status("VmRSS:")?;
    EMPTY_PROCESS.get_or_init(|| resident);
    Ok(())
}

/// Whether everybody has seen the same keys with the same bytes in the same order.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) records: usize,
    bytes: usize,
    sum: u64,
}

impl Seen {
    /// Visits a record: its key, and how many bytes it has.
    pub(crate) fn record(&mut self, key: &[u8], bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
        for chunk in key.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.sum = (self.sum.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(MIX);
        }
    }
}

impl Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} records, {} bytes, keys {:016x}", self.records, self.bytes, self.sum)
    }
}

fn cpu() -> Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?))
}

fn children() -> Result<(Duration, u64)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(micros.unsigned_abs())
    };
    let peak = usage.max_rss().unsigned_abs() * 1024;
    Ok((micros(usage.user_time()) + micros(usage.system_time()), peak))
}

/// A figure of `/proc/self/status`, which is in KiB.
fn status(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let number = line.trim().trim_end_matches(" kB").trim();
    Ok(number.parse::<u64>()? * 1024)
}

static EMPTY_PROCESS: OnceLock<u64> = OnceLock::new();
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
