//! Where refs stand whose rows could not all be read.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::OptionalExtension;

use super::{Saved, raw};
use crate::data::{Block, Cid};
use crate::store::sqlite::errors::store_error;
use crate::store::sqlite::{cid_at, optional_cid_at, ref_name};
use crate::store::{RefName, StoreError};

/// A ref that stands elsewhere in a salvaged store than a row of it said that was read, or that had none.
///
/// ```
/// use pds::store::{RefName, SqliteStore};
///
/// let dir = tempfile::tempdir()?;
/// let store = dir.path().join("r/pds.db");
/// let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let head = repo.head()?;
/// drop(repo);
/// rusqlite::Connection::open(&store)?.execute_batch("DROP TABLE refs")?;
/// let salvaged = SqliteStore::salvage(&store, &dir.path().join("copy.db"), &|_, _| false)?;
/// let [moved] = &*salvaged.moved else { panic!("there was one ref") };
/// assert_eq!((&moved.name, moved.found, moved.target), (&RefName::head(), None, head));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedRef {
    /// Its name.
    pub name: RefName,
    /// Where it stands by the row that was read first; `None` where there was none.
    pub found: Option<Cid>,
    /// Where it stands in the new store; `None` where it is left out.
    pub target: Option<Cid>,
    /// Whether the log says so. If not, it is the latest state of those that rows of it name.
    pub is_logged: bool,
}

impl Saved<'_> {
    /// Decides where refs stand: a row may have been found where it stood once. After `right_after` the log says it,
    /// where that is known of any of it.
    pub(super) fn settle_refs(
        &mut self,
        right_after: Option<i64>,
        is_later: &dyn Fn(&Block, &Block) -> bool,
    ) -> Result<(), StoreError> {
        let (refs, log) = (self.refs()?, self.last_moves()?);
        let names: BTreeSet<&RefName> = refs.keys().chain(log.keys()).collect();
        for name in names {
            let found = refs.get(name).copied();
            let (seq, logged) = log.get(name).copied().unzip();
            let is_right = seq.zip(right_after).is_some_and(|(seq, after)| seq > after);
            let target = match (found, logged) {
                (_, Some(logged)) if is_right => logged,
                // Where it stood last may be what the log has lost.
                (None, _) => None,
                (Some(found), logged) => {
                    let others = self.others.iter().filter(|(other, _)| other == name);
                    let others = others.map(|(_, cid)| *cid).chain(logged.flatten());
                    Some(self.latest(found, others, is_later)?)
                }
            };
            if target != found {
                self.set_ref(name, target)?;
                let (name, is_logged) = (name.clone(), logged == Some(target));
                self.told.moved.push(SalvagedRef { name, found, target, is_logged });
            }
        }
        Ok(())
    }

    /// Finds the latest state, as far as they can be read; where nothing tells, it is the first.
    fn latest(
        &self,
        first: Cid,
        others: impl Iterator<Item = Cid>,
        is_later: &dyn Fn(&Block, &Block) -> bool,
    ) -> Result<Cid, StoreError> {
        let mut latest = first;
        for other in others.filter(|other| *other != first) {
            if let (Some(block), Some(before)) = (self.sound(&other)?, self.sound(&latest)?)
                && is_later(&block, &before)
            {
                latest = other;
            }
        }
        Ok(latest)
    }

    /// Returns a block that was saved and is what its name says.
    fn sound(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let sql = "SELECT bytes FROM blocks WHERE cid = ?1";
        let bytes = self.to.prepare_cached(sql).and_then(|mut statement| {
            let bytes = |row: &rusqlite::Row<'_>| Ok(raw(row.get_ref(0)?).to_vec());
            statement.query_row([cid.as_bytes().as_slice()], bytes).optional()
        });
        Ok(bytes.map_err(store_error)?.and_then(|bytes| Block::verified(*cid, bytes).ok()))
    }

    fn set_ref(&mut self, name: &RefName, target: Option<Cid>) -> Result<(), StoreError> {
        self.told.refs -= self.run("DELETE FROM refs WHERE name = ?1", &[&name.as_str()])?;
        if let Some(target) = target {
            let row = "INSERT INTO refs VALUES (?1, ?2)";
            self.told.refs += self.run(row, &[&name.as_str(), &target.as_bytes().as_slice()])?;
        }
        Ok(())
    }

    fn refs(&self) -> Result<BTreeMap<RefName, Cid>, StoreError> {
        let mut statement = self.to.prepare("SELECT name, cid FROM refs").map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        let mut refs = BTreeMap::new();
        while let Some(row) = rows.next().map_err(store_error)? {
            let name: String = row.get(0).map_err(store_error)?;
            refs.insert(ref_name(&name)?, cid_at(row, 1).map_err(store_error)?);
        }
        Ok(refs)
    }

    /// Reads where the last row of the log about each ref says that it stands, and which row that is.
    fn last_moves(&self) -> Result<BTreeMap<RefName, (i64, Option<Cid>)>, StoreError> {
        // Beside a maximum SQLite gives the other columns of the row that has it.
        let sql = "SELECT name, after, max(seq) FROM log GROUP BY name";
        let mut statement = self.to.prepare(sql).map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        let mut moves = BTreeMap::new();
        while let Some(row) = rows.next().map_err(store_error)? {
            let name: String = row.get(0).map_err(store_error)?;
            let seq = row.get(2).map_err(store_error)?;
            let target = optional_cid_at(row, 1).map_err(store_error)?;
            moves.insert(ref_name(&name)?, (seq, target));
        }
        Ok(moves)
    }
}
