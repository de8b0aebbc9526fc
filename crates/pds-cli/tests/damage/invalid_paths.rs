//! A tree with keys that are not record paths: they are named, and do not hide the others.

use crate::common::{Car, DID, Home, note};

const SAID: &str = "tree key com.example.note/b#c is not a record path\n\
                    tree key zzz is not a record path\n";

/// A file with two such keys among others.
fn odd() -> Home {
    let home = Home::new();
    let keys = ["com.example.note/a", "com.example.note/b#c", "com.example.note/d", "zzz"];
    let records = keys.map(|key| (key.as_bytes().to_vec(), note(key)));
    home.write("odd.car", Car::of(records).file());
    home
}

#[test]
fn every_reading_verb_names_them_and_goes_on() {
    let home = odd();
    for (args, answer) in [
        (&["ls"][..], "com.example.note\t2\n"),
        (&["ls", "com.example.note", "--limit", "1", "--reverse"], "d\t"),
        (&["ls", "--all"], "com.example.note/a\t"),
        (&["unpack", "out"], "2\n"),
        (&["blob", "missing"], ""),
        (&["log"], "3jzfcijpj2z2a\t"),
    ] {
        let ended = home.pds(["-R", "odd.car"].iter().chain(args).copied()).ended();
        let code = if args.contains(&"--limit") { 0 } else { 6 };
        assert_eq!(ended.code(), code, "{args:?}: {}", ended.stderr);
        assert!(ended.text().starts_with(answer), "{args:?}: {}", ended.text());
        let said = if code == 0 { "" } else { SAID };
        assert_eq!(ended.stderr, said, "{args:?}");
    }
    assert_eq!(home.list(&format!("out/{DID}/com.example.note")), ["a.json", "d.json"]);
    let log = home.pds(["-R", "odd.car", "log"]).ended();
    assert!(log.text().contains("\t+? ~? -?\t"), "{}", log.text());
    let listed = home.pds(["-R", "odd.car", "ls", "--all", "--reverse"]).ended();
    assert_eq!((listed.code(), listed.text().lines().count()), (6, 2));
    home.pds(["-R", "odd.car", "info"]).ok();
}

#[test]
fn a_difference_without_a_name_is_a_difference() {
    let home = odd();
    let whole = ["com.example.note/a", "com.example.note/d"]
        .map(|key| (key.as_bytes().to_vec(), note(key)));
    home.write("good.car", Car::of(whole).file());
    let ended = home.pds(["diff", "good.car", "odd.car"]).ended();
    assert_eq!((ended.code(), &*ended.text(), &*ended.stderr), (1, "", SAID));
    home.pds(["diff", "odd.car", "odd.car"]).ok();
}

#[test]
fn a_file_with_such_keys_is_recovered_and_not_called_whole() {
    let home = odd();
    let ended = home.pds(["recover", "odd.car", "out", "-o", "same.car"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (6, SAID));
    assert_eq!(ended.text(), "partly recovered: 2 records, 0 unplaced, 2 without a path, 0 lost\n");
    assert_eq!(home.list(&format!("out/{DID}/com.example.note")), ["a.json", "d.json"]);
    assert_eq!(home.list(&format!("out/{DID}/_without-path")).len(), 2);
    home.pds(["diff", "odd.car", "same.car"]).ok();
    let ended = home.pds(["recover", "odd.car", "--json"]).ended();
    let last = ended.text().lines().last().unwrap().to_owned();
    assert!(last.contains("\"ok\":false") && last.contains("\"withoutPath\":2"), "{last}");
}
