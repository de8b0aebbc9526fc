//! Changes: one statement for a move of HEAD, or a transaction.

use std::collections::HashMap;

use crate::blocks::{Batch, has_sound};
use crate::connection::Connection;
use crate::errors::{Result, column, damaged, no_account, number};
use crate::facts::FactEdits;
use crate::log::{PAGE_ROWS, bytes, log_page, write_log};
use crate::pool::Pool;
use pds_core::data::cid::Cid;
use pds_store::change::{Applied, BlockStream, LogStream, Seen};
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery, check_message};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::version::Version;

/// A change without its streams, so that it can be repeated.
pub(crate) struct Edits {
    pub(crate) seen: Seen,
    pub(crate) refs: Vec<RefEdit>,
    pub(crate) facts: FactEdits,
    pub(crate) event: Event,
    pub(crate) message: String,
    pub(crate) at_micros: u64,
}

/// The row of the account.
#[derive(Clone, Copy)]
pub(crate) struct State {
    pub(crate) version: Version,
    pub(crate) head: Option<Cid>,
}

impl State {
    /// Locks the account until the end of the transaction, and reads its row. All later reads of
    /// the transaction see the changes before it.
    pub(crate) fn lock(connection: &mut Connection) -> Result<Self> {
        let sql = "UPDATE pds.account SET change = change WHERE id = $1
            RETURNING change, sweep, head";
        Self::of(connection, sql)
    }

    /// Reads the row, without a lock.
    pub(crate) fn read(connection: &mut Connection) -> Result<Self> {
        let sql = "SELECT change, sweep, head FROM pds.account WHERE id = $1";
        Self::of(connection, sql)
    }

    fn of(connection: &mut Connection, sql: &'static str) -> Result<Self> {
        let rows = connection.query(sql, &[])?;
        let row = rows.first().ok_or_else(no_account)?;
        let version = Version { change: number(row, 0)?, sweep: number(row, 1)? };
        Ok(Self { version, head: commit(column(row, 2)?)? })
    }

    pub(crate) fn write(&self, connection: &mut Connection) -> Result<()> {
        let Version { change, sweep } = self.version;
        let head = self.head.as_ref().map(bytes);
        let sql = "UPDATE pds.account SET change = $2, sweep = $3, head = $4 WHERE id = $1";
        connection.execute(sql, &[&change.cast_signed(), &sweep.cast_signed(), &head]).map(drop)
    }
}

/// Reads the name of a commit.
pub(crate) fn commit(bytes: Option<&[u8]>) -> Result<Option<Cid>> {
    let cid = bytes.map(Cid::from_bytes).transpose();
    cid.map_err(|error| damaged(format!("the commit of a ref: {error}")))
}

impl Edits {
    /// Applies a change that moves HEAD from one commit to another, in one statement. Returns
    /// `None` if the change is not of this form.
    pub(crate) fn move_head(
        &self,
        connection: &mut Connection,
        batch: &Batch,
    ) -> Result<Option<Applied>> {
        let [RefEdit { name, target: Some(target), expect }] = &self.refs[..] else {
            return Ok(None);
        };
        let before = match expect {
            Expect::Exactly(before) => Some(before),
            Expect::Absent => None,
            Expect::Any | Expect::Present => return Ok(None),
        };
        let is_simple = *name == RefName::head()
            && batch.is_last
            && batch.blocks.contains_key(target)
            && self.facts.only_sets()
            && self.event != Event::Repair;
        if !is_simple {
            return Ok(None);
        }
        let (cids, blocks) = batch.columns();
        let (kinds, subjects, values) = self.facts.columns();
        let data = self.event.data();
        let rows = connection.change(
            include_str!("sql/move_head.sql"),
            &[
                &before.map(bytes),
                &bytes(target),
                &self.seen.change.map(u64::cast_signed),
                &self.seen.sweep.map(u64::cast_signed),
                &cids,
                &blocks,
                &self.at_micros.cast_signed(),
                &self.event.word(),
                &data.other.as_ref().map(bytes),
                &data.old_key.as_ref().map(|key| key.as_str()),
                &data.key.as_ref().map(|key| key.as_str()),
                &self.message,
                &kinds,
                &subjects,
                &values,
            ],
        )?;
        let Some(row) = rows.first() else {
            return Err(self.lost_race(connection, *expect)?);
        };
        let version = Version { change: number(row, 0)?, sweep: number(row, 1)? };
        Ok(Some(Applied { new_blocks: number(row, 2)?, version }))
    }

