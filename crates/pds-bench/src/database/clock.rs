//! What some work takes: the time on the clock, and the CPU time of this process and of the server.

use std::fs;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

use crate::database::server::Server;

/// Seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    /// CPU time of this process.
    pub(crate) client: f64,
    /// CPU time of the processes of the server.
    pub(crate) server: f64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.client += other.client;
        self.server += other.server;
    }
}

/// Measures work that uses a server.
pub(crate) struct Clock {
    /// The process that starts the others.
    parent: String,
}

impl Clock {
    pub(crate) fn of(server: &Server) -> Result<Self> {
        let file = fs::read_to_string(server.dir.join("data/postmaster.pid"))?;
        let parent = file.lines().next().context("the server has no process")?;
        Ok(Self { parent: parent.trim().to_owned() })
    }

    /// Returns what some work takes, and its result.
    pub(crate) fn measure<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(Spent, T)> {
        let (client, server) = (client()?, self.server()?);
        let start = Instant::now();
        let done = work()?;
        let wall = start.elapsed().as_secs_f64();
        let (client, server) = (self::client()? - client, self.server()? - server);
        Ok((Spent { wall, client, server }, done))
    }

    /// Returns the CPU time of the running processes of the server.
    fn server(&self) -> Result<f64> {
        let mut nanos = 0;
        for entry in fs::read_dir("/proc")? {
            let dir = entry?.path();
            // A process may have ended.
            let stat = fs::read_to_string(dir.join("stat")).unwrap_or_default();
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
            if parent == Some(&self.parent) {
                let spent = fs::read_to_string(dir.join("schedstat")).unwrap_or_default();
                let spent = spent.split(' ').next().and_then(|text| text.parse::<u64>().ok());
                nanos += spent.unwrap_or_default();
            }
        }
        Ok(nanos as f64 / 1e9)
    }
}

fn client() -> Result<f64> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?).as_secs_f64())
}
