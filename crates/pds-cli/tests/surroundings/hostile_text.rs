//! Control characters and invisible characters in input never reach the terminal unescaped.

use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Block, Codec, Value};

use crate::common::{Car, DID, Ended, Home, TestRepo, note};

/// Clears the screen, in the form for 7 bits and in the one for 8, and a few more.
const EVIL: &str =
    "\x1b[2Jevil\u{9b}31m\u{7f}\u{8}\r\u{85}\u{202e}\u{200b}\u{2066}\u{feff}\u{e0041}";

/// Checks both outputs, also where the text is JSON.
fn assert_tame(ended: &Ended) {
    let stdout = ended.text();
    for text in [&stdout, &ended.stderr] {
        let is_invisible =
            |c| matches!(c, '\u{202e}' | '\u{200b}' | '\u{2066}' | '\u{feff}' | '\u{e0041}');
        let is_raw = |c: &char| c.is_control() && !matches!(c, '\n' | '\t') || is_invisible(*c);
        assert_eq!(text.chars().find(is_raw), None, "{text:?}");
    }
}

fn cbor(value: &Value) -> Block {
    Block::new(Codec::Cbor, value.encode())
}

/// A record whose every text is hostile, and which is wrong in many ways or right.
fn records() -> Vec<(Vec<u8>, Block)> {
    let evil = || Value::from(EVIL);
    let typed = |kind: &str, more: Value| {
        cbor(&Value::from([("$type", Value::from(kind)), ("text", evil()), (EVIL, more)]))
    };
    vec![
        (b"com.example.note/good".to_vec(), typed("com.example.note", evil())),
        (b"com.example.note/type".to_vec(), typed(EVIL, evil())),
        (
            b"com.example.note/inner".to_vec(),
            typed("com.example.note", Value::from([("$type", Value::Null), (EVIL, evil())])),
        ),
        (
            b"com.example.note/blob".to_vec(),
            typed(
                "com.example.note",
                Value::from([("$type", Value::from("blob")), (EVIL, evil())]),
            ),
        ),
        (format!("com.example.note/{EVIL}").into_bytes(), note("path")),
        (EVIL.as_bytes().to_vec(), note("no path")),
    ]
}

#[test]
fn a_hostile_repository_cannot_drive_the_terminal() {
    let home = Home::new();
    let all = records();
    home.write("all.car", Car::of(all.clone()).file());
    home.write("good.car", Car::of(all.into_iter().filter(|(key, _)| key.is_ascii())).file());
    for file in ["all.car", "good.car"] {
        for args in [
            &["verify"][..],
            &["info"],
            &["ls"],
            &["ls", "--all"],
            &["ls", "com.example.note", "-l"],
            &["get", "com.example.note/good"],
            &["get", "com.example.note/type"],
            &["get", "com.example.note/inner"],
            &["get", "com.example.note/blob"],
            &["mst"],
            &["log"],
            &["diff", "HEAD", "good.car"],
            &["blob", "missing"],
            &["unpack", "out"],
        ] {
            for json in [&[][..], &["--json"]] {
                let args = ["-R", file].into_iter().chain(args.iter().chain(json).copied());
                assert_tame(&home.pds(args.map(str::to_owned)).ended());
            }
            let _ = std::fs::remove_dir_all(home.path("out"));
        }
        for json in [&["clone", file, "copy"][..], &["clone", file, "copy", "--json"]] {
            assert_tame(&home.pds(json.iter().map(|arg| (*arg).to_owned())).ended());
            let _ = std::fs::remove_dir_all(home.path("copy"));
        }
    }
}

#[test]
fn the_text_of_a_record_survives_the_escaping() {
    let home = Home::new();
    home.write("all.car", Car::of(records()).file());
    let get = ["-R", "all.car", "get", "com.example.note/good"];
    let text = home.pds(get).ok();
    let json = home.pds(get.into_iter().chain(["--json"])).ok();
    for value in [
        serde_json::from_str::<serde_json::Value>(&text).unwrap(),
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["value"].clone(),
    ] {
        assert_eq!((&value["text"], &value[EVIL]), (&EVIL.into(), &EVIL.into()));
    }
    let bytes = home.pds(get.into_iter().chain(["--cbor"])).ended().stdout;
    assert_eq!(bytes, records()[0].1.bytes());
}

