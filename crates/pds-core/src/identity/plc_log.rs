//! The operation log of a did:plc account, verified as a whole.

use serde::de::IgnoredAny;

use crate::crypto::public_key::PublicKey;
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::{MAX_PLC_LOG_BYTES, MAX_PLC_OPERATIONS, PLC_RECOVERY_MICROS};
use crate::data::value::{Map, Value};
use crate::identity::error::{IdentityError, OperationFault};
use crate::identity::key_history::{KeyHistory, time_text};
use crate::identity::plc_data::{PlcData, field, text};
use crate::identity::plc_operation::PlcOperation;
use crate::syntax::datetime::Datetime;
use crate::syntax::did::Did;

/// The operation log of a did:plc account, with every operation verified.
///
/// It is the response of a directory to `/<did>/log/audit`: the operations with the times at which
/// the directory accepted them. Operations that a recovery has nullified are included. The lines of a response to
/// `/export` have the same content, one operation each, and are read as well. (did:plc specification, "DID Update",
/// "Key Rotation & Account Recovery".)
///
/// ```
/// use pds::identity::PlcLog;
///
/// let log = r#"[{
///     "did": "did:plc:63pkxhemu6bbfv2acr7222ci",
///     "operation": {
///         "type": "plc_operation",
///         "verificationMethods": {
///             "atproto": "did:key:zQ3sheG8tXvPm3kYGpeG4v2KhccF85T4ym8h9fsxwX98oeYkn"
///         },
///         "rotationKeys": ["did:key:zQ3shY6rHZipn81hVvZEypHRWXGgUcGNmQ2ng7ccZFBvpANx8"],
///         "alsoKnownAs": ["at://alice.test"],
///         "services": {"atproto_pds": {
///             "type": "AtprotoPersonalDataServer", "endpoint": "http://localhost:2783"
///         }},
///         "prev": null,
///         "sig": "j-3tDUJZkIgb5eY6oLD3wwEtkFehetJcFccB1wf3KiNBFmOm1Z4kaNv-P0WhQyBJkj0o92NV4GCCNyhBcpiz-g"
///     },
///     "cid": "bafyreihw32vzzdfhqijnoqaup6wwqsfo5p46cx55o5nsnsvm2k2pupytqy",
///     "nullified": false,
///     "createdAt": "2026-11-21T23:38:15.725Z"
/// }]"#;
/// let keys = PlcLog::parse(log)?.key_history();
/// assert_eq!(keys.periods().len(), 1);
///
/// // Not one letter can be another.
/// assert!(PlcLog::parse(&log.replace("alice.test", "mal.test")).is_err());
/// # Ok::<(), pds::identity::IdentityError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlcLog {
    did: Did,
    entries: Vec<PlcEntry>,
}

/// One operation of a [`PlcLog`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlcEntry {
    /// The CID of the signed operation.
    pub cid: Cid,
    /// The time at which the directory accepted the operation, in microseconds since the Unix
    /// epoch.
    pub created_micros: u64,
    /// Whether a later recovery has nullified the operation.
    pub nullified: bool,
    /// The rotation key that signed the operation.
    pub signed_by: PublicKey,
    /// The signing key of commits from this operation on, if there is one.
    pub signing_key: Option<PublicKey>,
    /// The operation that this one follows, or `None` for the genesis.
    pub prev: Option<Cid>,
    /// The account after this operation, or `None` after a tombstone.
    pub data: Option<PlcData>,
}

impl PlcEntry {
    /// Returns whether the operation ends the account.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.data.is_none()
    }
}

impl PlcLog {
    /// Parses a log and verifies all of its operations.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Operation`] for the first operation that is not valid.
    /// [`IdentityError::Json`] and [`IdentityError::Log`] if the text is not a log.
    pub fn parse(json: &str) -> Result<Self, IdentityError> {
        if json.len() > MAX_PLC_LOG_BYTES {
            let (bytes, limit) = (json.len(), MAX_PLC_LOG_BYTES);
            return Err(DataError::TooLarge { bytes, limit }.into());
        }
        let no_log = |reason| IdentityError::Log { reason };
        // Every entry is parsed separately: a log may exceed the limits of a single value of the
        // data model.
        let lines = lines(json)?;
        if lines.len() > MAX_PLC_OPERATIONS {
            return Err(no_log("more operations than the limit of 5000"));
        }
        let mut check = Check::default();
        for (index, line) in lines.into_iter().enumerate() {
            let Value::Map(line) = line else {
                return Err(no_log("an entry is not an object"));
            };
            if line.get("operation").is_none() {
                let reason =
                    "operations without times: download the log whose address ends in /log/audit";
                return Err(no_log(reason));
            }
            check.add(line).map_err(|fault| IdentityError::Operation { index, fault })?;
        }
        let did = check.did.take().ok_or(no_log("it is empty"))?;
        Ok(Self { did, entries: check.finish()? })
    }

