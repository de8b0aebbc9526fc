//! The cases of this library.

use anyhow::Result;

use crate::data::Data;
use crate::meter::Outcome;
use crate::ours::{disk, log, process, read, slice, tree, whole, write};
use crate::work::Work;

pub(crate) fn run(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    match work {
        Work::ReadStreamable => read::streamable(&data.streamable(records)),
        Work::ReadAnyOrder => read::any_order(&data.any_order(records)),
        Work::ReadBytesAnyOrder => read::bytes_in_any_order(&data.any_order(records)),
        Work::VerifyStreamable => process::verify(&data.streamable(records), records, data),
        Work::VerifyAnyOrder => process::verify(&data.any_order(records), records, data),
        Work::BuildSorted => tree::build_sorted(records, data),
        Work::BuildRandom => tree::build_random(records, data),
        Work::Insert => tree::insert(records, data),
        Work::Get => tree::get(records, data),
        Work::Diff => tree::diff(records, data),
        Work::DiffFromDisk => disk::diff(records, data),
        Work::Export => disk::export(records, data),
        Work::Import => disk::import(records, data),
        Work::GetFromDisk => disk::get(records, data),
        Work::GetByOneThread | Work::GetByTwoThreads | Work::GetByEightThreads => {
            disk::get_in_threads(records, data, work.threads())
        }
        Work::List => disk::list(records, data),
        Work::ListProcess => process::list(records, data),
        Work::GetProcess => process::get(records, data),
        Work::Version => process::version(data),
        Work::SliceOfOne | Work::SliceOfHundred => slice::import(work, records, data),
        Work::PutOfOne | Work::PutOfHundred => slice::put(work, records, data),
        Work::Put => write::put(records, data),
        Work::ApplyAscending => write::apply(records, data, false),
        Work::ApplyRandom => write::apply(records, data, true),
        Work::ApplyProcess
        | Work::ExportProcess
        | Work::ExportHistoryProcess
        | Work::ListAllProcess
        | Work::LogProcess
        | Work::ReflogProcess
        | Work::GcProcess => whole::case(work, records, data),
        Work::LogVerify
        | Work::LogExport
        | Work::LogInfo
        | Work::LogMovesVerify
        | Work::LogMovesInfo
        | Work::LogPut
        | Work::LogNewest
        | Work::LogGc
        | Work::LogForget => log::case(work, records, data),
    }
}
