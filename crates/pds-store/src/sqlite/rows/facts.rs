//! The rows of `facts`.

use rusqlite::{Connection, Row, params};

use crate::error::StoreError;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::sqlite::checksum::Sum;
use crate::sqlite::rows::bad_row::{BadRow, OTHER_NUMBER, shown};
use crate::sqlite::rows::columns::Columns;
use crate::sqlite::rows::row_number::row_of;
use crate::sqlite::statement::{has_row, run};

/// The columns of `facts` that [`read_fact`] expects.
pub(crate) const FACT_COLUMNS: &str = "kind, subject, value, sum";

/// Reads a fact whose columns start at `first`.
pub(crate) fn read_fact(row: &Row<'_>, first: usize) -> Result<Fact, BadRow> {
    let mut columns = Columns::of(row, first);
    let (kind, subject, value) = (columns.text(), columns.text(), columns.text());
    let fact = columns.check(fact_sum(kind, subject, value)).and_then(|()| {
        let kind = FactKind::of(kind).ok_or("the kind is unknown")?;
        Fact::of(kind, subject, value).ok_or("the subject or the value is not valid for the kind")
    });
    fact.map_err(|reason| BadRow { table: "facts", row: shown_fact(kind, subject), reason })
}

/// Reads a fact whose columns start at `first`, and checks that the number of the row belongs to
/// its kind and subject.
pub(crate) fn read_numbered_fact(row: &Row<'_>, number: i64, first: usize) -> Result<Fact, BadRow> {
    let fact = read_fact(row, first)?;
    if number != number_of(&fact) {
        let row = shown_fact(fact.kind().word(), &fact.subject());
        return Err(BadRow { table: "facts", row, reason: OTHER_NUMBER });
    }
    Ok(fact)
}

/// Returns whether a fact of the same kind and subject is stored.
pub(crate) fn has_fact(from: &Connection, fact: &Fact) -> Result<bool, StoreError> {
    has_row(from, "SELECT 1 FROM facts WHERE id = ?1", [number_of(fact)])
}

/// Returns the number of the row of a fact.
fn number_of(fact: &Fact) -> i64 {
    row_of("facts", &[fact.kind().word(), &fact.subject()])
}

fn shown_fact(kind: &str, subject: &str) -> String {
    shown(format!("{kind} {subject}").trim_end())
}

fn fact_sum(kind: &str, subject: &str, value: &str) -> i64 {
    Sum::of("facts").text(kind).text(subject).text(value).finish()
}

/// Applies edits of facts. Returns the change in the number of facts.
pub(crate) fn edit_facts(to: &Connection, edits: &[FactEdit]) -> Result<i64, StoreError> {
    edits.iter().try_fold(0, |more, edit| Ok(more + edit_fact(to, edit)?))
}

/// Applies an edit of a fact. Returns the change in the number of facts.
pub(crate) fn edit_fact(to: &Connection, edit: &FactEdit) -> Result<i64, StoreError> {
    let gone = match edit {
        FactEdit::Set(fact) | FactEdit::Remove(fact) => {
            run(to, "DELETE FROM facts WHERE id = ?1", [number_of(fact)])?
        }
        FactEdit::Clear(kind) => run(to, "DELETE FROM facts WHERE kind = ?1", [kind.word()])?,
    };
    let FactEdit::Set(fact) = edit else { return Ok(-gone.cast_signed()) };
    let (kind, subject, value) = (fact.kind().word(), fact.subject(), fact.value());
    let sum = fact_sum(kind, &subject, &value);
    let sql = "INSERT INTO facts (id, kind, subject, value, sum) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(to, sql, params![number_of(fact), kind, subject, value, sum])?;
    Ok(1 - gone.cast_signed())
}
