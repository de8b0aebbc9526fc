//! Frames: the messages of an event stream, from and to bytes.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cbor::{Cursor, Item};
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::{
    MAX_EVENT_BLOCKS_BYTES, MAX_EVENT_OPS, MAX_MESSAGE_BYTES, MAX_SYNC_BLOCKS_BYTES,
};
use crate::data::record_check::check_canonical;
use crate::data::value::{Map, Value};
use crate::sync::error::{FrameError, OverLimit};
use crate::sync::event::{
    AccountEvent, Action, CommitEvent, Event, IdentityEvent, InfoEvent, RecordOp, SyncEvent,
};
use crate::sync::fields::{Broken, Fields};

/// One message of an event stream.
///
/// ```
/// use pds::sync::{AccountEvent, Event, Frame};
///
/// let event = Event::Account(AccountEvent {
///     seq: 7,
///     did: "did:web:alice.example.com".parse()?,
///     active: false,
///     status: Some("deactivated".to_owned()),
///     time: "2026-11-21T23:38:15.863Z".to_owned(),
/// });
/// let frame = Frame::from(event);
/// assert_eq!(Frame::decode(&frame.encode())?, frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event.
    Event(Event),
    /// An error. The host closes the stream after it.
    Error {
        /// The name of the error, such as `FutureCursor`.
        name: String,
        /// The text for people.
        message: Option<String>,
    },
    /// A message of a kind that is not known here. It is to be ignored.
    Unknown {
        /// The operation in the header: 1 for events.
        op: i64,
        /// The kind in the header.
        kind: String,
        /// The sequence number, if there is one.
        seq: Option<u64>,
    },
}

impl Frame {
    /// Decodes a frame: a header and a body, both canonical DAG-CBOR. Unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the bytes are not a frame, or if the event is malformed or over a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            let (bytes, limit) = (bytes.len(), MAX_MESSAGE_BYTES);
            return Err(DataError::TooLarge { bytes, limit }.into());
        }
        let mut cursor = Cursor::new(bytes);
        cursor.skip_item()?;
        let header_bytes = cursor.offset();
        let (header, body) = bytes.split_at_checked(header_bytes).unwrap_or((bytes, &[]));
        check_canonical(header)?;
        check_canonical(body).map_err(|error| after(error, header_bytes))?;
        let header = Fields::read(&mut Cursor::new(header))?;
        let body = Fields::read(&mut Cursor::new(body)).map_err(|e| after(e, header_bytes))?;
        let kind = read_kind(&header).and_then(|kind| read_body(kind, &body));
        kind.map_err(|fault| fault.of(&body))
    }

    /// Encodes the frame. An unknown message has its header and its sequence number only.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (op, kind, body) = match self {
            Self::Event(event) => {
                let (kind, body) = encoded(event);
                (1, Some(kind), body)
            }
            Self::Error { name, message } => {
                let mut body = Map::from_iter([("error", name.as_str())]);
                insert_some(&mut body, "message", message.as_deref());
                (-1, None, body)
            }
            Self::Unknown { op, kind, seq } => {
                let mut body = Map::new();
                insert_some(&mut body, "seq", seq.map(number));
                (*op, Some(kind.as_str()), body)
            }
        };
        let mut header = Map::from_iter([("op", op)]);
        insert_some(&mut header, "t", kind);
        [Value::Map(header).encode(), Value::Map(body).encode()].concat()
    }
}

