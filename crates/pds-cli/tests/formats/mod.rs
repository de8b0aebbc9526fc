//! Exports of records in the formats of other programs, and reading them back.

mod csv_files;
mod directories;
mod generated;
mod ndjson;
mod real_repositories;

use pds::data::{Block, Codec, Value};

use crate::common::{Car, Home, TestRepo, note};

/// A repository with collections and keys of many kinds.
fn varied() -> TestRepo {
    let repo = TestRepo::new();
    let line = |path: &str, value: &str| format!("{{\"path\":\"{path}\",\"value\":{value}}}\n");
    let lines = [
        line("com.example.note/a", r#"{"text":"plain","n":-5,"createdAt":"2024-02-03T04:05:06Z"}"#),
        line("com.example.note/3jzfcijpj2z2a", r#"{"text":"a, \"b\"\nc","big":9007199254740993}"#),
        line(
            "com.example.note/A",
            r#"{"text":"=1+1","deep":{"a.b":null,"is":true,"list":[1,{}]}}"#,
        ),
        line(
            "com.example.note/-x:~._",
            r#"{"text":"\u202e\u0007 ünï 🐈","bytes":{"$bytes":"AQID"}}"#,
        ),
        line("com.example.noteTwo/con", r#"{"uri":"at://x","cid":"no","text":""}"#),
        line(
            "com.example-b.note/self",
            r#"{"link":{"$link":"bafyreif75gi4ejz4kvcjz64czy55b5i7vn6bfcbe54czzxjhwokhhyqg6q"}}"#,
        ),
    ];
    repo.pds(["apply"]).stdin(lines.concat()).ok();
    repo
}

/// A CAR file in which a record has no JSON form, one cannot be decoded, and one is missing.
fn odd_car(home: &Home) {
    let reserved = Value::from([("$link", Value::from("x")), ("text", Value::from("odd"))]);
    let reserved = Block::new(Codec::Cbor, reserved.encode());
    let float = Block::new(Codec::Cbor, [0xa1, 0x61, b'x', 0xf9, 0x3c, 0x00]);
    let missing = note("missing");
    let key = |rkey: &str| format!("com.example.note/{rkey}").into_bytes();
    let mut car = Car::of([
        (key("a"), note("good")),
        (key("b"), reserved),
        (key("c"), float),
        (key("d"), missing.clone()),
        (key("e"), note("=also good")),
    ]);
    car.blocks.retain(|block| block.cid() != missing.cid());
    home.write("odd.car", car.file());
}

/// The root of the tree of a repository.
fn data(home: &Home, repo: &str) -> String {
    let info = home.pds(["-R", repo, "info", "--json"]).ok();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    info["data"].as_str().unwrap().to_owned()
}
