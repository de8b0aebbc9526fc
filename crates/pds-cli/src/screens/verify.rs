//! `pds verify` on a terminal.

use std::path::Path;
use std::time::Duration;

use pds::data::BlobRef;
use pds::{Code, Finding, Report, Severity, SignatureState, Stage, Subject};

use crate::process::text::{did_text, rev_text};
use crate::screens::arrived::{fact_lines, one_or_two};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::{folded, folded_after};
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns a finding: one line on a wide terminal, otherwise two.
pub(crate) fn finding(finding: &Finding, terminal: &Terminal) -> Vec<Line> {
    let (symbol, tone) = match finding.severity() {
        Severity::Error => (terminal.symbol(Symbol::Cross), Tone::Red),
        Severity::Warning => ("!", Tone::Yellow),
        Severity::Note => (terminal.symbol(Symbol::Dot), Tone::Dim),
    };
    let severity = Line::of(tone, &format!("{symbol} {}", finding.severity().as_str()));
    let code = Line::from(finding.code().as_str()).padded(CODE_COLUMNS);
    let mut head = severity.padded(SEVERITY_COLUMNS).join(code);
    let mut shorts = ShortCids::default();
    finding.cid.iter().for_each(|cid| shorts.note(cid));
    shorts.note_all(&finding.message);
    head = head.text("  ").text(&place(finding, &mut shorts));
    let width = terminal.width();
    let message = sentence(finding, &mut shorts);
    if terminal.is_wide() && head.width() + 2 + message.chars().count() <= width {
        return vec![head.text("  ").tone(Tone::Dim, &message)];
    }
    let mut lines = vec![terminal.fit(head)];
    let indent = " ".repeat(SEVERITY_COLUMNS);
    let parts = folded(&message, width.saturating_sub(SEVERITY_COLUMNS), "");
    let line = |part: &String| terminal.fit(Line::from(&*indent).tone(Tone::Dim, part));
    lines.extend(parts.iter().map(line));
    lines
}

/// Returns the sentence of a finding, with its place in the file and the blob that the record describes.
fn sentence(finding: &Finding, shorts: &mut ShortCids) -> String {
    let message = shorts.within(&finding.message);
    let message = match (&finding.subject, &finding.cid) {
        (Some(Subject::Blob(BlobRef { mime_type, size_bytes, .. })), Some(cid)) => {
            let claimed = size_bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
            let blob = format!("blob {} ({mime_type}{claimed})", shorts.short(cid));
            match finding.code() {
                Code::BlobMissing => format!("{blob} is not stored"),
                _ => format!("{blob}: {message}"),
            }
        }
        _ => message,
    };
    match finding.offset {
        // Without a block, the place is the byte.
        Some(offset) if finding.path.is_some() || finding.cid.is_some() => {
            format!("at byte {}: {message}", count(offset))
        }
        _ => message,
    }
}

/// Returns the record, the block or the byte that a finding is about.
fn place(finding: &Finding, shorts: &mut ShortCids) -> String {
    match (&finding.path, &finding.cid, finding.offset) {
        (Some(path), ..) => path.clone(),
        (None, Some(cid), _) => {
            let kind = match finding.stage() {
                Stage::Commit | Stage::Signature => "commit",
                Stage::Blob => "blob",
                _ => "block",
            };
            match finding.subject {
                Some(Subject::Block(of)) => format!("{kind} {} ({of})", shorts.short(cid)),
                _ => format!("{kind} {}", shorts.short(cid)),
            }
        }
        (None, None, Some(offset)) => format!("byte {}", count(offset)),
        (None, None, None) => finding.stage().as_str().to_owned(),
    }
}

/// Returns the verdict, the counts and the signature.
pub(crate) fn summary(report: &Report, checked: &Checked<'_>, terminal: &Terminal) -> Vec<Line> {
    let mut lines = Vec::new();
    if checked.has_findings {
        lines.push(Line::new());
    }
    let verdict = verdict(report, terminal);
    let Some(commit) = &report.commit else {
        lines.push(verdict.text("   no readable repository"));
        return lines;
    };
    // The wrong signature is the only error.
    if report.signature == SignatureState::Invalid && report.errors == 1 && !checked.is_damaged {
        let records = counted(report.records, "record");
        let text = format!("the tree and all {records} are intact; the signature is not");
        lines.extend(folded_after(verdict.text("   "), &text, terminal.width()));
        return lines;
    }
    let (rev, did) = (rev_text(commit.rev()), did_text(commit.known_did()));
    let at = Line::from(did).text(" at ").tone(Tone::Bold, &rev);
    lines.extend(one_or_two(verdict, "   ", at, terminal));
    lines.extend(fact_lines(facts(report, checked).map(Line::from), terminal));
    if report.is_ok() {
        lines.extend(signature(report, checked.key, terminal));
    }
    lines
}

