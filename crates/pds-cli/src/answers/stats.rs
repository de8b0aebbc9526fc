//! The answer of `pds stats`.

use std::fmt;

use pds::commit::Commit;
use pds::data::Cid;
use pds::syntax::{AtUri, Did};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::commit::CommitId;
use crate::process::text::time_text;
use crate::records::statistics::{CollectionCounts, Statistics};

/// The counts of a state, and of the blobs that are stored.
pub(crate) struct StatsAnswer<'a> {
    pub(crate) commit: &'a Commit,
    pub(crate) found: &'a Statistics,
    /// `None` for a CAR file, which has no blobs.
    pub(crate) blobs: Option<StoredBlobs>,
}

/// The number and size of the stored blobs.
#[derive(Default, Serialize)]
pub(crate) struct StoredBlobs {
    pub(crate) bytes: u64,
    pub(crate) count: u64,
    pub(crate) largest: Option<LargestBlob>,
}

/// The largest stored blob.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LargestBlob {
    pub(crate) cid: Cid,
    /// The type that the first bytes suggest.
    pub(crate) mime_type: String,
    pub(crate) size: u64,
}

/// A collection in JSON.
#[derive(Serialize)]
struct CollectionJson<'a> {
    bytes: u64,
    collection: &'a str,
    first: Option<String>,
    last: Option<String>,
    mean: u64,
    records: u64,
    unreadable: u64,
}

/// One of the largest records in JSON.
#[derive(Serialize)]
struct LargestJson {
    cid: Cid,
    path: String,
    size: u64,
    uri: Option<String>,
}

/// A month in JSON.
#[derive(Serialize)]
struct MonthJson {
    month: String,
    records: u64,
}

impl Serialize for StatsAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (found, total) = (self.found, self.found.total());
        let did = self.commit.known_did();
        let collections = found.collections.iter().map(collection_json);
        let largest = found.largest.iter().map(|record| LargestJson {
            cid: record.cid,
            path: record.path.to_string(),
            size: record.bytes,
            uri: did.map(|did: &Did| AtUri::record(did, &record.path).to_string()),
        });
        let months = found
            .months
            .iter()
            .map(|(month, records)| MonthJson { month: text(*month), records: *records });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("blobs", &self.blobs)?;
        map.serialize_entry("bytes", &total.bytes)?;
        map.serialize_entry("collections", &Listed(collections))?;
        map.serialize_entry("commit", &CommitId::of(self.commit))?;
        map.serialize_entry("largest", &Listed(largest))?;
        map.serialize_entry("months", &Listed(months))?;
        map.serialize_entry("records", &total.records)?;
        map.serialize_entry("unreadable", &total.unreadable)?;
        map.end()
    }
}

/// The items of an iterator as a JSON list.
struct Listed<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Listed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.0.clone().try_for_each(|item| list.serialize_element(&item))?;
        list.end()
    }
}

fn collection_json(counts: &CollectionCounts) -> CollectionJson<'_> {
    CollectionJson {
        bytes: counts.bytes,
        collection: &counts.name,
        first: counts.first.map(time_text),
        last: counts.last.map(time_text),
        mean: counts.mean(),
        records: counts.records,
        unreadable: counts.unreadable,
    }
}

/// Returns a month as `2026-11`.
fn text((year, month): (i16, i8)) -> String {
    format!("{year:04}-{month:02}")
}

impl fmt::Display for StatsAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |micros: Option<u64>| micros.map_or_else(|| "-".to_owned(), time_text);
        let row = |counts: &CollectionCounts| {
            let CollectionCounts { records, bytes, first, last, .. } = counts;
            format!("{records}\t{bytes}\t{}\t{}\t{}", counts.mean(), time(*first), time(*last))
        };
        for counts in &self.found.collections {
            writeln!(f, "collection\t{}\t{}", counts.name, row(counts))?;
        }
        write!(f, "total\t{}", row(&self.found.total()))?;
        for (month, records) in &self.found.months {
            write!(f, "\nmonth\t{}\t{records}", text(*month))?;
        }
        for record in &self.found.largest {
            write!(f, "\nlargest\t{}\t{}\t{}", record.path, record.cid, record.bytes)?;
        }
        let Some(StoredBlobs { bytes, count, largest }) = &self.blobs else { return Ok(()) };
        write!(f, "\nblobs\t{count}\t{bytes}")?;
        match largest {
            Some(LargestBlob { cid, mime_type, size }) => {
                write!(f, "\nlargest-blob\t{cid}\t{size}\t{mime_type}")
            }
            None => Ok(()),
        }
    }
}
