//! Changed records on a terminal: `pds diff`, and `pds show` about a commit.

use anyhow::Result;
use pds::RecordChange;
use pds::syntax::Nsid;

use crate::answers::change::Action;
use crate::arguments::history_args::PathFilter;
use crate::process::output::Output;
use crate::records::changes::{ChangeCounts, ChangeReader, Contents, Groups, Outcome, Pair};
use crate::records::record_line::{changed_fields, describe};
use crate::screens::arrived::change_counts;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::count;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Prints the changed records under the names of their collections.
pub(crate) fn print_by_collection(
    pair: &Pair<'_>,
    filter: &PathFilter,
    out: &mut Output,
) -> Result<Outcome> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(Outcome::default()) };
    let mut list = List::new(pair, filter, &terminal, Names::Keys)?;
    let (mut groups, mut reader) = (Groups::new(pair, filter), ChangeReader::new(pair, filter));
    let (mut total, mut collection, mut is_partial) = (ChangeCounts::default(), None, false);
    while let Some(change) = reader.next()? {
        if out.is_closed() {
            break;
        }
        total.add(&change);
        if collection.as_ref() != Some(&change.path.collection) {
            if let Some((name, counts)) = groups.next()? {
                out.line(&heading(&name, counts, &terminal))?;
            }
            collection = Some(change.path.collection.clone());
        }
        is_partial |= list.print(pair, &change, out)?;
    }
    print_total(total, out)?;
    Ok(reader.outcome().and(is_partial))
}

/// Prints the changed records with their paths.
pub(crate) fn print_paths(
    pair: &Pair<'_>,
    filter: &PathFilter,
    out: &mut Output,
) -> Result<Outcome> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(Outcome::default()) };
    let mut list = List::new(pair, filter, &terminal, Names::Paths)?;
    let mut reader = ChangeReader::new(pair, filter);
    let (mut total, mut is_partial) = (ChangeCounts::default(), false);
    while let Some(change) = reader.next()? {
        if out.is_closed() {
            break;
        }
        total.add(&change);
        is_partial |= list.print(pair, &change, out)?;
    }
    print_total(total, out)?;
    Ok(reader.outcome().and(is_partial))
}

/// Prints the counts of all changes, after an empty line. Without changes, it prints nothing.
pub(crate) fn print_total(total: ChangeCounts, out: &mut Output) -> Result<()> {
    if total.total() == 0 {
        return Ok(());
    }
    out.line(&Line::new())?;
    out.line(&total_line(total))
}

/// Returns the counts of all changes in words.
pub(crate) fn total_line(total: ChangeCounts) -> Line {
    let counts = [(total.created, "added"), (total.updated, "changed"), (total.deleted, "deleted")];
    let parts = counts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> =
        parts.map(|(number, word)| format!("{} {word}", count(*number))).collect();
    Line::from(parts.join(", "))
}

/// Returns the sign of a change in its tone.
pub(crate) fn sign(change: &RecordChange) -> Line {
    sign_of(Action::of(change.before, change.after))
}

/// Returns the sign of a change of a record in its tone.
pub(crate) fn sign_of(action: Action) -> Line {
    let tone = match action {
        Action::Create => Tone::Green,
        Action::Update => Tone::Yellow,
        Action::Unchanged => Tone::Dim,
        Action::Delete | Action::Unknown => Tone::Red,
    };
    Line::of(tone, &action.sign().to_string())
}

fn heading(collection: &Nsid, counts: ChangeCounts, terminal: &Terminal) -> Line {
    let column = terminal.width().saturating_sub(COUNT_COLUMNS);
    let name = Line::of(Tone::Bold, collection.as_str()).padded(column.saturating_sub(2));
    name.text("  ").join(change_counts(counts.each()))
}

/// What a row begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Keys,
    Paths,
}

/// The rows of changed records, in columns.
struct List {
    terminal: Terminal,
    shorts: ShortCids,
    names: Names,
    name_columns: usize,
    cid_columns: usize,
}

impl List {
    /// Measures the columns by the first changes.
    fn new(
        pair: &Pair<'_>,
        filter: &PathFilter,
        terminal: &Terminal,
        names: Names,
    ) -> Result<Self> {
        let (shorts, terminal) = (ShortCids::default(), terminal.clone());
        let mut list = Self { terminal, shorts, names, name_columns: 0, cid_columns: 0 };
        let most = list.terminal.width() / 2;
        let mut reader = ChangeReader::quiet(pair, filter);
        for _ in 0..MEASURED {
            let Some(change) = reader.next()? else { break };
            [change.before, change.after].iter().flatten().for_each(|cid| list.shorts.note(cid));
            let name = list.name(&change).width().min(most);
            list.name_columns = list.name_columns.max(name);
            let cids = list.cids(&change).width();
            list.cid_columns = list.cid_columns.max(cids);
        }
        Ok(list)
    }

    /// Prints a change, and returns whether a part of it could not be read.
    fn print(&mut self, pair: &Pair<'_>, change: &RecordChange, out: &mut Output) -> Result<bool> {
        let contents = Contents::of(pair, change)?;
        let mut line = sign(change).text(" ").join(self.name(change).padded(self.name_columns));
        if self.terminal.width() >= LEAST_COLUMNS {
            line = line.text("  ").join(self.cids(change).padded(self.cid_columns));
        }
        line = line.text("  ").join(self.content(change, &contents));
        out.line(&self.terminal.fit(line))?;
        Ok(contents.is_partial)
    }

    fn name(&self, change: &RecordChange) -> Line {
        match self.names {
            Names::Keys => Line::from(change.path.rkey.as_str()),
            Names::Paths => Line::from(change.path.to_string()),
        }
    }

    fn cids(&mut self, change: &RecordChange) -> Line {
        match self.names {
            Names::Keys => old_and_new(change, &mut self.shorts, &self.terminal),
            Names::Paths => {
                let cid = change.after.or(change.before);
                let short = cid.map_or_else(String::new, |cid| self.shorts.short(&cid));
                Line::of(Tone::Dim, &short)
            }
        }
    }

    /// Returns what a record is about, or the fields that have changed.
    fn content(&self, change: &RecordChange, contents: &Contents) -> Line {
        if contents.is_partial {
            return Line::of(Tone::Red, "missing or damaged");
        }
        let about = |value| self.terminal.marked(&describe(change.path.collection.as_str(), value));
        match (&contents.before, &contents.after) {
            (Some(before), Some(after)) if self.names == Names::Keys => {
                let fields = Line::from(changed_fields(before, after).join(", "));
                match self.terminal.is_wide() {
                    true => fields.text("  ").tone(Tone::Dim, &about(after)),
                    false => fields,
                }
            }
            (Some(value), None) | (_, Some(value)) => Line::from(about(value)),
            (None, None) => Line::new(),
        }
    }
}

/// Returns the short CIDs of a record before and after a change.
pub(crate) fn old_and_new(
    change: &RecordChange,
    shorts: &mut ShortCids,
    terminal: &Terminal,
) -> Line {
    let mut line = Line::new();
    for cid in [change.before, change.after].iter().flatten() {
        if !line.is_empty() {
            line = line.text(&format!(" {} ", terminal.symbol(Symbol::Arrow)));
        }
        line = line.tone(Tone::Dim, &shorts.short(cid));
    }
    line
}

/// The columns at the end of a heading, for the counts of its collection.
const COUNT_COLUMNS: usize = 8;

/// Narrower terminals show no CIDs.
const LEAST_COLUMNS: usize = 60;

/// The number of changes that the columns are measured by.
const MEASURED: usize = 1_000;