/// The surroundings of a check.
pub(crate) struct Checked<'a> {
    pub(crate) has_findings: bool,
    /// A part of the data has an error.
    pub(crate) is_damaged: bool,
    /// A blob is missing.
    pub(crate) lacks_blobs: bool,
    /// The keys of the account are known for every time.
    pub(crate) has_log: bool,
    /// The key that the signature was checked with.
    pub(crate) key: Option<&'a str>,
    pub(crate) took: Duration,
}

/// Returns the next step after a check. `file` is the file that was checked, if it was one.
pub(crate) fn hint(report: &Report, file: Option<&Path>, checked: &Checked<'_>) -> Option<String> {
    let Checked { is_damaged, has_log, .. } = *checked;
    if checked.lacks_blobs {
        return Some("pds blob missing lists what to fetch".to_owned());
    }
    if let Some(file) = file.filter(|_| is_damaged || (!report.is_ok() && !report.is_complete())) {
        let name = file.to_str().filter(|name| is_plain(name)).unwrap_or("FILE");
        return Some(match is_damaged {
            true => format!("pds recover {name} reads what is left; see also pds help findings"),
            false => format!(
                "the file is a part of a repository; pds verify-proof {name} PATH checks a proof, pds verify {name} \
                 --partial a slice"
            ),
        });
    }
    let hint = match (&report.commit, report.signature) {
        (Some(_), SignatureState::Invalid) if !has_log => {
            "the key may have changed; try pds verify --plc-log FILE"
        }
        (Some(_), SignatureState::Unchecked) => {
            "--did-doc FILE, --key KEY or --plc-log FILE checks the signature"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Tells whether a shell reads a name as it is written.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    !name.starts_with('-') && name.chars().all(is_plain)
}

fn verdict(report: &Report, terminal: &Terminal) -> Line {
    if !report.is_ok() {
        return Line::of(Tone::Red, &format!("{} not valid", terminal.symbol(Symbol::Cross)));
    }
    let mark = format!("{} valid", terminal.symbol(Symbol::Check));
    match report.warnings {
        0 => Line::of(Tone::Green, &mark),
        warnings => Line::of(Tone::Green, &mark)
            .text(" with ")
            .tone(Tone::Yellow, &counted(warnings, "warning")),
    }
}

/// Returns the counts, and what else is known of the whole.
fn facts(report: &Report, checked: &Checked<'_>) -> impl Iterator<Item = String> {
    let commits = (report.commits > 0).then(|| counted(report.commits, "commit"));
    if report.is_ok() {
        let blocks = [
            counted(report.records, "record"),
            counted(report.nodes, "node"),
            counted(report.blocks, "block"),
        ];
        let blobs = (report.blobs > 0).then(|| counted(report.blobs, "blob"));
        let all: Vec<String> = commits.into_iter().chain(blocks).chain(blobs).collect();
        let whole = if report.is_complete() { "complete" } else { "partial" };
        let took = format!("{:.2} s", checked.took.as_secs_f64());
        let facts = [Some(all.join(", ")), Some(whole.to_owned()), Some(took), None];
        return facts.into_iter().flatten();
    }
    let mut faults = counted(report.errors, "error");
    if report.warnings > 0 {
        faults += &format!(", {}", counted(report.warnings, "warning"));
    }
    let readable = report.records.saturating_sub(report.unreadable_records);
    // Below a missing node, the number of records is unknown.
    let readable = match report.missing_nodes + report.unreadable {
        0 => format!("{} of {} readable", count(readable), counted(report.records, "record")),
        _ => format!("{} readable", counted(readable, "record")),
    };
    let signature = match report.signature {
        SignatureState::Valid => "signature valid",
        SignatureState::Invalid => "signature invalid",
        SignatureState::Unchecked => "signature unchecked",
    };
    let facts = [Some(faults), commits, Some(readable), Some(signature.to_owned())];
    facts.into_iter().flatten()
}

fn signature(report: &Report, key: Option<&str>, terminal: &Terminal) -> Vec<Line> {
    let label = Line::from("  signature ");
    match (report.signature, key) {
        (SignatureState::Valid, Some(key)) => {
            let label = label.tone(Tone::Green, "valid").text(",");
            one_or_two(label, " ", Line::from(key), terminal)
        }
        (SignatureState::Valid, None) => vec![label.tone(Tone::Green, "valid")],
        (SignatureState::Invalid, _) => vec![label.tone(Tone::Red, "invalid")],
        (SignatureState::Unchecked, _) => {
            vec![label.tone(Tone::Yellow, "unchecked").text(": no key is known")]
        }
    }
}

const SEVERITY_COLUMNS: usize = 11;

const CODE_COLUMNS: usize = 17;
