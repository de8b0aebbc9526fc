//! `pds identity log` on a terminal.

use crate::answers::identity::OperationRow;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Returns the operations on an identity, one line for each.
pub(crate) fn operations(rows: &[OperationRow], terminal: &Terminal) -> Vec<Line> {
    let left = Column::left();
    let mut table = Table::new([Column::time(), Column::cid(), left, left]);
    table.row(["time", "cid", "signed by", "changes"].map(|text| Line::of(Tone::Dim, text)));
    let mut shorts = ShortCids::default();
    rows.iter().for_each(|row| shorts.note(&row.cid));
    for row in rows {
        let mut changes = Line::new();
        if row.nullified {
            changes = changes.tone(Tone::Yellow, "undone").text(terminal.separator());
        }
        table.row([
            terminal.times.relative(row.created_micros),
            Line::of(Tone::Dim, &shorts.short(&row.cid)),
            Line::from(short_key(&row.signed_by, terminal)),
            changes.text(&row.changes.join(terminal.separator())),
        ]);
    }
    table.take_lines(terminal)
}

/// Returns the ends of a key: the letters before them are the same for all keys of a curve.
fn short_key(key: &str, terminal: &Terminal) -> String {
    let key = key.strip_prefix("did:key:").unwrap_or(key);
    match (key.get(..6), key.len().checked_sub(4).and_then(|end| key.get(end..))) {
        (Some(first), Some(last)) => format!("{first}{}{last}", terminal.symbol(Symbol::Cut)),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::terminal::screen_size::ScreenSize;
    use crate::terminal::times::Times;

    #[test]
    fn operations_are_rows_with_short_keys() {
        let key = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";
        let cid: pds::data::Cid =
            "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        let row = |changes: &[&str], nullified| OperationRow {
            cid,
            created_micros: 1_735_819_200_000_000,
            time: "2025-01-02T12:00:00Z".to_owned(),
            changes: changes.iter().map(|text| (*text).to_owned()).collect(),
            signed_by: key.to_owned(),
            nullified,
        };
        let size = ScreenSize { columns: 80, rows: 40 };
        let terminal =
            Terminal { size, colour: false, unicode: true, times: Times::of_system(false) };
        let rows = [row(&["the account was created"], false), row(&["names: a", "keys: b"], true)];
        let lines = operations(&rows, &terminal);
        let lines: Vec<String> = lines.iter().map(|line| line.rendered(false, true)).collect();
        assert_eq!(
            lines,
            [
                "time              cid       signed by    changes",
                "2 Jan 2025        hdwdcefg  zQ3sho…YBme  the account was created",
                "2 Jan 2025        hdwdcefg  zQ3sho…YBme  undone · names: a · keys: b",
            ]
        );
    }
}
