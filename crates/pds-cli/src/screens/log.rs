//! `pds log` and `pds reflog` on a terminal.

use std::collections::HashMap;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::{Cid, Value};
use pds::store::{Event, LogEntry, RefName};
use pds::syntax::Tid;

use crate::process::output::Output;
use crate::process::text::rev_text;
use crate::records::changes::{Contents, Tally};
use crate::records::record_line::{changed_fields, noun, rank};
use crate::screens::arrived::change_counts;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::counted;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// A commit of the log.
pub(crate) struct Entry<'a> {
    pub(crate) cid: Cid,
    pub(crate) rev: Option<Tid>,
    pub(crate) micros: Option<u64>,
    /// The changes, if they are known.
    pub(crate) tally: Option<&'a Tally>,
    /// Why the changes are unknown.
    pub(crate) note: Option<&'static str>,
    pub(crate) arrival: Option<&'a LogEntry>,
    /// Whether a commit before this one is known.
    pub(crate) has_parent: bool,
}

/// The list of commits: one line for each on a wide terminal, otherwise two.
pub(crate) struct LogScreen {
    terminal: Terminal,
    table: Table,
    /// The second lines of the rows in the table.
    seconds: Vec<Line>,
    shorts: ShortCids,
    refs: RefNames,
}

impl LogScreen {
    pub(crate) fn new(terminal: &Terminal, refs: RefNames) -> Self {
        let left = Column::left();
        let table = Table::new([left, Column::cid(), Column::time(), left, left, left]);
        let (seconds, shorts) = (Vec::new(), ShortCids::default());
        Self { terminal: terminal.clone(), table, seconds, shorts, refs }
    }

    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let time = self.time(entry.micros);
        let first = self.mark(entry.cid, entry.rev);
        let cid = Line::of(Tone::Dim, &self.shorts.short(&entry.cid));
        let (counts, refs) = (counts(entry), self.refs.line(&entry.cid));
        let mut row = vec![first, cid, time, counts, refs];
        let message = self.message(entry);
        if self.terminal.is_wide() {
            row.push(message);
        } else {
            self.seconds.push(message);
        }
        self.table.row(row);
    }

    /// Tells whether so many rows wait that they should be printed.
    pub(crate) fn is_full(&self) -> bool {
        self.table.is_full()
    }

    /// Prints the rows so far. `is_end` tells whether the last one is the last of the log.
    pub(crate) fn print(&mut self, is_end: bool, out: &mut Output) -> Result<()> {
        let rows = self.table.take_lines(&self.terminal);
        let mut seconds = std::mem::take(&mut self.seconds).into_iter().peekable();
        for row in rows {
            out.line(&row)?;
            if let Some(second) = seconds.next() {
                let is_last = is_end && seconds.peek().is_none();
                let rail = if is_last { " " } else { self.terminal.symbol(Symbol::Rail) };
                out.line(&self.terminal.fit(Line::from(rail).text(" ").join(second)))?;
            }
        }
        Ok(())
    }

    /// Prints a commit in one short line.
    pub(crate) fn print_short(&mut self, entry: &Entry<'_>, out: &mut Output) -> Result<()> {
        let cid = Line::of(Tone::Dim, &self.shorts.short(&entry.cid));
        let mut line = cid.text(" ").join(counts(entry)).text(" ");
        line = line.join(self.words(entry.arrival));
        let refs = self.refs.line(&entry.cid);
        if !refs.is_empty() {
            line = line.text("  (").join(refs).text(")");
        }
        out.line(&self.terminal.fit(line))
    }

    fn mark(&self, cid: Cid, rev: Option<Tid>) -> Line {
        let symbol = if self.refs.is_head(&cid) { Symbol::Head } else { Symbol::State };
        let mark = format!("{} ", self.terminal.symbol(symbol));
        Line::from(mark).tone(Tone::Bold, &rev_text(rev))
    }

    fn time(&self, micros: Option<u64>) -> Line {
        micros.map_or_else(|| Line::of(Tone::Dim, "-"), |time| self.terminal.times.relative(time))
    }

    /// Returns the message, with the kinds of the changed records.
    fn message(&mut self, entry: &Entry<'_>) -> Line {
        let mut parts = Vec::new();
        let words = self.words(entry.arrival);
        if let Some(note) = entry.note {
            parts.push(note.to_owned());
        }
        if let Some(tally) =
            entry.tally.filter(|tally| entry.has_parent && tally.counts.total() > 0)
        {
            parts.push(summary(tally));
        }
        let dot = self.terminal.separator();
        match (words.is_empty(), parts.is_empty()) {
            (_, true) => words,
            (true, false) => Line::from(parts.join(dot)),
            (false, false) => words.text(dot).text(&parts.join(dot)),
        }
    }

    fn words(&mut self, arrival: Option<&LogEntry>) -> Line {
        arrival.map_or_else(Line::new, |entry| event_words(entry, &mut self.shorts))
    }
}

