//! The comparison of the targets with the measured figures.

use std::fs;

use crate::data::Data;
use crate::figures::{cpu_each, difference, median, megabytes, ratio, wall_each};
use crate::measured::{Measured, name};
use crate::meter::Outcome;
use crate::plan::Target;
use crate::subject::Subject;
use crate::text::number;

/// A target in words, the measured figure, and whether it meets the target.
pub(crate) struct Verdict {
    pub(crate) aim: String,
    pub(crate) found: String,
    pub(crate) is_met: bool,
}

/// Compares a target with the measured figures. Returns `None` if one of them was not measured.
pub(crate) fn judge(target: Target, measured: &Measured, data: &Data) -> Option<Verdict> {
    let ours = measured.outcomes.get(&Subject::Pds)?.as_slice();
    match target {
        Target::Cpu(limit, to) => {
            let aim = format!("CPU ≤ {limit:.2} x {}", name(&to));
            let found = ratio(measured, to, cpu_each)?;
            at_most(limit, found, aim, format!("{found:.2}"))
        }
        Target::Wall(limit, to) => {
            let aim = format!("wall ≤ {limit:.2} x {}", name(&to));
            let found = ratio(measured, to, wall_each)?;
            at_most(limit, found, aim, format!("{found:.2}"))
        }
        Target::Speed(least, to) => {
            let aim = format!("≥ {least:.2} x {} on the clock", name(&to));
            let found = 1.0 / ratio(measured, to, wall_each)?;
            at_least(least, found, aim, format!("{found:.2}"))
        }
        Target::CpuBeside(micros, beside) => {
            let aim = format!("CPU ≤ {micros:.0} µs beside {}", beside.title());
            let found = difference(measured, beside, cpu_each)? * 1e6;
            at_most(micros, found, aim, format!("{found:.0} µs"))
        }
        Target::Millis(millis) => {
            let found = median(ours.iter().map(wall_each)) * 1e3;
            at_most(millis, found, format!("wall ≤ {millis:.0} ms"), format!("{found:.2} ms"))
        }
        Target::PerSecond(least) => {
            let aim = format!("≥ {} a second", number(u64::from(least)));
            let found = 1.0 / median(ours.iter().map(wall_each));
            at_least(f64::from(least), found, aim, format!("{:.2} million", found / 1e6))
        }
        Target::Megabytes(limit) => memory(ours, limit, &format!("{limit:.0} MB")),
        Target::MegabytesBeyond(limit, beyond) => {
            let aim = format!("memory ≤ {} + {limit:.0} MB", name(&beyond));
            let found = difference(measured, beyond, megabytes)?;
            at_most(limit, found, aim, format!("{found:+.1} MB"))
        }
        Target::BytesABlock(bytes) => {
            let limit = (bytes * data.blocks(measured.records).ok()? as f64 + 16e6) / 1e6;
            memory(ours, limit, &format!("{bytes:.0} bytes a block + 16 MB = {limit:.1} MB"))
        }
        Target::Size(limit) => {
            let car = fs::metadata(data.streamable(measured.records)).ok()?.len();
            let written = median(ours.iter().filter_map(|o| Some(o.written_bytes? as f64)));
            let found = written / car as f64;
            at_most(limit, found, format!("on disk ≤ {limit:.2} x CAR"), format!("{found:.3}"))
        }
        Target::BlocksRead(limit) => {
            let found = ours.iter().filter_map(|outcome| outcome.blocks_read).max()?;
            let aim = format!("≤ {} blocks read", number(limit));
            at_most(limit, found, aim, found.to_string())
        }
    }
}

fn memory(ours: &[Outcome], limit: f64, shown: &str) -> Option<Verdict> {
    let found = median(ours.iter().map(megabytes));
    at_most(limit, found, format!("memory ≤ {shown}"), format!("{found:.1} MB"))
}

fn at_most<T: PartialOrd + Copy>(
    limit: T,
    figure: T,
    aim: String,
    found: String,
) -> Option<Verdict> {
    Some(Verdict { aim, found, is_met: figure <= limit })
}

fn at_least<T: PartialOrd + Copy>(
    least: T,
    figure: T,
    aim: String,
    found: String,
) -> Option<Verdict> {
    Some(Verdict { aim, found, is_met: figure >= least })
}
