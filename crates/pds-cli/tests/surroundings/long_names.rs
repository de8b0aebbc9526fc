//! Names that the protocol allows and file systems do not.

use pds::data::{Block, Codec};

use crate::common::{Car, DID, Home, note};

#[test]
fn a_record_with_a_name_too_long_for_a_file_is_named_and_stops_no_other() {
    let (label, home) = ("a".repeat(63), Home::new());
    let collection = format!("{label}.{label}.{label}.{}.{label}", &label[3..]);
    let long = format!("com.example.note/{}", "k".repeat(400));
    let odd = Block::new(Codec::Cbor, *b"\xf7");
    let records = [
        (format!("{collection}/self"), note("in a long collection")),
        (long.replace('k', "l"), odd),
        (long.clone(), note("with a long key")),
        ("com.example.note/short".to_owned(), note("short")),
        ("zone.example.note/last".to_owned(), note("last")),
    ];
    home.write("long.car", Car::of(records.map(|(key, block)| (key.into(), block))).file());
    let said = format!(
        "{collection}/self is not written: the collection is too long for a directory name\n\
         {long} is not written: the key is too long for a file name\n\
         {} is not written: the key is too long for a file name\n",
        long.replace('k', "l")
    );
    for args in
        [&["-R", "long.car", "unpack", "unpacked"][..], &["recover", "long.car", "recovered"]]
    {
        let ended = home.pds(args.iter().copied()).ended();
        assert_eq!((ended.code(), &ended.stderr), (6, &said), "{args:?}");
    }
    for dir in ["unpacked", "recovered"] {
        assert_eq!(home.list(&format!("{dir}/{DID}/com.example.note")), ["short.json"]);
        assert_eq!(home.list(&format!("{dir}/{DID}/zone.example.note")), ["last.json"]);
    }
}

#[test]
fn an_account_too_long_for_a_directory_is_said_with_what_to_do() {
    let home = Home::new();
    let did = format!("did:example:{}", "x".repeat(300));
    let car = Car::of([(b"com.example.note/a".to_vec(), note("a"))]).by(&did);
    home.write("backup", car.file());
    let said = format!("error: {did} is too long for a directory name\nhint: ");
    for (args, hint) in [
        (&["clone", "backup"][..], "name the directory: pds clone SOURCE DIR\n"),
        (
            &["-R", "backup", "unpack", "out"],
            "pds ls --all lists the records; pds get PATH prints one\n",
        ),
    ] {
        assert_eq!(home.pds(args.iter().copied()).fails(1), format!("{said}{hint}"));
    }
    assert_eq!(home.list("."), ["backup"]);
    home.pds(["clone", "backup", "named"]).ok();
    let ended = home.pds(["recover", "backup", "out"]).ended();
    ended.done();
    assert_eq!(
        ended.stderr,
        format!("{did} is too long for a directory name; the directory is unknown-account\n")
    );
    assert_eq!(home.list("out/unknown-account"), ["_commit.json", "com.example.note"]);
}
