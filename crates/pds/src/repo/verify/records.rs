//! Checking one record and its path.

use super::{Check, Code, Finding};
use crate::data::{Cid, Codec, DataError, check_record};
use crate::repo::Result;
use crate::syntax::check_record_path;

impl Check<'_> {
    pub(super) fn record(&mut self, key: &[u8], cid: Cid) -> Result<()> {
        let collection = self.path(key);
        let Some(block) = self.read(cid)? else {
            self.missing(Code::RecordMissing, cid, Some(key));
            return Ok(());
        };
        if cid.codec() != Codec::Cbor {
            let message = "the tree names raw bytes, not a record";
            self.add(Finding::new(Code::RecordNotCbor, message).cid(cid).path(key));
            return Ok(());
        }
        match check_record(block.bytes()) {
            Ok(facts) => {
                if facts.has_unsafe_integers {
                    let message = "an integer beyond 2^53, which some implementations cannot hold";
                    self.add(Finding::new(Code::RecordUnsafeInteger, message).cid(cid).path(key));
                }
                match (facts.record_type, collection) {
                    (None, _) => {
                        let message = "the record has no $type";
                        let finding = Finding::new(Code::RecordTypeMissing, message);
                        self.add(finding.cid(cid).path(key));
                    }
                    (Some(found), Some(collection)) if found.as_bytes() != collection => {
                        let shown: String = found.chars().take(MAX_SHOWN).collect();
                        let message = format!("the $type is {shown:?}");
                        let finding = Finding::new(Code::RecordTypeMismatch, message);
                        self.add(finding.cid(cid).path(key));
                    }
                    _ => {}
                }
            }
            Err(error) => {
                let code = match error {
                    DataError::TooLarge { .. } => Code::RecordTooLarge,
                    DataError::Model { .. } => Code::RecordModel,
                    _ => Code::RecordUndecodable,
                };
                self.add(Finding::new(code, error.to_string()).cid(cid).path(key));
            }
        }
        Ok(())
    }

    /// Checks a path and returns its collection.
    fn path<'k>(&mut self, key: &'k [u8]) -> Option<&'k [u8]> {
        if let Err(error) = check_record_path(key) {
            self.add(Finding::new(Code::PathInvalid, error.reason).path(key));
            return None;
        }
        let collection = key.split(|byte| *byte == b'/').next()?;
        let authority_end = collection.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
        let (authority, _) = collection.split_at(authority_end);
        if authority.iter().any(u8::is_ascii_uppercase) {
            let message = "the authority of the collection is not in lower case";
            self.add(Finding::new(Code::PathNotNormalized, message).path(key));
        }
        Some(collection)
    }
}

const MAX_SHOWN: usize = 64;
