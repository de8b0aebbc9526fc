//! The rows of facts, and edits of facts reduced to their effect.

use postgres::Row;
use std::collections::{BTreeMap, BTreeSet};

use crate::connection::Connection;
use crate::errors::{Result, column, damaged};
use pds_store::fact::{Fact, FactEdit, FactKind};

/// The kind, subject and value of a fact, as they are stored.
pub(crate) type FactRow = [String; 3];

/// The effect of a list of edits, which no longer depends on an order.
#[derive(Default)]
pub(crate) struct FactEdits {
    cleared: BTreeSet<&'static str>,
    removed: BTreeSet<(&'static str, String)>,
    set: BTreeMap<(&'static str, String), String>,
}

impl FactEdits {
    pub(crate) fn of(edits: &[FactEdit]) -> Self {
        let mut all = Self::default();
        let key = |fact: &Fact| (fact.kind().word(), fact.subject());
        for edit in edits {
            match edit {
                FactEdit::Set(fact) => drop(all.set.insert(key(fact), fact.value())),
                FactEdit::Remove(fact) => {
                    all.set.remove(&key(fact));
                    all.removed.insert(key(fact));
                }
                FactEdit::Clear(kind) => {
                    all.set.retain(|(found, _), _| *found != kind.word());
                    all.cleared.insert(kind.word());
                }
            }
        }
        all
    }

    /// Returns whether facts are only written, and not removed.
    pub(crate) fn only_sets(&self) -> bool {
        self.cleared.is_empty() && self.removed.is_empty()
    }

    /// Returns the columns of the facts that are written.
    pub(crate) fn columns(&self) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
        let rows = self.set.iter();
        let rows = rows.map(|((kind, subject), value)| (*kind, subject.as_str(), value.as_str()));
        let (mut kinds, mut subjects, mut values) = (Vec::new(), Vec::new(), Vec::new());
        rows.for_each(|(kind, subject, value)| {
            kinds.push(kind);
            subjects.push(subject);
            values.push(value);
        });
        (kinds, subjects, values)
    }

    pub(crate) fn apply(&self, connection: &mut Connection) -> Result<()> {
        if !self.cleared.is_empty() {
            let cleared: Vec<&str> = self.cleared.iter().copied().collect();
            let sql = "DELETE FROM pds.fact WHERE account = $1 AND kind = ANY($2)";
            connection.execute(sql, &[&cleared])?;
        }
        if !self.removed.is_empty() {
            let removed = self.removed.iter().map(|(kind, subject)| (*kind, subject.as_str()));
            let (kinds, subjects): (Vec<&str>, Vec<&str>) = removed.unzip();
            let sql = "DELETE FROM pds.fact WHERE account = $1
                AND (kind, subject) IN (SELECT * FROM unnest($2::text[], $3::text[]))";
            connection.execute(sql, &[&kinds, &subjects])?;
        }
        if !self.set.is_empty() {
            let (kinds, subjects, values) = self.columns();
            let sql = "INSERT INTO pds.fact (account, kind, subject, value)
                SELECT $1::bigint, new.* FROM unnest($2::text[], $3::text[], $4::text[]) AS new
                ON CONFLICT (account, kind, subject) DO UPDATE SET value = excluded.value";
            connection.execute(sql, &[&kinds, &subjects, &values])?;
        }
        Ok(())
    }
}

/// Returns the fact of a row.
pub(crate) fn fact([kind, subject, value]: &FactRow) -> Result<Fact> {
    let found = FactKind::of(kind).and_then(|kind| Fact::of(kind, subject, value));
    found.ok_or_else(|| damaged(format!("fact {kind} {subject}: it is not valid for the kind")))
}

/// Reads three columns, or returns `None` if they are empty.
pub(crate) fn fact_row(row: &Row, first: usize) -> Result<Option<FactRow>> {
    let text = |index| column::<Option<String>>(row, first + index);
    Ok(text(0)?.zip(text(1)?).zip(text(2)?).map(|((a, b), c)| [a, b, c]))
}

/// Reads the facts of a kind after a subject, a limited number of them, with the number of the last
/// change.
pub(crate) fn fact_page(
    connection: &mut Connection,
    (kind, after): (FactKind, Option<&str>),
    count: i64,
) -> Result<(Option<i64>, Vec<FactRow>)> {
    let sql = include_str!("sql/fact_page.sql");
    let rows = connection.query(sql, &[&kind.word(), &after, &count])?;
    let change = rows.first().map(|row| column(row, 0)).transpose()?;
    let facts = rows.iter().map(|row| fact_row(row, 1)).collect::<Result<Vec<_>, _>>()?;
    Ok((change, facts.into_iter().flatten().collect()))
}
