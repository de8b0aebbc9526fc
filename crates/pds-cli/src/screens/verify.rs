//! `pds verify` on a terminal.

use std::path::Path;
use std::time::Duration;

use pds::{Finding, Report, Severity, SignatureState, Stage};

use crate::process::text::{did_text, rev_text};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded;
use crate::terminal::numbers::{count, counted};
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
    let (width, cut) = (terminal.width(), terminal.symbol(Symbol::Cut));
    let message = shorts.within(&finding.message);
    let message = match finding.offset {
        // Without a block, the place is the byte.
        Some(offset) if finding.path.is_some() || finding.cid.is_some() => {
            format!("at byte {}: {message}", count(offset))
        }
        _ => message,
    };
    if terminal.is_wide() && head.width() + 2 + message.chars().count() <= width {
        return vec![head.text("  ").tone(Tone::Dim, &message)];
    }
    let mut lines = vec![head.cut(width, cut)];
    let indent = " ".repeat(SEVERITY_COLUMNS);
    lines.extend(
        folded(&message, width.saturating_sub(SEVERITY_COLUMNS), "")
            .into_iter()
            .map(|part| Line::from(indent.as_str()).tone(Tone::Dim, &part)),
    );
    lines
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
            format!("{kind} {}", shorts.short(cid))
        }
        (None, None, Some(offset)) => format!("byte {}", count(offset)),
        (None, None, None) => finding.stage().as_str().to_owned(),
    }
}

/// Returns the verdict, the counts and the signature.
pub(crate) fn summary(
    report: &Report,
    has_findings: bool,
    key: Option<&str>,
    took: Duration,
    terminal: &Terminal,
) -> Vec<Line> {
    let mut lines = Vec::new();
    if has_findings {
        lines.push(Line::new());
    }
    let Some(commit) = &report.commit else {
        let mark = format!("{} not valid", terminal.symbol(Symbol::Cross));
        lines.push(Line::of(Tone::Red, &mark).text("   no readable repository"));
        return lines;
    };
    let (rev, did) = (rev_text(commit.rev()), did_text(commit.known_did()));
    lines
        .push(verdict(report, terminal).text("   ").text(&did).text(" at ").tone(Tone::Bold, &rev));
    let facts = folded(&facts(report, took, terminal), terminal.width().saturating_sub(2), "");
    lines.extend(facts.iter().map(|part| Line::from("  ").text(part)));
    lines.push(Line::from("  signature ").join(signature(report, key)));
    lines
}

/// Returns the next step after a check. `file` is the file that was checked, if it was one.
pub(crate) fn hint(
    report: &Report,
    file: Option<&Path>,
    is_damaged: bool,
    has_log: bool,
) -> Option<String> {
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

fn facts(report: &Report, took: Duration, terminal: &Terminal) -> String {
    let dot = format!(" {} ", terminal.symbol(Symbol::Dot));
    let mut counts = Vec::new();
    if report.errors > 0 {
        counts.push(format!(
            "{}, {}",
            counted(report.errors, "error"),
            counted(report.warnings, "warning")
        ));
    }
    let commits = (report.commits > 0).then(|| counted(report.commits, "commit"));
    let blocks = [
        counted(report.records, "record"),
        counted(report.nodes, "node"),
        counted(report.blocks, "block"),
    ];
    let all: Vec<String> = commits.into_iter().chain(blocks).collect();
    counts.push(all.join(", "));
    counts.push(if report.is_complete() { "complete" } else { "partial" }.to_owned());
    counts.push(format!("{:.2} s", took.as_secs_f64()));
    counts.join(&dot)
}

fn signature(report: &Report, key: Option<&str>) -> Line {
    let by = key.map(|key| format!(", {key}")).unwrap_or_default();
    match report.signature {
        SignatureState::Valid => Line::of(Tone::Green, "valid").text(&by),
        SignatureState::Invalid => Line::of(Tone::Red, "invalid"),
        SignatureState::Unchecked => Line::of(Tone::Yellow, "unchecked").text(": no key is known"),
    }
}

const SEVERITY_COLUMNS: usize = 11;

const CODE_COLUMNS: usize = 17;
