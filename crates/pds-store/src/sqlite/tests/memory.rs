//! Tests of the memory that long values and long logs take, measured in a separate process.
#![cfg(target_os = "linux")]

use std::ops::ControlFlow;
use std::process::Command;

use super::*;
use crate::error::StoreError;
use crate::log::{LogEntry, LogQuery};
use crate::sqlite::rows::log::write_log;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::store::SqliteStore;
use crate::store::CheckDepth;
use crate::sweep::{Fate, Sweep};
use pds_core::data::block::ReadError;

/// The environment variable with the file that a child process reads.
const FILE: &str = "PDS_TEST_FILE";

/// Runs a test of this module in a separate process with a file, and checks its memory.
fn check_memory(test: &str, path: &Path, max_mib: u64) {
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::{test}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([&name, "--exact", "--test-threads=1", "--nocapture"]).env(FILE, path);
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{failed}");
    let peak = said.lines().find_map(|line| line.split_once("VmHWM:")).unwrap().1;
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kib < max_mib * 1024, "{test}: {} MiB", kib / 1024);
}

/// Prints the peak memory of this process.
#[allow(clippy::print_stdout)]
fn show_memory() {
    println!("{}", std::fs::read_to_string("/proc/self/status").unwrap());
}

fn file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// The length of the value. No value of a store is longer than a block.
const LONG: i64 = 900_000_000;

#[test]
fn a_value_that_is_too_long_is_damage_and_takes_no_memory() {
    if let Some(path) = file() {
        let store = SqliteStore::open(&path).unwrap();
        let damaged = store.get(&block(7).cid());
        assert!(matches!(damaged, Err(ReadError::Backend { .. })), "{damaged:?}");
        assert_eq!(store.get(&block(8).cid()).unwrap(), Some(block(8)));
        let mut shown = 0;
        let scanned = store.scan_raw(&mut |_, _| {
            shown += 1;
            ControlFlow::Continue(())
        });
        assert!(matches!(scanned, Err(StoreError::Damaged(_))), "{scanned:?}");
        assert_eq!(shown, 9);
        assert!(!SqliteStore::check_file(&path).unwrap().is_empty());
        assert!(store.check(CheckDepth::Present).is_ok());
        // The messages of the log are equally long.
        let log =
            store.view().unwrap().log(&LogQuery::default(), &mut |_| ControlFlow::Continue(()));
        assert!(matches!(log, Err(StoreError::Damaged(_))), "{log:?}");
        let salvaged = SqliteStore::salvage(&path, path.with_extension("to")).unwrap();
        assert_eq!((salvaged.sound, salvaged.refs, salvaged.is_all), (9, 1, false));
        // The same bytes are stored again.
        assert_eq!(apply(&store, 7..8).new_blocks, 1);
        assert_eq!(store.get(&block(7).cid()).unwrap(), Some(block(7)));
        return show_memory();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").unwrap();
    sql.execute("UPDATE blocks SET bytes = zeroblob(?1) WHERE id = 8", [LONG]).unwrap();
    sql.execute("UPDATE log SET message = printf('%.*c', 100000000, 'x')", []).unwrap();
    sql.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    drop(sql);
    let test = "a_value_that_is_too_long_is_damage_and_takes_no_memory";
    check_memory(test, &path, 80);
}

/// The number of rows of the long log. Their messages take 80 MB.
const ROWS: u32 = 20_000;
const MESSAGE_BYTES: usize = 4_000;

#[test]
fn a_long_log_is_read_page_by_page() {
    if let Some(path) = file() {
        read_long_log(&path);
        return show_memory();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    write_long_log(&path);
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    check_memory("a_long_log_is_read_page_by_page", &path, 60);
}

fn write_long_log(path: &Path) {
    apply(&SqliteStore::create(path).unwrap(), 0..10);
    let mut sql = Connection::open(path).unwrap();
    let transaction = sql.transaction().unwrap();
    let message = "m".repeat(MESSAGE_BYTES);
    let cid = |n: u32| block(n % 2).cid();
    for n in 2..=ROWS {
        let entry = LogEntry {
            seq: u64::from(n),
            name: RefName::head(),
            before: Some(cid(n - 2)),
            after: Some(cid(n - 1)),
            at_micros: u64::from(n),
            event: Event::Write,
            message: message.clone(),
        };
        write_log(&transaction, &entry).unwrap();
    }
    let last = RefRow { name: RefName::head(), cid: cid(ROWS - 1), seq: i64::from(ROWS) };
    last.write(&transaction).unwrap();
    transaction.commit().unwrap();
    drop(sql);
}

/// Reads, filters, sweeps, checks and salvages the long log.
fn read_long_log(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let view = store.view().unwrap();
    for query in [
        LogQuery::oldest_first(),
        LogQuery::newest_first(),
        LogQuery::newest_first().of(RefName::head()),
    ] {
        let (mut count, mut last) = (0, None);
        view.log(&query, &mut |row| {
            // `each` may read the view.
            count += u32::from(view.get(&row.after.unwrap()).unwrap().is_some());
            let is_next = |last: u64| match query.newest_first {
                true => row.seq == last - 1,
                false => row.seq == last + 1,
            };
            assert!(last.is_none_or(is_next));
            last = Some(row.seq);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(count, ROWS);
    }
    let mut count = 0;
    let to = LogQuery::oldest_first().to(block(1).cid());
    view.log(&to, &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(count, ROWS / 2);
    let version = view.version();
    drop(view);
    let mut fate = |row: &LogEntry| if row.seq < 100 { Fate::Goes } else { Fate::Stays };
    for is_dry in [true, false] {
        let sweep = Sweep::new(version, &|_| true).log(&mut fate).dry_run(is_dry);
        assert_eq!(store.collect(sweep).unwrap().rows, 99);
    }
    assert_eq!(store.check(CheckDepth::Whole).unwrap(), Vec::<String>::new());
    let salvaged = SqliteStore::salvage(path, path.with_extension("to")).unwrap();
    assert_eq!((salvaged.moves, salvaged.is_all), (u64::from(ROWS) - 99, true));
}
