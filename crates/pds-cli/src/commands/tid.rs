//! `pds tid`

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use pds::syntax::Tid;

use crate::answers::tid::TidAnswer;
use crate::exit::Exit;
use crate::output::Output;
use crate::text::time_text;

/// Generate a TID, or decode one
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds tid\n  pds tid 3jzfcijpj2z2a\n  pds tid 3hgb-r7t-ngir-t4      decode the old form with hyphens"
)]
pub(crate) struct Args {
    /// TID to decode
    #[arg(value_parser = Tid::parse_hyphenated)]
    tid: Option<Tid>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let (tid, is_new) = match self.tid {
            Some(tid) => (tid, false),
            None => (now()?, true),
        };
        out.answer(&TidAnswer {
            clock_id: tid.clock_id(),
            integer: tid.as_u64(),
            micros: tid.micros(),
            tid: tid.to_string(),
            time: time_text(tid.micros()),
            is_new,
        })?;
        Ok(Exit::Done)
    }
}

/// Generates a TID of the present time.
fn now() -> Result<Tid> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    let clock_id = u16::from_le_bytes([low, high]);
    Tid::next(now, clock_id, None).context("the clock is past the last TID")
}
