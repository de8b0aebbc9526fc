//! The rows that a spooled batch sorts: its writes by key, and its changes by the order of the writes.

use std::io;

use crate::error::Result;
use crate::model::write::RecordChange;
use crate::spool::errors::{garbled, temporary};
use pds_core::data::cid::Cid;
use pds_core::syntax::record_path::RecordPath;
use pds_store::refs::Expect;

/// A write. The bytes of its row sort by the key, then by the number of the write.
pub(crate) struct WriteRow<'k> {
    pub(crate) key: &'k [u8],
    pub(crate) number: u64,
    pub(crate) expect: Expect,
    /// The record and the offset of its bytes, or `None` for a deletion.
    pub(crate) record: Option<(Cid, u64)>,
}

impl<'k> WriteRow<'k> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.key.len() + ROOM);
        row.extend_from_slice(self.key);
        // No key has this byte, and it sorts before those that keys have.
        row.push(END_OF_KEY);
        row.extend_from_slice(&self.number.to_be_bytes());
        match self.expect {
            Expect::Any => row.push(0),
            Expect::Absent => row.push(1),
            Expect::Present => row.push(2),
            Expect::Exactly(cid) => {
                row.push(3);
                row.extend_from_slice(cid.as_bytes());
            }
        }
        put_record(&mut row, self.record);
        row
    }

    pub(crate) fn decode(row: &'k [u8]) -> io::Result<Self> {
        let end = row.iter().position(|byte| *byte == END_OF_KEY).ok_or_else(garbled)?;
        let (key, rest) = row.split_at(end);
        let mut rest = Rest(rest.get(1..).unwrap_or_default());
        let number = rest.number()?;
        let expect = match rest.byte()? {
            0 => Expect::Any,
            1 => Expect::Absent,
            2 => Expect::Present,
            3 => Expect::Exactly(rest.cid()?),
            _ => return Err(garbled()),
        };
        Ok(Self { key, number, expect, record: rest.record()? })
    }
}

/// The change of a record. The bytes of its row sort by the number of its first write.
#[derive(Clone, Copy)]
pub(crate) struct ChangeRow<'k> {
    pub(crate) number: u64,
    pub(crate) before: Option<Cid>,
    /// The new record and the offset of its bytes, or `None` if it was deleted.
    pub(crate) after: Option<(Cid, u64)>,
    pub(crate) key: &'k [u8],
}

impl<'k> ChangeRow<'k> {
    /// Returns the CID of the new record.
    pub(crate) fn cid(&self) -> Option<Cid> {
        self.after.map(|(cid, _)| cid)
    }

    /// Returns the path of the record.
    pub(crate) fn path(&self) -> Result<RecordPath> {
        RecordPath::from_bytes(self.key).map_err(|_| temporary(garbled()))
    }

    /// Returns the change without the offset.
    pub(crate) fn to_change(self) -> Result<RecordChange> {
        let (before, after) = (self.before, self.cid());
        Ok(RecordChange { path: self.path()?, before, after })
    }

    /// Returns whether the batch has created and deleted the record.
    pub(crate) fn is_undone(&self) -> bool {
        self.before.is_none() && self.after.is_none()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.key.len() + ROOM);
        row.extend_from_slice(&self.number.to_be_bytes());
        put_record(&mut row, self.before.map(|cid| (cid, 0)));
        put_record(&mut row, self.after);
        row.extend_from_slice(self.key);
        row
    }

    pub(crate) fn decode(row: &'k [u8]) -> io::Result<Self> {
        let mut rest = Rest(row);
        let number = rest.number()?;
        let before = rest.record()?.map(|(cid, _)| cid);
        let after = rest.record()?;
        Ok(Self { number, before, after, key: rest.0 })
    }
}

fn put_record(row: &mut Vec<u8>, record: Option<(Cid, u64)>) {
    row.push(u8::from(record.is_some()));
    if let Some((cid, offset)) = record {
        row.extend_from_slice(cid.as_bytes());
        row.extend_from_slice(&offset.to_be_bytes());
    }
}

/// The rest of a row.
struct Rest<'r>(&'r [u8]);

impl<'r> Rest<'r> {
    fn take<const N: usize>(&mut self) -> io::Result<&'r [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(garbled)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.take::<1>().map(|[byte]| *byte)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.take().map(|bytes| u64::from_be_bytes(*bytes))
    }

    fn cid(&mut self) -> io::Result<Cid> {
        Cid::from_bytes(self.take::<{ Cid::LEN }>()?).map_err(|_| garbled())
    }

    fn record(&mut self) -> io::Result<Option<(Cid, u64)>> {
        match self.byte()? {
            0 => Ok(None),
            _ => Ok(Some((self.cid()?, self.number()?))),
        }
    }
}

const END_OF_KEY: u8 = 0;

/// The most bytes of a row without its key.
const ROOM: usize = 1 + 2 * 8 + 2 * (1 + Cid::LEN + 8);
