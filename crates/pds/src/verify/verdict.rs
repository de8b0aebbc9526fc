//! The verdict on the bytes of a record.

use std::borrow::Cow;

use crate::model::finding::Code;
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::error::DataError;
use pds_core::data::limits::MAX_NESTING;
use pds_core::data::record_check::{RecordFacts, check_record};

/// The verdict on the bytes of a record, independent of its path.
#[derive(Clone)]
pub(crate) enum Verdict<'a> {
    /// A valid record. The type may be cut after the length of the longest collection.
    Record {
        record_type: Option<Cow<'a, str>>,
        has_unsafe_integers: bool,
        /// Whether the record may refer to blobs.
        may_have_blobs: bool,
        /// The number of levels, if they are too many to be decoded.
        deep: Option<usize>,
    },
    /// An invalid record, with the reason.
    Wrong(Code, String),
}

impl<'a> Verdict<'a> {
    pub(crate) fn on(cid: Cid, bytes: &'a [u8]) -> Self {
        if cid.codec() != Codec::Cbor {
            let message = "the tree names raw bytes, not a record";
            return Self::Wrong(Code::RecordNotCbor, message.to_owned());
        }
        match check_record(bytes) {
            Ok(facts @ RecordFacts { record_type, has_unsafe_integers, nesting, .. }) => {
                let record_type = record_type.map(Cow::Borrowed);
                let deep = Some(nesting).filter(|nesting| *nesting > MAX_NESTING);
                let may_have_blobs = facts.has_media_types;
                Self::Record { record_type, has_unsafe_integers, may_have_blobs, deep }
            }
            Err(error) => {
                let code = match error {
                    DataError::TooLarge { .. } => Code::RecordTooLarge,
                    DataError::Model { .. } => Code::RecordModel,
                    _ => Code::RecordUndecodable,
                };
                Self::Wrong(code, error.to_string())
            }
        }
    }

    /// Returns whether the record may refer to blobs. An invalid record may.
    pub(crate) fn may_have_blobs(&self) -> bool {
        matches!(self, Self::Record { may_have_blobs: true, .. } | Self::Wrong(..))
    }

    /// Makes the verdict on a valid record of this type, whose blobs are not needed.
    pub(crate) fn of_type(name: &'a str) -> Self {
        let record_type = Some(Cow::Borrowed(name));
        Self::Record { record_type, has_unsafe_integers: false, may_have_blobs: false, deep: None }
    }

    /// Returns the type of a record without findings.
    pub(crate) fn faultless_type(&self) -> Option<&str> {
        match self {
            Self::Record {
                record_type: Some(name),
                has_unsafe_integers: false,
                deep: None,
                ..
            } => Some(name).filter(|name| name.len() <= MAX_TYPE_CHARS).map(Cow::as_ref),
            _ => None,
        }
    }

    /// Returns a verdict that does not borrow the bytes.
    pub(crate) fn into_owned(self) -> Verdict<'static> {
        match self {
            Self::Wrong(code, message) => Verdict::Wrong(code, message),
            Self::Record { record_type, has_unsafe_integers, may_have_blobs, deep } => {
                let short = |name: Cow<'_, str>| name.chars().take(MAX_TYPE_CHARS).collect();
                let record_type = record_type.map(short);
                Verdict::Record { record_type, has_unsafe_integers, may_have_blobs, deep }
            }
        }
    }
}

/// The greatest length of a kept type, longer than any collection.
const MAX_TYPE_CHARS: usize = 320;