    /// Returns the DID of the account.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the operations, in the order of the log.
    #[must_use]
    pub fn entries(&self) -> &[PlcEntry] {
        &self.entries
    }

    /// Returns the last operation in force: the state of the account. Nullified operations are not in force.
    #[must_use]
    pub fn current(&self) -> &PlcEntry {
        // A log has a genesis, and nothing can nullify it.
        self.entries.iter().rfind(|entry| !entry.nullified).unwrap_or(&self.entries[0])
    }

    /// Checks that this log is an older log of the account with operations added: it begins with all operations of
    /// the older log, each with the same CID and time.
    ///
    /// An operation that the older log has in force may be nullified here, because every log obeys the rules of
    /// recovery: a more powerful key has nullified it within 72 hours. The times are claims of the directory. A
    /// directory that adds operations with times before the older log was read can only be noticed by the caller.
    ///
    /// # Errors
    ///
    /// [`LogChanged`] with the first operation of the older log that is missing here or differs.
    pub fn extends(&self, older: &Self) -> Result<(), LogChanged> {
        let same = |held: &PlcEntry, found: &PlcEntry| {
            (held.cid, held.created_micros) == (found.cid, found.created_micros)
        };
        for (index, held) in older.entries.iter().enumerate() {
            let found = self.entries.get(index);
            if !found.is_some_and(|found| same(held, found)) {
                let (held, found) = (Box::new(held.clone()), found.cloned().map(Box::new));
                return Err(LogChanged { index, held, found });
            }
        }
        Ok(())
    }

    /// Returns the history of the signing keys. Nullified operations have no part in it.
    #[must_use]
    pub fn key_history(&self) -> KeyHistory {
        let counting = self.entries.iter().filter(|entry| !entry.nullified);
        let changes = counting.map(|entry| (entry.created_micros, entry.signing_key.clone()));
        let end = self.entries.last().map(|entry| entry.created_micros);
        KeyHistory::of_changes(self.did.clone(), changes).ending(end)
    }

    /// Returns whether a text has the form of a log: a list, or a line with an operation.
    #[must_use]
    pub fn looks_like(json: &str) -> bool {
        let first = json.trim_start();
        first.starts_with('[')
            || first_line(first).is_some_and(|line| line.get("operation").is_some())
    }
}

/// The error for a log that is not an older log with operations added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {index} of the log was {}, and {}", shown(held), now(found.as_deref()))]
pub struct LogChanged {
    /// The index of the first operation that differs, from 0.
    pub index: usize,
    /// The operation in the older log.
    pub held: Box<PlcEntry>,
    /// The operation in the newer log, or `None` if that log ends before it.
    pub found: Option<Box<PlcEntry>>,
}

fn shown(entry: &PlcEntry) -> String {
    format!("{} of {}", entry.cid, time_text(entry.created_micros))
}

fn now(found: Option<&PlcEntry>) -> String {
    found.map_or_else(|| "is missing".to_owned(), |found| format!("is {}", shown(found)))
}

/// Splits a log into its entries: a list, or one object a line.
fn lines(json: &str) -> Result<Vec<Value>, IdentityError> {
    let not_json = |error: serde_json::Error| DataError::Json(error.to_string()).into();
    if json.trim_start().starts_with('[') {
        return serde_json::from_str(json).map_err(not_json);
    }
    let is_json = || serde_json::from_str::<IgnoredAny>(json).is_ok();
    if first_line(json).is_none_or(|line| line.get("operation").is_none()) && is_json() {
        return Err(IdentityError::Log { reason: "not a list of operations" });
    }
    let lines = serde_json::Deserializer::from_str(json).into_iter().take(MAX_PLC_OPERATIONS + 1);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().map_err(not_json)?;
    match lines.is_empty() {
        true => Err(DataError::Json("the file is empty".to_owned()).into()),
        false => Ok(lines),
    }
}

/// Returns the first of several JSON objects.
fn first_line(json: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(json).into_iter().next()?.ok()
}

/// The verified part of a log.
#[derive(Default)]
struct Check {
    did: Option<Did>,
    lines: Vec<Line>,
    /// The indexes of the operations in force, in order: a chain from the genesis on.
    counting: Vec<usize>,
}