#[test]
fn a_hostile_header_or_commit_cannot_drive_the_terminal() {
    let home = Home::new();
    let car = Car::of([]);
    let file = car.file();
    let (_, body) = file.split_at(1 + usize::from(file[0]));
    let header = |header: Value| {
        let header = header.encode();
        [&[u8::try_from(header.len()).unwrap()][..], &header, body].concat()
    };
    let roots = || Value::from_iter([Value::Link(car.commit.cid())]);
    let version = || Value::from(1);
    home.write(
        "key.car",
        header(Value::from([("roots", roots()), ("version", version()), (EVIL, version())])),
    );
    home.write(
        "roots.car",
        header(Value::from([("roots", Value::from(EVIL)), ("version", version())])),
    );
    home.write(
        "version.car",
        header(Value::from([("roots", roots()), ("version", Value::from(EVIL))])),
    );
    let key = SigningKey::generate(Curve::K256).unwrap();
    for (name, did, field) in [("field.car", DID, EVIL), ("did.car", EVIL, "rev")] {
        let mut fields = match Value::decode(car.commit.block().bytes()).unwrap() {
            Value::Map(fields) => fields,
            other => panic!("{other:?}"),
        };
        fields.insert("did", did);
        fields.insert(field, EVIL);
        fields.remove("sig");
        let signature = key.sign(&Value::Map(fields.clone()).encode()).unwrap();
        fields.insert("sig", signature.as_bytes().as_slice());
        let commit = cbor(&Value::Map(fields));
        let mut odd = Car::of([]);
        odd.blocks[0] = commit.clone();
        home.write(name, odd.file_with_roots(&[commit.cid()]));
    }
    for file in ["key.car", "roots.car", "version.car", "field.car", "did.car"] {
        for args in [
            &["verify", file][..],
            &["-R", file, "info"],
            &["clone", file, file.trim_end_matches(".car")],
        ] {
            for json in [&[][..], &["--json"]] {
                let args = args.iter().chain(json).map(|arg| (*arg).to_owned());
                assert_tame(&home.pds(args).ended());
            }
        }
    }
}

#[test]
fn hostile_input_is_quoted_tamely_in_errors() {
    let repo = TestRepo::new();
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let evil = json(EVIL);
    for input in [
        EVIL.to_owned(),
        format!("{{{evil}:1,{evil}:2}}"),
        format!("{{\"$type\":{evil}}}"),
        format!("{{\"$type\":\"com.example.note\",{evil}:{{\"$type\":1}}}}"),
        format!("{{{evil}:{{\"$link\":{evil}}}}}"),
    ] {
        for extra in [&[][..], &["--json"]] {
            let put = ["put", "com.example.note/a"].into_iter().chain(extra.iter().copied());
            assert_tame(&repo.pds(put).stdin(input.clone()).ended());
        }
    }
    for line in [
        format!("{{\"action\":{evil},\"collection\":\"com.example.note\"}}"),
        format!("{{\"action\":\"put\",\"collection\":{evil}}}"),
        format!("{{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":{evil}}}"),
        EVIL.to_owned(),
    ] {
        for extra in [&[][..], &["--json"]] {
            let apply = ["apply"].into_iter().chain(extra.iter().copied());
            let ended = repo.pds(apply).stdin(line.clone()).ended();
            assert_eq!(ended.code(), 3, "{line}");
            assert_tame(&ended);
        }
    }
    let bidi_free = EVIL.replace('\r', "");
    for args in [
        vec!["-R", &bidi_free, "ls"],
        vec!["verify", &bidi_free],
        vec!["tid", &bidi_free],
        vec!["-R", "alice", "ls", "--at", &bidi_free],
        vec!["-R", "alice", "get", &bidi_free],
        vec!["-R", "alice", "get", &bidi_free, "--json"],
        vec!["init", "x", "--did", &bidi_free],
    ] {
        let ended = repo.home.pds(args.iter().map(|arg| (*arg).to_owned())).ended();
        assert_ne!(ended.code(), 0, "{args:?}");
        assert_tame(&ended);
    }
}