impl From<Event> for Frame {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

/// The header of a frame.
#[derive(Clone, Copy)]
enum Header<'a> {
    Event(&'a str),
    Error,
    Other(i64, &'a str),
}

/// The reason why a body is no event.
enum Fault {
    Broken(Broken),
    OverLimit(OverLimit),
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Fault {
    /// Returns the error for the frame with this body.
    #[cold]
    fn of(self, body: &Fields<'_>) -> FrameError {
        let (seq, did) = (body.seq().ok(), body.account().map(Box::new));
        match self {
            Self::Broken(Broken { field, reason }) => FrameError::Field { field, reason, seq, did },
            Self::OverLimit(over) => FrameError::OverLimit { over, seq, did },
        }
    }
}

fn read_kind<'a>(header: &Fields<'a>) -> Result<Header<'a>, Fault> {
    let Some(Item::Int(op)) = header.item("op") else {
        return Err(Broken { field: "op", reason: "not a number" }.into());
    };
    Ok(match op {
        1 => Header::Event(header.text("t")?),
        -1 => Header::Error,
        op => Header::Other(op, header.text_or_none("t")?.unwrap_or_default()),
    })
}

fn read_body(kind: Header<'_>, body: &Fields<'_>) -> Result<Frame, Fault> {
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
    let time = || body.text("time").map(ToOwned::to_owned);
    let event = match kind {
        Header::Event("#commit") => Event::Commit(read_commit(body)?),
        Header::Event("#sync") => Event::Sync(SyncEvent {
            seq: body.seq()?,
            did: body.parsed("did")?,
            rev: body.parsed("rev")?,
            blocks: slice(body, MAX_SYNC_BLOCKS_BYTES)?,
            time: time()?,
        }),
        Header::Event("#identity") => Event::Identity(IdentityEvent {
            seq: body.seq()?,
            did: body.parsed("did")?,
            handle: body.parsed_or_none("handle")?,
            time: time()?,
        }),
        Header::Event("#account") => Event::Account(AccountEvent {
            seq: body.seq()?,
            did: body.parsed("did")?,
            active: body.bool("active")?,
            status: owned(body.text_or_none("status")?),
            time: time()?,
        }),
        Header::Event("#info") => Event::Info(InfoEvent {
            name: body.text("name")?.to_owned(),
            message: owned(body.text_or_none("message")?),
        }),
        Header::Event(kind) => {
            return Ok(Frame::Unknown { op: 1, kind: kind.to_owned(), seq: body.seq().ok() });
        }
        Header::Other(op, kind) => {
            return Ok(Frame::Unknown { op, kind: kind.to_owned(), seq: body.seq().ok() });
        }
        Header::Error => {
            let (name, message) = (body.text("error")?.to_owned(), body.text_or_none("message")?);
            return Ok(Frame::Error { name, message: owned(message) });
        }
    };
    Ok(Frame::Event(event))
}

fn read_commit(body: &Fields<'_>) -> Result<CommitEvent, Fault> {
    Ok(CommitEvent {
        seq: body.seq()?,
        repo: body.parsed("repo")?,
        rev: body.parsed("rev")?,
        since: body.parsed_or_none("since")?,
        commit: body.link("commit")?,
        prev_data: body.link_or_none("prevData")?,
        ops: read_ops(body)?,
        blocks: slice(body, MAX_EVENT_BLOCKS_BYTES)?,
        time: body.text("time")?.to_owned(),
    })
}

fn slice(body: &Fields<'_>, limit: usize) -> Result<Vec<u8>, Fault> {
    let bytes = body.bytes("blocks")?;
    if bytes.len() > limit {
        let what = "bytes of blocks";
        return Err(Fault::OverLimit(OverLimit { what, count: bytes.len(), limit }));
    }
    Ok(bytes.to_vec())
}

fn read_ops(body: &Fields<'_>) -> Result<Vec<RecordOp>, Fault> {
    let broken = Broken { field: "ops", reason: "not a list of operations" };
    let Some(mut cursor) = body.cursor("ops") else { return Err(broken.into()) };
    let Ok(count) = cursor.list() else { return Err(broken.into()) };
    if count > MAX_EVENT_OPS {
        let (what, limit) = ("operations", MAX_EVENT_OPS);
        return Err(Fault::OverLimit(OverLimit { what, count, limit }));
    }
    let mut ops = Vec::with_capacity(count);
    for _ in 0..count {
        let Ok(op) = Fields::read(&mut cursor) else { return Err(broken.into()) };
        let action = match op.text("action")? {
            "create" => Action::Create,
            "update" => Action::Update,
            "delete" => Action::Delete,
            _ => {
                let reason = "not create, update or delete";
                return Err(Broken { field: "action", reason }.into());
            }
        };
        let (cid, prev) = (op.link_or_none("cid")?, op.link_or_none("prev")?);
        ops.push(RecordOp { action, path: op.parsed("path")?, cid, prev });
    }
    Ok(ops)
}

/// Returns the kind and the body of an event.
fn encoded(event: &Event) -> (&'static str, Map) {
    let mut body = Map::new();
    let mut account = |field: &str, seq: u64, did: &str, time: &str| {
        body.insert("seq", number(seq));
        body.insert(field, did);
        body.insert("time", time);
    };
    let kind = match event {
        Event::Commit(event) => {
            account("repo", event.seq, event.repo.as_str(), &event.time);
            encode_commit(event, &mut body);
            "#commit"
        }
        Event::Sync(event) => {
            account("did", event.seq, event.did.as_str(), &event.time);
            body.insert("rev", event.rev.to_string());
            body.insert("blocks", event.blocks.as_slice());
            "#sync"
        }
        Event::Identity(event) => {
            account("did", event.seq, event.did.as_str(), &event.time);
            insert_some(&mut body, "handle", event.handle.as_ref().map(|handle| handle.as_str()));
            "#identity"
        }
        Event::Account(event) => {
            account("did", event.seq, event.did.as_str(), &event.time);
            body.insert("active", event.active);
            insert_some(&mut body, "status", event.status.as_deref());
            "#account"
        }
        Event::Info(event) => {
            body.insert("name", event.name.as_str());
            insert_some(&mut body, "message", event.message.as_deref());
            "#info"
        }
    };
    (kind, body)
}

fn encode_commit(event: &CommitEvent, body: &mut Map) {
    let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::Link);
    let ops = event.ops.iter().map(|op| {
        let fields = [
            ("action", Value::from(op.action.as_str())),
            ("path", Value::from(op.path.to_string())),
            ("cid", link(op.cid)),
        ];
        let mut fields = Map::from_iter(fields);
        insert_some(&mut fields, "prev", op.prev);
        Value::Map(fields)
    });
    body.insert("ops", ops.collect::<Value>());
    body.insert("rev", event.rev.to_string());
    body.insert("since", event.since.map_or(Value::Null, |since| since.to_string().into()));
    body.insert("commit", event.commit);
    insert_some(body, "prevData", event.prev_data);
    body.insert("blocks", event.blocks.as_slice());
    // Readers require these fields, which have lost their meaning.
    body.insert("blobs", Value::List(Vec::new()));
    body.insert("rebase", false);
    body.insert("tooBig", false);
}

fn insert_some(map: &mut Map, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(field, value);
    }
}

/// Returns a sequence number as a value. Those that can be decoded are far below the limit of values.
fn number(seq: u64) -> Value {
    Value::Int(i64::try_from(seq).unwrap_or(i64::MAX))
}

/// Returns the error with its offset in the frame.
#[cold]
fn after(error: DataError, header_bytes: usize) -> DataError {
    match error {
        DataError::Cbor { offset, reason } => {
            DataError::Cbor { offset: offset.saturating_add(header_bytes), reason }
        }
        other => other,
    }
}
