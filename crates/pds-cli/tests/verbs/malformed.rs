//! CAR files whose commit has a malformed field, and records that have no JSON form.

use pds::data::{Block, Cid, Codec, Value};

use crate::common::{Car, Home, note};

/// A repository of two notes, whose commit has another value in one field.
fn with_field(field: &str, value: Option<Value>) -> Vec<u8> {
    let mut car = Car::of(
        [("a", "x"), ("b", "y")]
            .map(|(name, text)| (format!("com.example.note/{name}").into_bytes(), note(text))),
    );
    let Value::Map(mut fields) = Value::decode(car.commit.block().bytes()).unwrap() else {
        panic!()
    };
    match value {
        Some(value) => drop(fields.insert(field, value)),
        None => drop(fields.remove(field)),
    }
    car.blocks[0] = Block::new(Codec::Cbor, Value::Map(fields).encode());
    let root = car.blocks[0].cid();
    car.file_with_roots(&[root])
}

fn malformed() -> [(&'static str, Option<Value>); 5] {
    [
        ("rev", Some(Value::from("3jzfcijpj2z2"))),
        ("did", Some(Value::from("../alice"))),
        ("version", Some(Value::from(4))),
        ("sig", Some(Value::from(vec![1; 7]))),
        ("prev", Some(Value::Link(Cid::of(Codec::Raw, b"x")))),
    ]
}

#[test]
fn records_are_read_from_a_file_whose_commit_has_a_malformed_field() {
    for (field, value) in malformed() {
        let home = Home::new();
        home.write("bad.car", with_field(field, value));
        let pds = |args: &[&str]| home.pds(["-R", "bad.car"].iter().chain(args).copied()).ended();
        for (args, lines) in [
            (&["ls"][..], 1),
            (&["ls", "--all"], 2),
            (&["ls", "com.example.note", "--json"], 2),
            (&["unpack", "out"], 1),
            (&["info"], 11),
            (&["log"], 1),
            (&["log", "com.example.note/a"], 1),
            (&["mst"], 1),
            (&["blob", "missing"], 0),
            (&["export", "-o", "copy.car"], 0),
        ] {
            let ended = pds(args);
            assert_eq!(
                (ended.code(), ended.text().lines().count() >= lines),
                (6, true),
                "{args:?}"
            );
            assert!(ended.stderr.contains(&format!("is not valid: {field}: ")), "{}", ended.stderr);
        }
        assert_eq!(home.read("copy.car").len(), home.read("bad.car").len());
        // One record is whole.
        let ended = pds(&["get", "com.example.note/a"]);
        assert_eq!((ended.code(), ended.text().contains("\"x\"")), (0, true));
        assert!(ended.stderr.contains(&format!("is not valid: {field}: ")), "{}", ended.stderr);
        pds(&["show", "HEAD"]).done();
        // A recovery finds the state of the commit.
        let recovered = home.pds(["recover", "bad.car"]).ended();
        assert_eq!(recovered.code(), 6, "{}", recovered.text());
        let last = "partly recovered: 2 records, 0 unplaced, 0 without a path, 0 lost\n";
        assert!(recovered.text().ends_with(last), "{}", recovered.text());
        assert!(recovered.stderr.contains(&format!("is not valid: {field}: ")));
        // Nothing admits the commit, and no proof is made.
        let verified = home.pds(["verify", "bad.car"]).ended();
        let named = verified.text().lines().filter(|line| line.contains("commit-field")).count();
        assert_eq!((verified.code(), named), (1, 1));
        assert!(verified.text().contains("2 records, "), "{}", verified.text());
        assert_eq!(pds(&["prove", "com.example.note/a", "-o", "proof.car"]).code(), 3);
        assert_eq!(home.pds(["clone", "bad.car", "copy"]).ended().code(), 3);
        let mut names = home.list(".");
        names.retain(|name| name != "out");
        assert_eq!(names, ["bad.car", "copy.car"]);
        let out = home.list("out");
        let account = if field == "did" { "unknown-account" } else { crate::common::DID };
        assert_eq!(out, [account]);
    }
}

#[test]
fn a_malformed_field_is_shown_as_no_value() {
    let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let mut verbs = vec![];
    for verb in [
        &["info"][..],
        &["log"],
        &["log", "com.example.note/a"],
        &["get", "com.example.note/a"],
        &["get", &format!("at://{did}/com.example.note/a")],
        &["ls", "com.example.note"],
        &["ls", "--all", "--long"],
        &["verify"],
        &["verify", "--did", did],
        &["show", "HEAD"],
        &["blob", "missing"],
        &["mst"],
        &["diff", "HEAD", "HEAD"],
        &["prove", "com.example.note/a", "-o", "proof.car"],
    ] {
        let verb = verb.iter().map(ToString::to_string);
        verbs.push(["-R".to_owned(), "bad.car".to_owned()].into_iter().chain(verb).collect());
    }
    let alone = [
        &["recover", "bad.car"][..],
        &["clone", "bad.car"],
        &["clone", "bad.car", "--did", did],
        &["merge", "bad.car"],
        &["-R", "alice", "import", "bad.car"],
        &["-R", "alice", "diff", "HEAD", "bad.car"],
    ];
    verbs.extend(alone.map(|verb| verb.iter().map(ToString::to_string).collect::<Vec<_>>()));
    for (field, value) in malformed() {
        let home = Home::new();
        home.pds(["init", "alice", "--did", crate::common::DID]).ok();
        home.write("bad.car", with_field(field, value));
        for verb in &verbs {
            for json in [&[][..], &["--json"]] {
                let args = verb.iter().map(String::as_str).chain(json.iter().copied());
                let ended = home.pds(args).ended();
                let said = format!("{}{}", ended.text(), ended.stderr);
                for invented in ["did:unknown", "1970-"] {
                    assert!(!said.contains(invented), "{field} {verb:?}: {said}");
                }
            }
        }
        let json = |args: &[&str]| -> serde_json::Value {
            let args = ["-R", "bad.car", "--json"].iter().chain(args);
            let text = home.pds(args.copied()).ended().text();
            serde_json::from_str(text.lines().next().unwrap()).unwrap()
        };
        for (args, name, of_field) in [
            (&["info"][..], "did", "did"),
            (&["info"], "rev", "rev"),
            (&["info"], "version", "version"),
            (&["get", "com.example.note/a"], "uri", "did"),
            (&["ls", "com.example.note"], "uri", "did"),
            (&["log"], "time", "rev"),
            (&["log", "com.example.note/a"], "time", "rev"),
            (&["log", "com.example.note/a"], "uri", "did"),
            (&["verify"], "did", "did"),
        ] {
            assert_eq!(json(args)[name].is_null(), field == of_field, "{field} {args:?} {name}");
        }
        let text = home.pds(["-R", "bad.car", "info"]).ended().text();
        assert_eq!(text.starts_with("did      -\n"), field == "did", "{text}");
        let text = home.pds(["-R", "bad.car", "log"]).ended().text();
        assert_eq!(text.split('\t').nth(2) == Some("-"), field == "rev", "{text}");
    }
}

#[test]
fn an_import_refuses_a_commit_with_a_malformed_field() {
    let home = Home::new();
    home.pds(["init", "alice", "--did", crate::common::DID]).ok();
    for (field, value) in malformed() {
        let file = home.write("bad.car", with_field(field, value));
        let said = home.pds(["-R", "alice", "import", &file]).fails(3);
        assert!(said.contains(&format!("{field}: ")), "{said}");
        assert!(said.contains("hint: pds -R FILE ls --all lists the records"), "{said}");
        home.pds(["-R", "alice", "merge", &file]).fails(3);
    }
    assert_eq!(home.pds(["-R", "alice", "log"]).ok().lines().count(), 1);
}

/// A record of the test collection with one more field.
fn record(field: Value) -> Block {
    let value = Value::from([("$type", Value::from("com.example.note")), ("odd", field)]);
    Block::new(Codec::Cbor, value.encode())
}

#[test]
fn a_record_whose_json_would_mean_another_record_is_not_printed_as_json() {
    let cid = Cid::of(Codec::Raw, b"x").to_string();
    for field in [
        Value::from([("$link", Value::from(cid.as_str()))]),
        Value::from([("$bytes", Value::from("aGk"))]),
        Value::from([("$link", Value::from(1)), ("other", Value::Null)]),
        Value::from_iter([Value::from([("deep", Value::from([("$bytes", Value::from("aGk"))]))])]),
    ] {
        let odd = record(field);
        let home = Home::new();
        let key = |name: &str| format!("com.example.note/{name}").into_bytes();
        let car = Car::of([(key("a"), note("x")), (key("odd"), odd.clone())]);
        home.write("odd.car", car.file());
        let pds = |args: &[&str]| home.pds(["-R", "odd.car"].iter().chain(args).copied()).ended();
        for args in [
            &["get", "com.example.note/odd"][..],
            &["get", "com.example.note/odd", "--json"],
            &["show", &odd.cid().to_string()],
        ] {
            let ended = pds(args);
            assert_eq!((ended.code(), ended.text()), (6, String::new()), "{args:?}");
            assert!(ended.stderr.contains("its JSON would mean another value"), "{}", ended.stderr);
        }
        assert_eq!(pds(&["get", "com.example.note/odd", "--cbor"]).stdout, odd.bytes());
        assert_eq!(pds(&["show", &odd.cid().to_string(), "--cbor"]).stdout, odd.bytes());
        let ended = pds(&["unpack", "out"]);
        assert_eq!((ended.code(), &*ended.text()), (6, "1\n"));
        assert!(ended.stderr.contains("its bytes are in a .cbor file"), "{}", ended.stderr);
        let notes = format!("out/{}/com.example.note", crate::common::DID);
        assert_eq!(home.list(&notes), ["a.json", "odd.cbor"]);
        assert_eq!(home.read(&format!("{notes}/odd.cbor")), odd.bytes());
    }
}
