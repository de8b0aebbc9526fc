//! repo-stream: asynchronous, read only; all blocks in memory, then a walk in key order.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use repo_stream::DriverBuilder;

use crate::data::Data;
use crate::meter::{Meter, Outcome, Seen};
use crate::work::Work;

pub(super) async fn case(work: Work, records: usize, data: &Data) -> Result<Option<Outcome>> {
    match work {
        Work::ReadStreamable => Ok(Some(read(&data.streamable(records)).await?)),
        Work::ReadAnyOrder => Ok(Some(read(&data.any_order(records)).await?)),
        _ => Ok(None),
    }
}

async fn read(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    // From bytes in memory: through a file it is slower.
    let file = fs::read(path)?;
    let driver = DriverBuilder::new().with_mem_limit_mb(MEMORY_LIMIT_MB);
    let mut car = driver.load_car(&file[..]).await.map_err(|error| anyhow!("{error}"))?;
    let mut seen = Seen::default();
    while let Some(records) = car.next_chunk_strict(CHUNK)? {
        for record in records {
            seen.record(record.key.as_bytes(), record.data.len());
        }
    }
    Ok(meter.stop(seen.records)?.checked(seen))
}

/// More than any repository here needs, so that nothing goes to its disk.
const MEMORY_LIMIT_MB: usize = 16 << 10;
const CHUNK: usize = 256;
