//! The limits of all external input, each with its reason.
//!
//! The specifications name few numbers ("Repository" requires limits but gives none). Otherwise the
//! limits follow the data validation guide and the reference implementations.

/// The largest block that is read, in bytes: a commit, a tree node or a record.
///
/// Writers limit records to about 1 MB. But reference servers accept larger records in an import,
/// and a backup must be able to store them. The Go reference reads CBOR up to this size.
pub const MAX_BLOCK_BYTES: usize = 5 * 1024 * 1024;

/// The largest record that is decoded or reported as valid, in bytes (data validation guide).
pub const MAX_RECORD_BYTES: usize = 1_048_576;

/// The largest record that is written, in bytes. It fits into a commit event ("Sync").
pub const MAX_WRITTEN_RECORD_BYTES: usize = 1_000_000;

/// The largest message of an event stream, in bytes ("Sync").
pub const MAX_MESSAGE_BYTES: usize = 5_000_000;

/// The most operations in a commit event ("Sync").
pub const MAX_EVENT_OPS: usize = 200;

/// The largest slice in a commit event, in bytes ("Sync").
pub const MAX_EVENT_BLOCKS_BYTES: usize = 2_000_000;

/// The largest slice in a sync event, in bytes (lexicon of `subscribeRepos`). It has only the commit.
pub const MAX_SYNC_BLOCKS_BYTES: usize = 10_000;

/// The deepest nesting of arrays and maps in values, which are read recursively, printed and written. The guide
/// recommends 32; nearly all real records stay below 20.
pub const MAX_NESTING: usize = 64;

/// The deepest nesting of arrays and maps in blocks that are only checked and kept. No specification has a limit, and
/// one record of the network is nested 4,394 levels deep. The largest limit of common CBOR libraries is 65,535.
pub const MAX_BLOCK_NESTING: usize = 65_535;

/// The deepest nesting inside a blob reference of a record that exceeds [`MAX_NESTING`]. References have none.
pub(crate) const MAX_DEEP_BLOB_NESTING: usize = 8;

/// The longest array or map, in entries (data validation guide).
pub const MAX_CONTAINER_ENTRIES: usize = 131_072;

/// The longest key of a map, in bytes (data validation guide).
pub const MAX_MAP_KEY_BYTES: usize = 8_192;

/// The longest JSON text of a record, in bytes.
///
/// The data validation guide has 2 MiB, but some valid records need more. The largest factor is 18
/// bytes of JSON for one byte of the record: an empty byte string in a list, on several lines and
/// without indentation.
pub const MAX_JSON_BYTES: usize = 18 * MAX_WRITTEN_RECORD_BYTES;

/// The longest key of a tree, in bytes, as in both reference implementations. The longest valid
/// record path has 830 bytes.
pub const MAX_TREE_KEY_BYTES: usize = 1_024;

/// The most entries that one tree node may hold.
///
/// A run of n keys without a deeper key between them has probability (3/4)^n. The widest node of a
/// tree of a million keys has about 50 entries, and only mined keys reach 1,024.
pub const MAX_NODE_ENTRIES: usize = 1_024;

/// The deepest level of a tree: SHA-256 has 256 bits, and two of them make a level.
pub const MAX_TREE_LEVEL: u8 = 128;

/// The most earlier states that are stored with an imported state. A busy account writes as many commits in years, and
/// exports have only one of them.
pub const MAX_EARLIER_STATES: usize = 100_000;

/// The longest CAR header, in bytes. A header with a single root has 58.
pub const MAX_CAR_HEADER_BYTES: usize = 65_536;

/// The longest length prefix, in bytes: nine carry 63 bits.
pub const MAX_VARINT_BYTES: usize = 9;

/// The time in microseconds that a commit's rev may lie in the future before `verify` reports it.
pub const MAX_CLOCK_DRIFT_MICROS: u64 = 5 * 60 * 1_000_000;

/// The largest integer that every implementation can represent, on either side of zero: 2^53 - 1.
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// The longest DID document, in bytes. Real documents have one or two thousand.
pub const MAX_DID_DOCUMENT_BYTES: usize = 262_144;

/// The longest did:plc operation log, in bytes of JSON: about two thousand operations.
pub const MAX_PLC_LOG_BYTES: usize = 2 * 1_048_576;

/// The most operations in a did:plc log. A directory accepts at most 100 a week, and people make a
/// few in a lifetime.
pub const MAX_PLC_OPERATIONS: usize = 5_000;

/// The largest did:plc operation, in bytes of DAG-CBOR (did:plc specification, "Operation
/// Serialization, Signing, and Validation").
pub const MAX_PLC_OPERATION_BYTES: usize = 7_500;

/// The most rotation keys of a did:plc account that are read. The did:plc specification permits five, but newer
/// directories accept ten.
pub const MAX_PLC_ROTATION_KEYS: usize = 10;

/// The most rotation keys in an operation that is signed here (did:plc specification, "How it works").
pub const MAX_WRITTEN_PLC_ROTATION_KEYS: usize = 5;

/// The largest did:plc operation that is signed here, in bytes of DAG-CBOR. Newer directories accept no larger ones.
pub const MAX_WRITTEN_PLC_OPERATION_BYTES: usize = 4_000;

/// The most verification methods of a did:plc account (did:plc specification, "Changelog").
pub const MAX_PLC_VERIFICATION_METHODS: usize = 10;

/// The time in which a more powerful rotation key can undo an operation: 72 hours, in microseconds
/// (did:plc specification, "Key Rotation & Account Recovery").
pub const PLC_RECOVERY_MICROS: u64 = 72 * 60 * 60 * 1_000_000;

/// The longest message of a log entry, in bytes: a paragraph.
pub const MAX_LOG_MESSAGE_BYTES: usize = 4_096;
