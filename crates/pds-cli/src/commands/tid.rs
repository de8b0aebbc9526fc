//! `pds tid`

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use pds::syntax::Tid;
use serde_json::json;

use crate::failure::Exit;
use crate::output::{Output, time_text};

/// Make a TID, or take one apart
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds tid\n  pds tid 3jzfcijpj2z2a\n  pds tid 3hgb-r7t-ngir-t4      the early form"
)]
pub(crate) struct Args {
    /// The TID to take apart
    #[arg(value_parser = Tid::parse_hyphenated)]
    tid: Option<Tid>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        match self.tid {
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
                let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
                let clock_id = u16::from_le_bytes([low, high]);
                let tid = Tid::next(now, clock_id, None).context("the time of TIDs is used up")?;
                out.answer(|| tid.to_string(), || tid_json(tid))?;
            }
            Some(tid) => {
                let (time, micros) = (time_text(tid.micros()), tid.micros());
                let text = || {
                    format!(
                        "tid      {tid}\ninteger  {}\ntime     {time}\nmicros   {micros}\nclock    {}",
                        tid.as_u64(),
                        tid.clock_id(),
                    )
                };
                out.answer(text, || tid_json(tid))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn tid_json(tid: Tid) -> serde_json::Value {
    json!({
        "tid": tid.to_string(),
        "integer": tid.as_u64(),
        "micros": tid.micros(),
        "clockId": tid.clock_id(),
        "time": time_text(tid.micros()),
    })
}
