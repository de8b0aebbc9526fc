//! The suites, run for the stores of this crate and for stores that break a rule.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::change::{Applied, Change};
use crate::conformance::durable::check_durable;
use crate::conformance::large::check_large;
use crate::conformance::suite::check;
use crate::conformance::support::{Everything, everything};
use crate::error::StoreError;
use crate::fact::{Fact, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::memory::MemoryStore;
use crate::refs::Refs;
use crate::store::{Maintain, Store, View};
use crate::sweep::{Sweep, SweptBlocks};
use crate::version::Version;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

#[test]
fn the_store_in_memory_conforms() {
    check(&|| Box::<MemoryStore>::default());
    check_large(&MemoryStore::default(), 1 << 20);
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::cell::Cell;
    use std::path::Path;

    use crate::conformance::damage::check_damage;
    use crate::conformance::durable::check_durable;
    use crate::conformance::large::check_large;
    use crate::conformance::shared::check_shared;
    use crate::conformance::suite::check;
    use crate::sqlite::store::SqliteStore;
    use crate::store::Store;

    /// Opens a store, and creates it on the first call.
    fn open(path: &Path) -> Box<dyn Store> {
        let is_new = !path.exists();
        Box::new(if is_new { SqliteStore::create(path) } else { SqliteStore::open(path) }.unwrap())
    }

    #[test]
    fn the_store_in_a_file_conforms() {
        let dir = tempfile::tempdir().unwrap();
        let count = Cell::new(0);
        check(&|| {
            count.set(count.get() + 1);
            Box::new(SqliteStore::create(dir.path().join(count.get().to_string())).unwrap())
        });
    }

    #[test]
    fn the_store_in_a_file_is_durable() {
        let dir = tempfile::tempdir().unwrap();
        check_durable(&|name| open(&dir.path().join(name)));
    }

    #[test]
    fn processes_share_the_store_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        check_shared(&|name| open(&dir.path().join(name)));
    }

    #[test]
    fn the_store_in_a_file_heals() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        for (n, bytes) in ["x'00'", "x''", "bytes || x'00'"].into_iter().enumerate() {
            let path = path.with_extension(n.to_string());
            let store = SqliteStore::create(&path).unwrap();
            let other = rusqlite::Connection::open(&path).unwrap();
            check_damage(&store, &|cid| {
                let sql = format!("UPDATE blocks SET bytes = CAST({bytes} AS BLOB) WHERE cid = ?1");
                assert_eq!(other.execute(&sql, [cid.as_bytes().as_slice()]).unwrap(), 1);
            });
        }
    }

    #[test]
    fn the_store_in_a_file_takes_long_streams() {
        let dir = tempfile::tempdir().unwrap();
        check_large(&SqliteStore::create(dir.path().join("pds.db")).unwrap(), 64 << 20);
    }
}

/// The rule that a store breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cheat {
    /// None: `get_many` returns one result at a time, which is allowed.
    OneByOne,
    /// It keeps some parts in memory only.
    ForgetsRefs,
    ForgetsLog,
    ForgetsFacts,
    ForgetsBlocks,
    ForgetsVersion,
    /// Its views read the current state.
    ViewsArePresent,
    /// It acknowledges changes and drops their facts.
    DropsFacts,
    /// It moves refs without comparing their current targets.
    ComparesNothing,
}

/// A store in memory that breaks a rule.
struct Cheater {
    cheat: Cheat,
    /// The content of its disk.
    inner: Arc<MemoryStore>,
    /// The content of its disk when it was opened, unless it was created then.
    found: Option<Everything>,
}

impl Cheater {
    fn new(cheat: Cheat) -> Self {
        Self { cheat, inner: Arc::default(), found: None }
    }

    /// Returns the content of the disk when the store was opened, if the store hides this part of
    /// it.
    fn hides(&self, what: Cheat) -> Option<&Everything> {
        self.found.as_ref().filter(|_| self.cheat == what)
    }
}

impl Blocks for Cheater {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        if self.hides(Cheat::ForgetsBlocks).is_some() { Ok(None) } else { self.inner.get(cid) }
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().take(1).map(|cid| self.get(cid)).collect()
    }
}

impl Store for Cheater {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(CheatingView { store: self, moment: self.inner.view()? }))
    }

    fn apply(&self, mut change: Change<'_>) -> Result<Applied, StoreError> {
        if self.cheat == Cheat::ComparesNothing {
            change.refs.iter_mut().for_each(|edit| edit.expect = crate::refs::Expect::Any);
        }
        if self.cheat == Cheat::DropsFacts && !change.refs.is_empty() {
            change.facts.clear();
        }
        self.inner.apply(change)
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.inner.collect(sweep)
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        // A remote store may not have it.
        (self.cheat != Cheat::OneByOne).then_some(self.inner.as_ref())
    }
}