    /// Returns the reason why HEAD was not moved.
    fn lost_race(&self, connection: &mut Connection, expected: Expect) -> Result<StoreError> {
        let State { version, head: found } = State::read(connection)?;
        Ok(match self.seen.check(version) {
            Err(changed) => changed,
            Ok(()) if expected.holds(found) => StoreError::Busy,
            Ok(()) => StoreError::Moved { name: RefName::head(), expected, found },
        })
    }

    /// Looks for the log row of the change after its acknowledgement was lost. If it is stored, all of
    /// its blocks count as new, because their number is not known any more. If it is not found, the
    /// server may still store it.
    pub(crate) fn find_applied(&self, pool: &Pool, new_blocks: usize) -> Option<Applied> {
        let edit = self.refs.last()?;
        let query = LogQuery::newest_first().of(edit.name.clone());
        let page =
            pool.read(|connection| log_page(connection, &query, i64::MAX, PAGE_ROWS)).ok()?;
        let row = page.rows.into_iter().flatten().find(|row| row.at_micros == self.at_micros)?;
        let is_same = row.after == edit.target && row.message == self.message;
        let version = Version { change: row.seq, sweep: page.sweep };
        is_same.then_some(Applied { new_blocks: new_blocks as u64, version })
    }

    /// Applies the change in a transaction that has locked the account.
    pub(crate) fn apply(
        &self,
        connection: &mut Connection,
        state: &mut State,
        (batch, rest): (&Batch, &mut BlockStream<'_>),
        history: Option<Box<LogStream<'_>>>,
    ) -> Result<u64> {
        self.seen.check(state.version)?;
        let mut refs = self.present(connection, state)?;
        let before = self.check_expectations(&mut refs)?;
        let new_blocks = batch.store(connection, rest)?;
        let change = state.version.change;
        // A repair writes where refs and log disagree, and copied rows are stored before any ref.
        let is_log_ahead = self.event == Event::Repair || history.is_some();
        if let Some(rows) = history {
            self.copy_history(connection, rows, &mut state.version)?;
        }
        let mut logged: HashMap<&RefName, Option<Cid>> = HashMap::new();
        let mut entries = Vec::with_capacity(self.refs.len());
        for (RefEdit { name, target, .. }, before) in self.refs.iter().zip(before) {
            if let Some(target) = *target
                && !batch.blocks.contains_key(&target)
                && !has_sound(connection, &target)?
            {
                return Err(StoreError::TargetMissing { name: name.clone(), target });
            }
            let before = match (is_log_ahead, logged.get(name)) {
                (true, Some(last)) => *last,
                (true, None) => self.last_logged(connection, name)?,
                (false, _) => before,
            };
            logged.insert(name, *target);
            state.version.change += 1;
            let (seq, at_micros, name) = (state.version.change, self.at_micros, name.clone());
            let (after, event, message) = (*target, self.event.clone(), self.message.clone());
            entries.push(LogEntry { seq, name, before, after, at_micros, event, message });
        }
        write_log(connection, &entries)?;
        state.head = refs.remove(&RefName::head()).unwrap_or(state.head);
        self.write_refs(connection, &refs)?;
        self.facts.apply(connection)?;
        state.version.change += u64::from(state.version.change == change);
        Ok(new_blocks)
    }

    /// Reads the refs that the change edits.
    fn present(
        &self,
        connection: &mut Connection,
        state: &State,
    ) -> Result<HashMap<RefName, Option<Cid>>> {
        let mut refs: HashMap<RefName, Option<Cid>> =
            self.refs.iter().map(|edit| (edit.name.clone(), None)).collect();
        if let Some(head) = refs.get_mut(&RefName::head()) {
            *head = state.head;
        }
        let names: Vec<&str> = refs.keys().map(RefName::as_str).filter(|n| *n != "HEAD").collect();
        if names.is_empty() {
            return Ok(refs);
        }
        let sql = "SELECT name, cid FROM pds.ref WHERE account = $1 AND name = ANY($2)";
        for row in connection.query(sql, &[&names])? {
            let name = column::<&str>(&row, 0)?.parse();
            let name = name.map_err(|error| StoreError::Damaged(Box::new(error)))?;
            refs.insert(name, commit(column(&row, 1)?)?);
        }
        Ok(refs)
    }

    /// Checks the expectations in the order of the edits, and moves the refs. Returns the commit
    /// that each ref pointed to before its edit.
    fn check_expectations(
        &self,
        refs: &mut HashMap<RefName, Option<Cid>>,
    ) -> Result<Vec<Option<Cid>>> {
        let check = |RefEdit { name, target, expect }: &RefEdit| {
            let found = refs.insert(name.clone(), *target).flatten();
            match expect.holds(found) {
                true => Ok(found),
                false => Err(StoreError::Moved { name: name.clone(), expected: *expect, found }),
            }
        };
        self.refs.iter().map(check).collect()
    }

    /// Writes the refs other than HEAD.
    fn write_refs(
        &self,
        connection: &mut Connection,
        refs: &HashMap<RefName, Option<Cid>>,
    ) -> Result<()> {
        let moved =
            refs.iter().filter_map(|(name, cid)| Some((name.as_str(), bytes(cid.as_ref()?))));
        let (names, cids): (Vec<&str>, Vec<&[u8]>) = moved.unzip();
        if !names.is_empty() {
            let sql = "INSERT INTO pds.ref (account, name, cid)
                SELECT $1::bigint, new.* FROM unnest($2::text[], $3::bytea[]) AS new
                ON CONFLICT (account, name) DO UPDATE SET cid = excluded.cid";
            connection.execute(sql, &[&names, &cids])?;
        }
        let removed = refs.iter().filter(|(_, cid)| cid.is_none());
        let names: Vec<&str> = removed.map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            let sql = "DELETE FROM pds.ref WHERE account = $1 AND name = ANY($2)";
            connection.execute(sql, &[&names])?;
        }
        Ok(())
    }