fn counts(entry: &Entry<'_>) -> Line {
    match entry.tally {
        Some(tally) => change_counts(tally.counts.each()),
        None => Line::of(Tone::Yellow, "unknown"),
    }
}

/// Returns the message of a log entry, or else its event in a few words.
pub(crate) fn event_words(entry: &LogEntry, shorts: &mut ShortCids) -> Line {
    let about = match &entry.event {
        _ if !entry.message.is_empty() => return Line::from(entry.message.as_str()),
        Event::Merge { other, .. } => format!("merge {}", shorts.short(other)),
        Event::Revert { commit } => format!("revert {}", shorts.short(commit)),
        Event::Rotate { .. } => "rotate the signing key".to_owned(),
        event => event.word().to_owned(),
    };
    Line::from(about)
}

/// Returns the kinds of the changed records: `2 posts, 3 likes, 1 follow`.
fn summary(tally: &Tally) -> String {
    let mut collections: Vec<_> = tally.collections.iter().collect();
    collections.sort_by_key(|(collection, _)| rank(collection.as_str()));
    let mut names: Vec<String> =
        collections.iter().map(|(name, count)| noun(name.as_str(), *count)).collect();
    if names.len() > MOST_NAMES {
        let more = names.split_off(MOST_NAMES).len() as u64;
        names.push(counted(more, "more collection"));
    }
    names.join(", ")
}

/// The names of the refs, by their commits.
pub(crate) struct RefNames {
    head: Option<Cid>,
    names: HashMap<Cid, String>,
}

impl RefNames {
    /// Groups refs by their commits. `HEAD` comes first.
    pub(crate) fn of(mut refs: Vec<(RefName, Cid)>) -> Self {
        refs.sort_by_key(|(name, _)| *name != RefName::head());
        let head = refs.iter().find(|(name, _)| *name == RefName::head()).map(|(_, cid)| *cid);
        let mut names: HashMap<Cid, String> = HashMap::new();
        for (name, cid) in refs {
            let known = names.entry(cid).or_default();
            if !known.is_empty() {
                known.push_str(", ");
            }
            known.push_str(name.as_str());
        }
        Self { head, names }
    }

    fn is_head(&self, cid: &Cid) -> bool {
        self.head.as_ref() == Some(cid)
    }

    /// Returns the refs that point to a commit.
    pub(crate) fn line(&self, cid: &Cid) -> Line {
        self.names.get(cid).map_or_else(Line::new, |names| Line::of(Tone::Cyan, names))
    }
}

/// The versions of a record.
pub(crate) struct VersionScreen {
    log: LogScreen,
    table: Table,
}

impl VersionScreen {
    pub(crate) fn new(terminal: &Terminal, refs: RefNames) -> Self {
        let left = Column::left();
        let table = Table::new([left, Column::cid(), Column::time(), left]);
        Self { log: LogScreen::new(terminal, refs), table }
    }

