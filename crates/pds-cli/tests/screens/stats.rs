//! `stats` on a terminal.

use super::{Screen, masked_screen};
use crate::common::TestRepo;

fn repo() -> TestRepo {
    let repo = TestRepo::new();
    let mut lines = String::new();
    for (n, collection) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
        for record in 0..=n {
            let (text, month) = ("x".repeat(100 * n), record + 1);
            lines += &format!(
                "{{\"path\":\"com.example.{collection}/r{record}\",\"value\":{{\"text\":\"{text}\",\
                 \"createdAt\":\"2024-0{month}-01T00:00:00Z\"}}}}\n"
            );
        }
    }
    repo.pds(["apply"]).stdin(lines).ok();
    let blob = repo.home.write("blob", "hello");
    repo.pds(["blob", "put", &blob]).ok();
    repo
}

const COLLECTIONS: &str = "                    records    bytes   mean  first       last
com.example.f             6  3.36 kB  560 B  1 Jan 2024  1 Jun 2024
com.example.e             5  2.30 kB  460 B  1 Jan 2024  1 May 2024
com.example.d             4  1.44 kB  360 B  1 Jan 2024  1 Apr 2024
com.example.c             3    777 B  259 B  1 Jan 2024  1 Mar 2024
2 more collections        3    376 B  125 B
";

#[test]
fn the_largest_collections_have_lines_of_their_own() {
    let repo = repo();
    let Some(shown) = Screen::plain(80).of(&repo.home, "pds -R alice stats") else { return };
    let rest = "
per month   Jan 2024 █▇▅▄▃▁ Jun 2024     1 to 6 records
largest     com.example.f/r0  560 B
            com.example.f/r1  560 B
blobs       1, 5 B · largest <blob->  text/plain  5 B
";
    let masked = shown.lines().map(|line| match line.split_once("largest ") {
        Some((start, _)) if start.starts_with("blobs") => {
            format!("{start}largest <blob->  {}\n", line.split("  ").skip(1).last().unwrap_or(""))
        }
        _ => format!("{line}\n"),
    });
    let masked: String = masked.collect();
    let expected =
        format!("{COLLECTIONS}{rest}").replace("<blob->  text/plain  5 B", "<blob->  5 B");
    assert_eq!(masked_screen(&masked), expected);
}

#[test]
fn a_plain_terminal_shows_numbers_instead_of_bars() {
    let repo = repo();
    let screen = Screen { columns: 80, settings: "TERM=dumb PDS_PAGER=cat" };
    let Some(shown) = screen.of(&repo.home, "pds -R alice stats") else { return };
    let line = "per month   Jan 2024 6 5 4 3 2 1 Jun 2024     1 to 6 records\n";
    assert!(shown.contains(line) && shown.starts_with(COLLECTIONS), "{shown}");
    for line in shown.lines() {
        assert!(line.is_ascii() && line.len() <= 80, "{line}");
    }
}

#[test]
fn one_month_has_one_bar_and_a_number() {
    let repo = TestRepo::new();
    for name in ["a", "b"] {
        let record = "{\"createdAt\":\"2024-05-01T00:00:00Z\"}";
        repo.pds(["put", &format!("com.example.note/{name}")]).stdin(record).ok();
    }
    let Some(shown) = Screen::plain(80).of(&repo.home, "pds -R alice stats") else { return };
    assert!(shown.contains("\nper month   May 2024 █     2 records\n"), "{shown}");
}
