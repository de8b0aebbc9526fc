//! `pds recover` on SQLite files, of other programs and of `pds` itself.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{DID, TestRepo};

/// Writes the blocks of CAR files to a database with a table of this form. The placeholders are the CID and the bytes.
fn database(
    repo: &TestRepo,
    name: &str,
    table: &str,
    insert: &str,
    cars: &[&str],
    is_text: bool,
) -> String {
    let path = repo.home.path(name);
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch(table).unwrap();
    for car in cars {
        for block in pds::car::CarReader::new(&repo.home.read(car)[..]).unwrap() {
            let block = block.unwrap();
            let cid = block.cid();
            let (text, bytes) = (cid.to_string(), cid.as_bytes());
            let cid: &dyn rusqlite::ToSql = if is_text { &text } else { &bytes };
            made.execute(insert, [cid, &block.bytes()]).unwrap();
        }
    }
    path
}

fn listed(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| line.contains('\t')).collect()
}

#[test]
fn a_repository_in_the_database_of_another_program_is_recovered() {
    let repo = TestRepo::with_many_notes(60);
    repo.export("good.car");
    let all = repo.pds(["ls", "--all"]).ok();
    let forms = [
        (
            "CREATE TABLE repo_block (cid TEXT PRIMARY KEY, repoRev TEXT, content BLOB)",
            "INSERT INTO repo_block VALUES (?1, '', ?2)",
            true,
        ),
        (
            "CREATE TABLE blocks (did TEXT, data BLOB, cid BLOB, PRIMARY KEY (did, cid)) WITHOUT ROWID",
            "INSERT INTO blocks VALUES ('', ?2, ?1)",
            false,
        ),
    ];
    for (number, (table, insert, is_text)) in forms.into_iter().enumerate() {
        let name = format!("{number}.sqlite");
        let file = database(&repo, &name, table, insert, &["good.car"], is_text);
        let before = (repo.home.list(""), repo.home.read(&name));
        let ended = repo.home.pds(["recover", &file]).ended();
        assert_eq!(ended.code(), 0, "{}", ended.stderr);
        assert_eq!(listed(&ended.text()), listed(&all));
        assert!(ended.text().contains("\nwhole: 60 records, "), "{}", ended.text());
        assert!(ended.stderr.contains(" blocks\n"), "{}", ended.stderr);
        assert_eq!((repo.home.list(""), repo.home.read(&name)), before);
        repo.home.pds(["recover", &file, "-o", "out.car", "--force"]).ended().done();
        assert_eq!(repo.home.read("out.car"), repo.home.read("good.car"));
        let piped = repo.home.pds(["recover", "-"]).stdin(repo.home.read(&name)).ended();
        assert_eq!((piped.code(), piped.text()), (0, ended.text()));
    }
}

#[test]
fn several_accounts_in_one_database_are_all_listed() {
    let [alice, bob] = [TestRepo::with_many_notes(10), TestRepo::with_notes()];
    alice.export("alice.car");
    let bob = bob.home.read(&{
        bob.export("bob.car");
        "bob.car".to_owned()
    });
    alice.home.write("bob.car", bob);
    let (table, insert) = ("CREATE TABLE b (k TEXT, v BLOB)", "INSERT INTO b VALUES (?1, ?2)");
    let file = database(&alice, "all.sqlite", table, insert, &["alice.car", "bob.car"], true);
    let ended = alice.home.pds(["recover", &file]).ended();
    assert_eq!((ended.code(), listed(&ended.text()).len()), (0, 13), "{}", ended.text());
    assert_eq!(ended.text().lines().filter(|line| line.starts_with("state ")).count(), 2);
}

