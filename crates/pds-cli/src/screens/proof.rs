//! `pds prove` and `pds verify-proof` on a terminal.

use pds::data::Cid;

use crate::answers::verify_proof::ProofAnswer;
use crate::process::text::rev_text;
use crate::screens::arrived::done;
use crate::terminal::json_lines::json_lines;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::tone::Tone;

/// Returns the lines about a proof that was verified.
pub(crate) fn lines(answer: &ProofAnswer<'_>, path: &str, terminal: &Terminal) -> Vec<Line> {
    let mut lines = presence(answer.cid.0.as_ref(), path, terminal);
    let rev = Line::of(Tone::Bold, &rev_text(answer.commit.rev));
    lines.push(Line::from(format!("  in {} at ", answer.did)).join(rev));
    lines.push(match &answer.signing_key {
        Some(key) => {
            Line::from("  signature ").tone(Tone::Green, "valid").text(&format!(", {key}"))
        }
        None => Line::from("  signature ").tone(Tone::Yellow, "unchecked"),
    });
    if let Some(value) = &answer.value {
        lines.extend(json_lines(value));
    }
    lines
}

/// Returns the statement of a proof that was written. The name of an absent record may be a slip of the finger.
pub(crate) fn written(cid: Option<&Cid>, path: &str, rev: &str, terminal: &Terminal) -> Vec<Line> {
    let mut lines = presence(cid, path, terminal);
    if cid.is_none() {
        let fact = format!("  no such record at {rev}; the proof shows that it does not exist");
        lines.push(Line::of(Tone::Yellow, &fact));
    }
    lines
}

/// Returns whether a record is present, and its CID.
pub(crate) fn presence(cid: Option<&Cid>, path: &str, terminal: &Terminal) -> Vec<Line> {
    let line = done(terminal).text(&format!(" {path} is "));
    match cid {
        Some(cid) => vec![line.text("present"), Line::from("  ").text(&cid.to_string())],
        None => vec![line.tone(Tone::Bold, "absent")],
    }
}