struct Line {
    operation: PlcOperation,
    created_micros: u64,
    stated_nullified: bool,
    /// The index of the rotation key that signed the operation, among the permitted ones.
    signer: usize,
    signed_by: PublicKey,
}

impl Check {
    fn add(&mut self, mut line: Map) -> Result<(), OperationFault> {
        let did: Did = text(&line, "did")?.parse().map_err(|_| field("did", "not a DID"))?;
        let stated: Cid = text(&line, "cid")?.parse().map_err(|_| field("cid", "not a CID"))?;
        let Some(Value::Bool(stated_nullified)) = line.get("nullified") else {
            return Err(field("nullified", "neither true nor false"));
        };
        let stated_nullified = *stated_nullified;
        let created: Result<Datetime, _> = text(&line, "createdAt")?.parse();
        let created = created.map_err(|_| field("createdAt", "not a datetime"))?;
        let created_micros = u64::try_from(created.unix_micros())
            .map_err(|_| field("createdAt", "a time before 1970"))?;
        let Some(Value::Map(operation)) = line.remove("operation") else {
            return Err(field("operation", "not an object"));
        };
        let operation = PlcOperation::read(operation)?;
        if operation.cid() != stated {
            return Err(OperationFault::WrongCid { stated, computed: operation.cid() });
        }
        if self.lines.last().is_some_and(|before| created_micros < before.created_micros) {
            return Err(OperationFault::OutOfOrder);
        }
        let expected = self.did.get_or_insert_with(|| did.clone());
        if *expected != did {
            return Err(OperationFault::WrongDid { expected: expected.clone(), found: did });
        }
        let (signer, signed_by) = match operation.prev() {
            None => genesis(&operation, self.lines.is_empty(), &did)?,
            Some(prev) => self.follow(&operation, prev, created_micros)?,
        };
        self.counting.push(self.lines.len());
        self.lines.push(Line { operation, created_micros, stated_nullified, signer, signed_by });
        Ok(())
    }

    /// Adds an operation after its `prev`, and nullifies the operations that followed that one.
    fn follow(
        &mut self,
        operation: &PlcOperation,
        prev: Cid,
        created_micros: u64,
    ) -> Result<(usize, PublicKey), OperationFault> {
        // Usually it is the last one.
        let is_prev = |at: &usize| self.lines[*at].operation.cid() == prev;
        let at = self.counting.iter().rposition(is_prev).ok_or(OperationFault::NoPredecessor)?;
        let before = &self.lines[self.counting[at]];
        let data = before.operation.data().ok_or(OperationFault::AfterTombstone)?;
        let signer = operation.signed_by(&data.rotation_keys)?;
        if let Some(disputed) = self.counting.get(at + 1).copied() {
            let undone = &self.lines[disputed];
            if signer >= undone.signer {
                return Err(OperationFault::NotMorePowerful { disputed });
            }
            if created_micros - undone.created_micros > PLC_RECOVERY_MICROS {
                return Err(OperationFault::TooLate { disputed });
            }
        }
        let signed_by = data.rotation_keys[signer].clone();
        self.counting.truncate(at + 1);
        Ok((signer, signed_by))
    }

    fn finish(self) -> Result<Vec<PlcEntry>, IdentityError> {
        let mut counting = self.counting.into_iter().peekable();
        let entry = |(index, line): (usize, Line)| {
            let nullified = counting.next_if_eq(&index).is_none();
            if nullified != line.stated_nullified {
                let fault = OperationFault::Nullified { stated: line.stated_nullified };
                return Err(IdentityError::Operation { index, fault });
            }
            Ok(PlcEntry {
                cid: line.operation.cid(),
                created_micros: line.created_micros,
                nullified,
                signed_by: line.signed_by,
                signing_key: line.operation.data().and_then(PlcData::signing_key),
                prev: line.operation.prev(),
                data: line.operation.data().cloned(),
            })
        };
        self.lines.into_iter().enumerate().map(entry).collect()
    }
}

/// Checks the first operation of an account.
fn genesis(
    operation: &PlcOperation,
    is_first: bool,
    did: &Did,
) -> Result<(usize, PublicKey), OperationFault> {
    let no_genesis = OperationFault::NoPredecessor;
    let data = operation.data().filter(|_| is_first).ok_or(no_genesis)?;
    if let Some(derived) = operation.did().filter(|derived| derived != did) {
        return Err(OperationFault::NotTheGenesis { derived: derived.to_string() });
    }
    let signer = operation.signed_by(&data.rotation_keys)?;
    Ok((signer, data.rotation_keys[signer].clone()))
}
