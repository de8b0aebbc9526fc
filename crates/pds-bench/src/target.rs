//! What is aimed at, held against what was measured.

use std::fs;

use crate::case::Subject;
use crate::data::Data;
use crate::plan::Target;
use crate::report::{cpu_each, median, megabytes, number, ratio, wall_each};
use crate::run::{Measured, name};

/// A target in words, what was found, and whether that is enough.
pub(crate) struct Verdict {
    pub(crate) aim: String,
    pub(crate) found: String,
    pub(crate) is_met: bool,
}

/// `None` where what it takes was not measured.
pub(crate) fn judge(target: Target, measured: &Measured, data: &Data) -> Option<Verdict> {
    let ours = measured.outcomes.get(&Subject::Pds)?;
    let at_most = |found: f64, limit: f64, aim: String, found_text: String| {
        Some(Verdict { aim, found: found_text, is_met: found <= limit })
    };
    match target {
        Target::Cpu(limit, to) => {
            let found = ratio(measured, to, cpu_each)?;
            let aim = format!("CPU ≤ {limit:.2} x {}", name(&to));
            at_most(found, limit, aim, format!("{found:.2}"))
        }
        Target::Wall(limit, to) => {
            let found = ratio(measured, to, wall_each)?;
            let aim = format!("wall ≤ {limit:.2} x {}", name(&to));
            at_most(found, limit, aim, format!("{found:.2}"))
        }
        Target::Speed(least, to) => {
            let found = 1.0 / ratio(measured, to, wall_each)?;
            let aim = format!("≥ {least:.2} x {} on the clock", name(&to));
            Some(Verdict { aim, found: format!("{found:.2}"), is_met: found >= least })
        }
        Target::CpuBeside(micros, beside) => {
            let theirs = measured.outcomes.get(&beside)?;
            let each = ours.iter().zip(theirs).map(|(a, b)| cpu_each(a) - cpu_each(b));
            let found = median(each) * 1e6;
            let aim = format!("CPU ≤ {micros:.0} µs beside {}", beside.title());
            at_most(found, micros, aim, format!("{found:.0} µs"))
        }
        Target::Millis(millis) => {
            let found = median(ours.iter().map(wall_each)) * 1e3;
            at_most(found, millis, format!("wall ≤ {millis:.0} ms"), format!("{found:.2} ms"))
        }
        Target::PerSecond(least) => {
            let found = 1.0 / median(ours.iter().map(wall_each));
            let aim = format!("≥ {} a second", number(u64::from(least)));
            let is_met = found >= f64::from(least);
            Some(Verdict { aim, found: format!("{:.2} million", found / 1e6), is_met })
        }
        Target::Megabytes(limit) => {
            let found = median(ours.iter().map(megabytes));
            at_most(found, limit, format!("memory ≤ {limit:.0} MB"), format!("{found:.1} MB"))
        }
        Target::MegabytesBeyond(limit, beyond) => {
            let theirs = measured.outcomes.get(&beyond)?;
            let found = median(ours.iter().zip(theirs).map(|(a, b)| megabytes(a) - megabytes(b)));
            let aim = format!("memory ≤ {} + {limit:.0} MB", name(&beyond));
            at_most(found, limit, aim, format!("{found:+.1} MB"))
        }
        Target::BytesABlock(bytes) => {
            let blocks = data.blocks(measured.records).ok()?;
            let limit = (bytes * blocks as f64 + 16e6) / 1e6;
            let found = median(ours.iter().map(megabytes));
            let aim = format!("memory ≤ {bytes:.0} bytes a block + 16 MB = {limit:.1} MB");
            at_most(found, limit, aim, format!("{found:.1} MB"))
        }
        Target::Size(limit) => {
            let car = fs::metadata(data.streamable(measured.records)).ok()?.len();
            let found = median(ours.iter().filter_map(|o| Some(o.written_bytes? as f64)));
            let found = found / car as f64;
            at_most(found, limit, format!("on disk ≤ {limit:.2} x CAR"), format!("{found:.3}"))
        }
        Target::BlocksRead(limit) => {
            let found = ours.iter().filter_map(|outcome| outcome.blocks_read).max()?;
            let aim = format!("≤ {} blocks read", number(limit));
            Some(Verdict { aim, found: found.to_string(), is_met: found <= limit })
        }
    }
}
