//! References from records to blobs: their type and its two encodings.

use crate::data::cid::{Cid, Codec};
use crate::data::value::Value;

/// A reference to a blob: its CID, media type and size.
///
/// The typed form is `{"$type": "blob", "ref": link, "mimeType": text, "size": integer}`. The
/// legacy form of old records is `{"cid": text, "mimeType": text}`, without a size. (Specification
/// "Data Model", section "Blob Type".)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// The CID of the blob.
    pub cid: Cid,
    /// The media type, as the author of the record wrote it.
    pub mime_type: String,
    /// The size in bytes, or `None` in the legacy form.
    pub size_bytes: Option<u64>,
}

impl BlobRef {
    /// Returns the reference that a value contains in either form, or `None` if the value is no
    /// blob reference.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        let map = value.as_map()?;
        let mime_type = map.get("mimeType")?.as_text()?.to_owned();
        if map.get("$type").and_then(Value::as_text) == Some("blob") {
            let Value::Link(cid) = map.get("ref")? else {
                return None;
            };
            let size = u64::try_from(map.get("size")?.as_int()?).ok()?;
            return Some(Self { cid: *cid, mime_type, size_bytes: Some(size) });
        }
        if map.len() != 2 {
            return None;
        }
        let cid: Cid = map.get("cid")?.as_text()?.parse().ok()?;
        (cid.codec() == Codec::Raw).then_some(Self { cid, mime_type, size_bytes: None })
    }

    /// Returns the typed form, or the legacy form if the size is unknown.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mime_type = Value::from(self.mime_type.as_str());
        match self.size_bytes.and_then(|size| i64::try_from(size).ok()) {
            Some(size) => Value::from([
                ("$type", Value::from("blob")),
                ("ref", Value::Link(self.cid)),
                ("mimeType", mime_type),
                ("size", Value::Int(size)),
            ]),
            None => {
                Value::from([("cid", Value::from(self.cid.to_string())), ("mimeType", mime_type)])
            }
        }
    }
}

impl Value {
    /// Iterates over all blob references in this value, in canonical order. They are typed
    /// references and maps of the legacy shape. Other maps of that shape are included: they look
    /// the same.
    pub fn blobs(&self) -> impl Iterator<Item = BlobRef> {
        self.parts().filter_map(BlobRef::from_value)
    }
}