struct CheatingView<'a> {
    store: &'a Cheater,
    moment: Box<dyn View + 'a>,
}

impl CheatingView<'_> {
    /// Reads the moment that the view shows.
    fn read<T>(&self, read: impl FnOnce(&dyn View) -> T) -> T {
        match self.store.cheat {
            Cheat::ViewsArePresent => read(self.store.inner.view().unwrap().as_ref()),
            _ => read(self.moment.as_ref()),
        }
    }
}

impl Blocks for CheatingView<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        if self.store.hides(Cheat::ForgetsBlocks).is_some() {
            Ok(None)
        } else {
            self.read(|view| view.get(cid))
        }
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().take(1).map(|cid| self.get(cid)).collect()
    }
}

impl View for CheatingView<'_> {
    fn version(&self) -> Version {
        let hidden = self.store.hides(Cheat::ForgetsVersion).map(|found| found.version);
        let (now, hidden) = (self.moment.version(), hidden.unwrap_or_default());
        Version { change: now.change - hidden.change, sweep: now.sweep - hidden.sweep }
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        let refs = self.read(|view| view.refs())?;
        let hidden = self.store.hides(Cheat::ForgetsRefs).map(|found| &found.refs);
        let is_shown =
            |(name, cid): &&(_, Cid)| hidden.is_none_or(|refs| refs.get(name) != Some(*cid));
        Ok(refs.iter().filter(is_shown).cloned().collect())
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let hidden = self.store.hides(Cheat::ForgetsLog).map_or(0, |found| found.version.change);
        self.read(|view| {
            view.log(query, &mut |row| match row.seq <= hidden {
                true => ControlFlow::Continue(()),
                false => each(row),
            })
        })
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let hidden = self.store.hides(Cheat::ForgetsFacts).map_or(&[][..], |found| &found.facts);
        self.read(|view| {
            view.facts(kind, &mut |fact| match hidden.contains(&fact) {
                true => ControlFlow::Continue(()),
                false => each(fact),
            })
        })
    }
}

/// Runs a suite that must fail, and returns its message.
fn failure(suite: impl FnOnce()) -> String {
    let panic: Box<dyn Any + Send> =
        catch_unwind(AssertUnwindSafe(suite)).expect_err("the suite finds a store that cheats");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

/// Returns a function that opens stores by name. Stores of the same name share a disk.
fn on_disk(cheat: Cheat) -> impl Fn(&str) -> Box<dyn Store> {
    let disk: Mutex<HashMap<String, Arc<MemoryStore>>> = Mutex::default();
    move |name| {
        let mut disk = disk.lock().unwrap();
        let found = disk.get(name).map(|inner| everything(inner.as_ref()));
        let inner = disk.entry(name.to_owned()).or_default().clone();
        Box::new(Cheater { cheat, inner, found })
    }
}

#[test]
fn a_store_that_answers_one_cid_at_a_time_conforms() {
    check(&|| Box::new(Cheater::new(Cheat::OneByOne)));
    check_durable(&on_disk(Cheat::OneByOne));
}

#[test]
fn a_store_that_keeps_parts_in_memory_only_is_not_durable() {
    for (cheat, rule) in [
        (Cheat::ForgetsRefs, "refs outlive the process"),
        (Cheat::ForgetsLog, "the log outlives the process"),
        (Cheat::ForgetsFacts, "facts outlive the process"),
        (Cheat::ForgetsBlocks, "the target of a ref outlives the process"),
        (Cheat::ForgetsVersion, "the version outlives the process"),
    ] {
        let message = failure(|| check_durable(&on_disk(cheat)));
        assert!(message.contains(rule), "{rule}: {message}");
        check(&|| Box::new(Cheater::new(cheat)));
    }
}

#[test]
fn a_store_that_breaks_a_rule_does_not_conform() {
    for (cheat, rule) in [
        (Cheat::ViewsArePresent, "a view is one moment"),
        (Cheat::DropsFacts, "facts are written in the change that they belong to"),
        (Cheat::ComparesNothing, "an expectation that does not hold fails with `Moved`"),
    ] {
        let message = failure(|| check(&|| Box::new(Cheater::new(cheat))));
        assert!(message.contains(rule), "{rule}: {message}");
    }
}
