//! The answer of `pds verify`.

use std::fmt;

use pds::commit::Commit;
use pds::data::Cid;
use pds::syntax::Did;
use pds::{Finding, Report, SignatureState};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::process::text::{counted_plain, did_text, rev_text};

/// A finding in JSON.
#[derive(serde::Serialize)]
pub(crate) struct FindingRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<Cid>,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    severity: &'static str,
    stage: &'static str,
}

impl From<Finding> for FindingRow {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code().as_str(),
            severity: finding.severity().as_str(),
            stage: finding.stage().as_str(),
            cid: finding.cid,
            message: finding.message,
            offset: finding.offset,
            path: finding.path,
        }
    }
}

/// The report; as text, the findings were printed before it.
pub(crate) struct VerifyAnswer<'a> {
    pub(crate) report: &'a Report,
    pub(crate) findings: &'a [FindingRow],
    /// The number of findings that were not kept.
    pub(crate) left_out: u64,
}

impl Serialize for VerifyAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, findings, left_out } = self;
        let commit = report.commit.as_ref();
        let rev = commit.and_then(Commit::rev).map(|rev| rev.to_string());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("blocks", &report.blocks)?;
        map.serialize_entry("commit", &commit.map(Commit::cid))?;
        if report.commits > 0 {
            map.serialize_entry("commits", &report.commits)?;
        }
        map.serialize_entry("complete", &report.is_complete())?;
        map.serialize_entry("data", &commit.map(Commit::data))?;
        map.serialize_entry("did", &commit.and_then(Commit::known_did).map(Did::as_str))?;
        map.serialize_entry("findings", findings)?;
        if *left_out > 0 {
            map.serialize_entry("findingsLeftOut", left_out)?;
        }
        map.serialize_entry("nodes", &report.nodes)?;
        map.serialize_entry("ok", &report.is_ok())?;
        map.serialize_entry("records", &report.records)?;
        map.serialize_entry("rev", &rev)?;
        map.serialize_entry("signature", signature(report))?;
        map.serialize_entry(
            "version",
            &commit.filter(|it| it.is_well_formed("version")).map(Commit::version),
        )?;
        map.end()
    }
}

impl fmt::Display for VerifyAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        f.write_str(if report.is_ok() { "ok" } else { "FAILED" })?;
        let Some(commit) = &report.commit else {
            return f.write_str(": no readable repository");
        };
        write!(f, ": {} rev {}, ", did_text(commit.known_did()), rev_text(commit.rev()))?;
        if report.commits > 0 {
            write!(f, "{}, ", counted_plain(report.commits, "commit"))?;
        }
        write!(
            f,
            "{}, {}, {}, {}, signature {}, {}, {}",
            counted_plain(report.records, "record"),
            counted_plain(report.nodes, "node"),
            counted_plain(report.blocks, "block"),
            if report.is_complete() { "complete" } else { "partial" },
            signature(report),
            counted_plain(report.errors, "error"),
            counted_plain(report.warnings, "warning"),
        )
    }
}

fn signature(report: &Report) -> &'static str {
    match report.signature {
        SignatureState::Valid => "valid",
        SignatureState::Invalid => "invalid",
        SignatureState::Unchecked => "unchecked",
    }
}