#[test]
fn a_store_of_pds_is_recovered_even_without_its_first_page() {
    let repo = TestRepo::with_notes();
    let all = repo.pds(["ls", "--all"]).ok();
    let store = repo.home.path("alice/pds.db");
    let before = repo.home.list("alice");
    let ended = repo.home.pds(["recover", &store]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(listed(&all).is_subset(&listed(&ended.text())), "{}", ended.text());
    assert_eq!(repo.home.list("alice"), before);
    let mut bytes = repo.home.read("alice/pds.db");
    bytes[100..4_000].fill(0xff);
    fs::write(&store, bytes).unwrap();
    let ended = repo.home.pds(["recover", &store, "out"]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_eq!(
        repo.home.list(&format!("out/{DID}/com.example.note")),
        ["a.json", "b.json", "c.json"]
    );
}

#[test]
fn a_database_without_blocks_is_bad_input() {
    let repo = TestRepo::new();
    let path = repo.home.path("other.sqlite");
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch("CREATE TABLE a (b TEXT); INSERT INTO a VALUES ('c')").unwrap();
    drop(made);
    repo.home.write("broken.sqlite", b"SQLite format 3\0and no more");
    for file in ["other.sqlite", "broken.sqlite"] {
        let ended = repo.home.pds(["recover", file]).ended();
        assert_eq!((ended.code(), ended.text()), (3, String::new()), "{}", ended.stderr);
    }
}

#[test]
fn a_block_in_several_rows_is_written_once() {
    let repo = TestRepo::with_notes();
    repo.export("good.car");
    let (table, insert) = ("CREATE TABLE b (k TEXT, v BLOB)", "INSERT INTO b VALUES (?1, ?2)");
    let cars = ["good.car", "good.car", "good.car"];
    let file = database(&repo, "many.sqlite", table, insert, &cars, true);
    let mut car = Vec::new();
    pds_rescue::extract_blocks(&file, &mut car).unwrap();
    let once = pds::car::CarReader::new(&repo.home.read("good.car")[..]).unwrap().count();
    assert_eq!(pds::car::CarReader::new(&car[..]).unwrap().count(), once);
}

#[test]
fn a_database_whose_rows_share_one_large_value_does_not_fill_the_disk() {
    let repo = TestRepo::new();
    let path = repo.home.path("crafted.sqlite");
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch("PRAGMA page_size = 512; CREATE TABLE b (k BLOB, v BLOB)").unwrap();
    // With this length, few bytes are in the cell, and 508 in each page of the rest.
    let block = pds::data::Block::new(pds::data::Codec::Raw, vec![7; 600 * 508 - 2]);
    made.execute("INSERT INTO b VALUES (?1, ?2)", (block.cid().as_bytes(), block.bytes())).unwrap();
    drop(made);
    let mut file = repo.home.read("crafted.sqlite");
    // The second page has one cell, at its end. The other cells are copies with other row numbers.
    let page = &mut file[512..1024];
    let [high, low] = [page[5], page[6]];
    let start = usize::from(high) << 8 | usize::from(low);
    let (cell, mut at) = (page[start..].to_vec(), start);
    let mut cells = 1;
    while at >= cell.len() + 8 + 2 * (cells + 1) {
        at -= cell.len();
        page[at..at + cell.len()].copy_from_slice(&cell);
        page[at + 3] = u8::try_from(cells + 1).unwrap();
        cells += 1;
    }
    for cell_number in 0..cells {
        let place = u16::try_from(start - cell_number * cell.len()).unwrap().to_be_bytes();
        page[8 + 2 * cell_number..][..2].copy_from_slice(&place);
    }
    page[3..5].copy_from_slice(&u16::try_from(cells).unwrap().to_be_bytes());
    page[5..7].copy_from_slice(&u16::try_from(at).unwrap().to_be_bytes());
    assert!(cells > 2, "{cells}");
    repo.home.write("crafted.sqlite", &file);
    let ended = repo.home.pds(["recover", &path]).ended();
    assert_eq!((ended.code(), ended.text()), (3, String::new()), "{}", ended.stderr);
    assert!(ended.stderr.contains("share their bytes"), "{}", ended.stderr);
}