    /// Returns the commit that a ref points to according to its last log row.
    fn last_logged(&self, connection: &mut Connection, name: &RefName) -> Result<Option<Cid>> {
        let query = LogQuery::newest_first().of(name.clone());
        let page = log_page(connection, &query, i64::MAX, 1)?;
        let newest = page.rows.into_iter().next().transpose()?;
        Ok(newest.and_then(|row| row.after))
    }

    /// Copies rows with their own numbers and times into an empty log.
    fn copy_history(
        &self,
        connection: &mut Connection,
        rows: Box<LogStream<'_>>,
        version: &mut Version,
    ) -> Result<()> {
        let sql = "SELECT 1 FROM pds.log WHERE account = $1 LIMIT 1";
        if !connection.query(sql, &[])?.is_empty() {
            return Err(StoreError::HasHistory);
        }
        let (mut batch, mut last) = (Vec::new(), None);
        for row in rows {
            let row = row.map_err(StoreError::Blocks)?;
            check_message(&row.message)?;
            if row.seq > MAX_CHANGE || last.is_some_and(|last| row.seq <= last) {
                let message = format!("the number {} of a log row does not ascend", row.seq);
                return Err(StoreError::Blocks(message.into()));
            }
            last = Some(row.seq);
            batch.push(row);
            if i64::try_from(batch.len()) == Ok(PAGE_ROWS) {
                write_log(connection, &batch)?;
                batch.clear();
            }
        }
        write_log(connection, &batch)?;
        version.change = version.change.max(last.unwrap_or_default());
        Ok(())
    }
}

/// The largest number of a log row. No store reaches it.
const MAX_CHANGE: u64 = u64::MAX / 4;
