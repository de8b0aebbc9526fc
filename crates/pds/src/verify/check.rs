//! The checks of commits, paths and records, independent of the source of the bytes.

use pds_store::error::damage;
use std::collections::HashMap;

use crate::clock::{now_micros, time_text};
use crate::error::Result;
use crate::model::finding::{Code, Finding, Severity};
use crate::model::progress::StepKind;
use crate::model::report::{Expected, Report, SignatureState};
use crate::verify::noted_blobs::NotedBlobs;
use crate::verify::signed_with::signed_with;
use crate::verify::verdict::Verdict;
use pds_core::commit::{Commit, CommitError, Deviation};
use pds_core::crypto::error::CryptoError;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, BlockRef, Blocks, ReadError, get_all};
use pds_core::data::block_kind::BlockKind;
use pds_core::data::cid::Cid;
use pds_core::data::limits::{MAX_CLOCK_DRIFT_MICROS, MAX_NESTING};
use pds_core::data::record_check::blobs_in;
use pds_core::identity::key_history::{KeyError, KeyHistory};
use pds_core::mst::contents::{Content, LARGE_BYTES};
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::syntax::record_path::check_record_path;
use pds_core::syntax::tid::Tid;

/// The counts of a verification, and its unreported findings.
pub(crate) struct Check<'a> {
    expected: &'a Expected<'a>,
    pub(crate) report: Report,
    pending: Vec<Finding>,
    /// The number of records in each collection, in the order of the paths. `None` if the caller does not need it.
    pub(crate) collections: Option<Vec<(String, u64)>>,
    /// The blobs that records refer to. `None` if the caller does not need them.
    pub(crate) blobs: Option<NotedBlobs>,
    /// Verdicts on large records, which many paths may name.
    large: HashMap<Cid, Verdict<'static>>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(expected: &'a Expected<'a>) -> Self {
        let (report, pending, large) = (Report::default(), Vec::new(), HashMap::new());
        Self { expected, report, pending, collections: None, blobs: None, large }
    }

    /// Starts with a commit that has been read.
    pub(crate) fn of(commit: &Commit, expected: &'a Expected<'a>) -> Self {
        let mut check = Self::new(expected);
        check.commit(commit);
        check
    }

    /// Counts the records of each collection, and collects the blobs that records refer to.
    pub(crate) fn for_import(self) -> Self {
        Self { collections: Some(Vec::new()), blobs: Some(NotedBlobs::default()), ..self }
    }

    /// Returns the findings since the last call.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Finding> + '_ {
        self.pending.drain(..)
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.report.count(&finding);
        self.pending.push(finding);
    }

    /// Reads and checks the commit that the source is asked for.
    pub(crate) fn read_commit(&mut self, blocks: &dyn Blocks, cid: Cid) -> Result<Option<Commit>> {
        let Some(block) = self.or_damage(blocks.get(&cid), BlockKind::Commit)? else {
            let message = format!("the commit {cid} is missing");
            self.add(Finding::new(Code::CommitMissing, message).cid(cid));
            return Ok(None);
        };
        // A malformed field does not hide the tree and the records.
        match Commit::decode_with_faults(&block) {
            Ok(commit) => {
                self.commit(&commit);
                Ok(Some(commit))
            }
            Err(error) => {
                self.add(no_commit(cid, &error));
                Ok(None)
            }
        }
    }

    /// Checks the next step of a walk, and returns its block, if the block is stored.
    pub(crate) fn content(&mut self, content: Result<Content, MstError>) -> Result<Option<Block>> {
        match content {
            Ok(Content::Node(block)) => {
                self.report.nodes += 1;
                return Ok(Some(block));
            }
            Ok(Content::Record { key, value, found }) => {
                let block = self.or_damage(found, BlockKind::Record)?;
                match &block {
                    Some(block) => self.record_block(&key, block),
                    None => {
                        self.unseen(key.as_bytes());
                        self.missing(Code::RecordMissing, value, Some(key.as_bytes()));
                    }
                }
                return Ok(block);
            }
            Ok(Content::Again { key, value }) => {
                if let Some(verdict) = self.large.remove(&value) {
                    self.record(key.as_bytes(), value, &verdict);
                    self.large.insert(value, verdict);
                }
            }
            Err(error) => self.no_subtree(error)?,
        }
        Ok(None)
    }

    /// Reads and checks a record; a large one is read only once.
    pub(crate) fn read_record(&mut self, key: Key, cid: Cid, blocks: &dyn Blocks) -> Result<()> {
        let content = if self.large.contains_key(&cid) {
            Content::Again { key, value: cid }
        } else {
            Content::Record { key, value: cid, found: blocks.get(&cid) }
        };
        self.content(Ok(content)).map(drop)
    }

    /// Reads and checks records, many in one round trip; a large one is read only once.
    pub(crate) fn read_records(
        &mut self,
        records: Vec<(Key, Cid)>,
        blocks: &dyn Blocks,
    ) -> Result<()> {
        let is_new = |(_, cid): &&(Key, Cid)| !self.large.contains_key(cid);
        let new: Vec<Cid> = records.iter().filter(is_new).map(|(_, cid)| *cid).collect();
        let mut answers = new.iter().zip(get_all(blocks, &new)).peekable();
        for (key, value) in records {
            let content = match answers.next_if(|(cid, _)| **cid == value) {
                Some((_, found)) => Content::Record { key, value, found },
                None => Content::Again { key, value },
            };
            self.content(Ok(content))?;
        }
        Ok(())
    }

    /// Checks the bytes of a record.
    pub(crate) fn record_bytes<'b>(&mut self, key: &[u8], block: BlockRef<'b>) -> Verdict<'b> {
        let verdict = Verdict::on(block.cid(), block.bytes());
        self.record(key, block.cid(), &verdict);
        if let Some(blobs) = &mut self.blobs
            && verdict.may_have_blobs()
            && let Ok(found) = blobs_in(block.bytes())
        {
            blobs.add(found.into_iter().map(|blob| blob.cid));
        }
        verdict
    }

    fn record_block(&mut self, key: &Key, block: &Block) {
        let verdict = self.record_bytes(key.as_bytes(), block.borrowed());
        if block.bytes().len() >= LARGE_BYTES {
            self.large.insert(block.cid(), verdict.into_owned());
        }
    }

    /// Reports a subtree that cannot be entered.
    fn no_subtree(&mut self, error: MstError) -> Result<()> {
        let finding = match error {
            MstError::Missing { cid } => {
                self.missing(Code::NodeMissing, cid, None);
                return Ok(());
            }
            MstError::Read(error) => {
                let cid = error.cid();
                self.or_damage(Err(error), BlockKind::Node)?;
                return self.no_subtree(MstError::Missing { cid });
            }
            MstError::Undecodable { cid, source } => {
                Finding::new(Code::NodeUndecodable, source.to_string()).cid(cid)
            }
            MstError::Invalid { cid, reason } => Finding::new(Code::NodeInvalid, reason).cid(cid),
            error => Finding::new(Code::NodeInvalid, error.to_string()),
        };
        self.report.unreadable += 1;
        self.add(finding);
        Ok(())
    }

    /// Passes on what was read; damage is a finding.
    fn or_damage(
        &mut self,
        found: Result<Option<Block>, ReadError>,
        kind: BlockKind,
    ) -> Result<Option<Block>> {
        match found {
            Ok(block) => Ok(block),
            Err(error) => match damage(&error) {
                Some(message) => {
                    let finding = Finding::new(Code::BlockDamaged, message).cid(error.cid());
                    self.add(finding.block_kind(Some(kind)));
                    Ok(None)
                }
                None => Err(error.into()),
            },
        }
    }

    fn missing(&mut self, code: Code, cid: Cid, path: Option<&[u8]>) {
        self.report.missing += 1;
        let message = format!("block {cid} is missing");
        let finding = Finding::new(code, message).cid(cid).maybe_path(path);
        let expected_part = self.expected.partial;
        self.add(if expected_part { finding.with_severity(Severity::Note) } else { finding });
    }

    pub(crate) fn commit(&mut self, commit: &Commit) {
        let cid = commit.cid();
        for fault in commit.faults() {
            self.add(Finding::new(Code::CommitField, fault.to_string()).cid(cid));
        }
        if let Some(expected) = self.expected.did
            && let Some(found) = commit.known_did()
            && expected != found
        {
            let message = format!("the account is {found}, expected {expected}");
            self.add(Finding::new(Code::DidMismatch, message).cid(cid));
        }
        for deviation in commit.deviations() {
            let (code, message) = match deviation {
                Deviation::Version2 => (Code::CommitVersion2, "a commit of version 2".to_owned()),
                Deviation::PrevMissing => {
                    (Code::CommitPrevMissing, "the field prev is missing".to_owned())
                }
                Deviation::UnknownField(name) => {
                    (Code::CommitUnknownField, format!("unknown field {name:?}"))
                }
            };
            self.add(Finding::new(code, message).cid(cid));
        }
        if let Some(rev) = commit.rev() {
            self.rev(rev, cid);
        }
        self.report.signature = match (self.expected.keys, self.expected.key) {
            // The malformed field is reported already.
            (Some(_), _) | (_, Some(_)) if !commit.is_well_formed("sig") => SignatureState::Invalid,
            (Some(keys), _) => self.signature_in_time(commit, keys),
            (None, Some(key)) => match commit.verify(key) {
                Ok(()) => SignatureState::Valid,
                Err(error) => self.not_signed(cid, key, &error),
            },
            (None, None) => return,
        };
    }

    /// Checks that a commit is signed with the key that was valid at its rev.
    fn signature_in_time(&mut self, commit: &Commit, keys: &KeyHistory) -> SignatureState {
        let cid = commit.cid();
        let signed = keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature());
        match signed {
            Ok(period) => {
                if let Some(key) = &period.key {
                    self.add(signed_with(key, period, commit.rev(), keys).cid(cid));
                }
                SignatureState::Valid
            }
            Err(error) => {
                let code = match &error {
                    KeyError::AnotherTime { .. } => Code::KeyOfAnotherTime,
                    KeyError::Invalid { source, .. } => of_signature(source),
                    _ => Code::KeyUnknown,
                };
                let message = match &error {
                    KeyError::Invalid { source, .. } => format!("{source}; {error}"),
                    error => error.to_string(),
                };
                self.add(Finding::new(code, message).cid(cid));
                SignatureState::Invalid
            }
        }
    }

    fn not_signed(&mut self, cid: Cid, key: &PublicKey, error: &CryptoError) -> SignatureState {
        let code = of_signature(error);
        self.add(Finding::new(code, format!("{error}; the expected key is {key}")).cid(cid));
        SignatureState::Invalid
    }

    fn rev(&mut self, rev: Tid, cid: Cid) {
        let now = self.expected.now_micros.unwrap_or_else(now_micros);
        if rev.micros() > now.saturating_add(MAX_CLOCK_DRIFT_MICROS) {
            let [then, now] = [rev.micros(), now].map(time_text);
            let message =
                format!("rev {rev} is from {then}, but the clock of this machine shows {now}");
            let finding = Finding::new(Code::RevInFuture, message).cid(cid);
            let is_accepted = self.expected.accept_clock;
            self.add(if is_accepted { finding.with_severity(Severity::Warning) } else { finding });
        }
    }

    /// Checks the path of a record, and reports the verdict on its bytes.
    pub(crate) fn record(&mut self, key: &[u8], cid: Cid, verdict: &Verdict<'_>) {
        self.report.records += 1;
        self.expected.progress.one(StepKind::Records);
        let collection = self.path(key);
        let mut odd = |code, message: String| {
            self.add(Finding::new(code, message).cid(cid).path(key));
        };
        match verdict {
            Verdict::Record { record_type, has_unsafe_integers, deep, .. } => {
                if let Some(levels) = deep {
                    let message = format!(
                        "nested {levels} levels deep; more than {MAX_NESTING} are kept, and are not decoded or printed"
                    );
                    odd(Code::RecordDeep, message);
                }
                if *has_unsafe_integers {
                    let message = "an integer beyond 2^53 - 1, which some software cannot hold";
                    odd(Code::RecordUnsafeInteger, message.to_owned());
                }
                match (record_type, collection) {
                    (None, _) => odd(Code::RecordTypeMissing, "the record has no $type".to_owned()),
                    (Some(found), Some(collection)) if found.as_bytes() != collection => {
                        let shown: String = found.chars().take(MAX_SHOWN).collect();
                        odd(Code::RecordTypeMismatch, format!("the $type is {shown:?}"));
                    }
                    _ => {}
                }
            }
            Verdict::Wrong(code, message) => odd(*code, message.clone()),
        }
    }

    /// Counts a record that is missing.
    fn unseen(&mut self, key: &[u8]) {
        self.report.records += 1;
        self.path(key);
    }

    fn count(&mut self, key: &[u8]) {
        let Some(collections) = &mut self.collections else { return };
        let collection = key.split(|byte| *byte == b'/').next().unwrap_or_default();
        match collections.last_mut() {
            Some((last, count)) if last.as_bytes() == collection => *count += 1,
            _ => collections.push((collection.escape_ascii().to_string(), 1)),
        }
    }

    /// Checks a path and returns its collection.
    fn path<'k>(&mut self, key: &'k [u8]) -> Option<&'k [u8]> {
        self.count(key);
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

/// Returns the code of a signature that does not fit.
fn of_signature(error: &CryptoError) -> Code {
    match error {
        CryptoError::HighS { .. } => Code::SignatureHighS,
        _ => Code::SignatureInvalid,
    }
}

/// Returns the finding for a block that is not a commit.
pub(crate) fn no_commit(cid: Cid, error: &CommitError) -> Finding {
    let (code, message) = match error {
        CommitError::Undecodable { source, .. } => (Code::CommitUndecodable, source.to_string()),
        CommitError::NotACommit { .. } => (Code::NotACommit, "the root is not a commit".to_owned()),
        CommitError::Field { field, reason, .. } => {
            (Code::CommitField, format!("{field}: {reason}"))
        }
        error => (Code::CommitUndecodable, error.to_string()),
    };
    Finding::new(code, message).cid(cid)
}

const MAX_SHOWN: usize = 64;