    /// Adds a version: the commit, the CID of the record after it, and what has changed.
    pub(crate) fn add(&mut self, commit: (Cid, Option<Tid>), record: Option<Cid>, change: Line) {
        let (cid, rev) = commit;
        let time = self.log.time(rev.and_then(Tid::rev_micros));
        let record = record.map_or_else(String::new, |record| self.log.shorts.short(&record));
        self.table.row([self.log.mark(cid, rev), Line::of(Tone::Dim, &record), time, change]);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.table.is_full()
    }

    pub(crate) fn print(&mut self, out: &mut Output) -> Result<()> {
        out.table(&mut self.table)
    }
}

/// Returns what a commit did to a record: `+ added`, `~ text, facets`, `- deleted`.
pub(crate) fn version_change(contents: &Contents, existed: bool, exists: bool) -> Line {
    let fields = |before: &Value, after: &Value| changed_fields(before, after).join(", ");
    match (existed, exists) {
        (false, _) => Line::of(Tone::Green, "+").text(" added"),
        (true, false) => Line::of(Tone::Red, "-").text(" deleted"),
        (true, true) => {
            let sign = Line::of(Tone::Yellow, "~");
            match (&contents.before, &contents.after) {
                (Some(before), Some(after)) => sign.text(" ").text(&fields(before, after)),
                _ => sign.text(" changed"),
            }
        }
    }
}

/// Returns a version whose change is unknown.
pub(crate) fn unknown_version(note: &str) -> Line {
    Line::of(Tone::Yellow, "?").text(" ").tone(Tone::Dim, note)
}

/// The moves of a ref.
pub(crate) struct MoveScreen {
    terminal: Terminal,
    table: Table,
    shorts: ShortCids,
}

impl MoveScreen {
    pub(crate) fn new(terminal: &Terminal) -> Self {
        let left = Column::left();
        let table = Table::new([left, left, Column::cid(), Column::time(), left]);
        Self { terminal: terminal.clone(), table, shorts: ShortCids::default() }
    }

    /// Adds a move. `before` is the commit that the ref pointed to before, if it can be read.
    pub(crate) fn add(
        &mut self,
        number: u64,
        entry: &LogEntry,
        rev: Option<Tid>,
        before: Option<&Commit>,
    ) {
        let name = Line::of(Tone::Cyan, &format!("@{{{number}}}"));
        let rev = Line::of(Tone::Bold, &rev_text(rev));
        let cid = entry.after.map_or_else(String::new, |cid| self.shorts.short(&cid));
        let time = self.terminal.times.relative(entry.at_micros);
        let words = self.words(entry, before);
        self.table.row([name, rev, Line::of(Tone::Dim, &cid), time, words]);
    }

    /// Prints a move in one short line.
    pub(crate) fn print_short(
        &mut self,
        number: u64,
        entry: &LogEntry,
        out: &mut Output,
    ) -> Result<()> {
        let cid = entry.after.map_or_else(|| "-".to_owned(), |cid| self.shorts.short(&cid));
        let name = Line::of(Tone::Cyan, &format!("@{{{number}}}"));
        let line = name.text(" ").tone(Tone::Dim, &cid).text(" ").join(self.words(entry, None));
        out.line(&self.terminal.fit(line))
    }

    fn words(&mut self, entry: &LogEntry, before: Option<&Commit>) -> Line {
        let words = event_words(entry, &mut self.shorts);
        match (&entry.event, before.and_then(Commit::rev)) {
            (Event::Reset, Some(rev)) => words.text(&format!(" from {rev}")),
            _ => words,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.table.is_full()
    }

    pub(crate) fn print(&mut self, out: &mut Output) -> Result<()> {
        out.table(&mut self.table)
    }
}

/// The most kinds of records in a summary.
const MOST_NAMES: usize = 4;
