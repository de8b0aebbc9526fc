//! `prove` and `verify-proof`.

use serde_json::Value;

use crate::common::{Ended, TestRepo, creations, masked};

fn key(repo: &TestRepo) -> String {
    repo.pds(["key", "show"]).ok().trim_end().to_owned()
}

fn verify(repo: &TestRepo, car: &str, path: &str, keys: &[&str]) -> Ended {
    let args = ["verify-proof", car, path].into_iter().chain(keys.iter().copied());
    repo.home.pds(args).ended()
}

#[test]
fn a_record_is_proven_present_and_another_absent() {
    let repo = TestRepo::with_notes();
    let (key, cid) = (key(&repo), repo.put("a", "a"));
    let ended = repo.pds(["prove", "com.example.note/a", "-o", "a.car"]).ended();
    assert_eq!(ended.done(), format!("present {cid}\n"));
    let said = masked(&ended.stderr);
    assert!(
        said.starts_with("did:web:alice.example.com at rev <tid 1> (<time 1>)\n3 blocks, "),
        "{said}"
    );
    assert!(said.ends_with(" bytes\n"), "{said}");
    let ended = repo.pds(["prove", "com.example.note/x", "-o", "x.car"]).ended();
    assert_eq!(ended.done(), "absent\n");

    // The check needs only the file and the key.
    std::fs::remove_dir_all(repo.home.path("alice")).unwrap();
    let ended = verify(&repo, "a.car", "com.example.note/a", &["--key", &key]);
    assert_eq!(
        masked(&ended.stderr),
        "did:web:alice.example.com at rev <tid 1> (<time 1>), signed with <key 1>\n"
    );
    let shown = ended.done();
    let value = "{\n  \"text\": \"a\",\n  \"$type\": \"com.example.note\"\n}\n";
    assert_eq!(shown, format!("present {cid}\n{value}"));
    let uri = "at://did:web:alice.example.com/com.example.note/x";
    for path in ["com.example.note/x", uri] {
        assert_eq!(verify(&repo, "x.car", path, &["--key", &key]).done(), "absent\n");
    }
    let shown = verify(&repo, "a.car", "com.example.note/a", &["--key", &key, "--json"]).done();
    assert_eq!(
        masked(&shown),
        "{\"cid\":\"<cid 1>\",\"commit\":{\"cid\":\"<cid 2>\",\"rev\":\"<tid 1>\"},\
         \"did\":\"did:web:alice.example.com\",\"notes\":[],\"signingKey\":\"<key 1>\",\
         \"time\":\"<time 1>\",\"uri\":\"at://did:web:alice.example.com/com.example.note/a\",\
         \"value\":{\"text\":\"a\",\"$type\":\"com.example.note\"}}\n"
    );
    let shown = verify(&repo, "x.car", "com.example.note/x", &["--key", &key, "--json"]).done();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["cid"], &shown["value"]), (&Value::Null, &Value::Null));
}

#[test]
fn prove_reads_files_and_earlier_states_and_writes_to_standard_output() {
    let repo = TestRepo::with_notes();
    let key = key(&repo);
    let file = repo.export("backup.car");
    let before = repo.pds(["prove", "com.example.note/c", "--at", "HEAD~1"]).ended();
    assert!(before.stderr.starts_with("absent\n"), "{}", before.stderr);
    repo.home.write("before.car", &before.stdout);
    let of_file = repo.home.pds(["-R", &file, "prove", "com.example.note/c", "-o", "-"]).ended();
    assert!(of_file.stderr.starts_with("present bafyrei"), "{}", of_file.stderr);
    repo.home.write("now.car", &of_file.stdout);
    let keys = ["--key", &key];
    assert_eq!(verify(&repo, "before.car", "com.example.note/c", &keys).done(), "absent\n");
    let piped = repo.home.pds(["verify-proof", "-", "com.example.note/c", "--key", &key]);
    assert!(piped.stdin(of_file.stdout).ended().done().starts_with("present "));
    // A proof is an ordinary CAR file.
    let partial = repo.home.pds(["verify", "now.car", "--partial", "--key", &key]).ok();
    assert!(partial.contains("signature valid"), "{partial}");
    let json = repo.json(["prove", "com.example.note/c", "-o", "c.car"]);
    assert_eq!(json["uri"], "at://did:web:alice.example.com/com.example.note/c");
    assert_eq!(json["bytes"], repo.home.read("c.car").len());
    assert!(json["cid"].is_string() && json["commit"]["rev"].is_string());
    let blocks = pds::car::CarReader::new(&repo.home.read("c.car")[..]).unwrap().count();
    assert_eq!(json["blocks"], blocks);
}

#[test]
fn a_whole_export_is_a_proof_and_strict_refuses_it() {
    let repo = TestRepo::with_many_notes(50);
    let (key, file) = (key(&repo), repo.export("backup.car"));
    let all = repo.pds(["ls", "--all"]).ok();
    let (present, cid) = all.lines().next().unwrap().split_once('\t').unwrap();
    let absent = format!("{present}x");
    for (path, said) in [(present, format!("present {cid}\n")), (&absent, "absent\n".to_owned())] {
        let ended = verify(&repo, &file, path, &["--key", &key]);
        assert!(ended.text().starts_with(&said) && ended.code() == 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("note: the file has "), "{}", ended.stderr);
        let notes = verify(&repo, &file, path, &["--key", &key, "--json"]).done();
        let notes: Value = serde_json::from_str(&notes).unwrap();
        assert_eq!(notes["notes"].as_array().map(Vec::len), Some(1));
        let ended = verify(&repo, &file, path, &["--key", &key, "--strict"]);
        assert_eq!((ended.code(), ended.text()), (1, String::new()));
        assert!(
            ended.stderr.contains("blocks that are not part of this proof"),
            "{}",
            ended.stderr
        );
        repo.pds(["prove", path, "-o", "exact.car", "--force"]).ended().done();
        let ended = verify(&repo, "exact.car", path, &["--key", &key, "--strict"]);
        assert!(ended.code() == 0 && !ended.stderr.contains("note: "), "{}", ended.stderr);
    }
    // The same file from standard input.
    let piped = repo.home.pds(["verify-proof", "-", &absent, "--key", &key]);
    assert_eq!(piped.stdin(repo.home.read("backup.car")).ended().done(), "absent\n");
}

#[test]
fn a_short_descent_to_an_absent_key_is_a_proof_and_strict_refuses_it() {
    let repo = TestRepo::with_many_notes(200);
    let key = key(&repo);
    let mut shortened = 0;
    for n in 0..20 {
        let path = format!("com.example.note/x{n}");
        repo.pds(["prove", &path, "-o", "whole.car", "--force"]).ended().done();
        let whole = repo.home.read("whole.car");
        let blocks: Vec<_> =
            pds::car::CarReader::new(&whole[..]).unwrap().map(Result::unwrap).collect();
        let mut car = pds::car::CarWriter::new(Vec::new(), &[blocks[0].cid()]).unwrap();
        blocks[..blocks.len() - 1].iter().for_each(|block| car.block(block.borrowed()).unwrap());
        repo.home.write("short.car", car.finish().unwrap());
        let ended = verify(&repo, "short.car", &path, &["--key", &key]);
        if ended.code() == 1 {
            assert!(ended.stderr.contains("tree node"), "{}", ended.stderr);
            continue;
        }
        let last = blocks[blocks.len() - 1].cid();
        assert_eq!(ended.text(), "absent\n");
        let note = format!("note: the descent ends above node {last}");
        assert!(ended.stderr.contains(&note), "{}", ended.stderr);
        let strict = verify(&repo, "short.car", &path, &["--key", &key, "--strict"]);
        assert_eq!(strict.code(), 1);
        assert!(
            strict.stderr.contains(&format!("tree node {last} is missing")),
            "{}",
            strict.stderr
        );
        shortened += 1;
    }
    assert!(shortened > 0);
}

#[test]
fn prove_refuses_to_overwrite() {
    let repo = TestRepo::with_notes();
    repo.home.write("a.car", "precious");
    let said = repo.pds(["prove", "com.example.note/a", "-o", "a.car"]).fails(1);
    assert_eq!(said, "error: a.car exists\nhint: use --force to overwrite it\n");
    assert_eq!(repo.home.read("a.car"), b"precious");
    repo.pds(["prove", "com.example.note/a", "-o", "a.car", "--force"]).ended().done();
    assert_ne!(repo.home.read("a.car"), b"precious");
    repo.pds(["prove", "at://did:web:bob.example.com/com.example.note/a"]).fails(1);
}

#[test]
fn a_proof_that_fails_says_why() {
    let repo = TestRepo::with_notes();
    let key = key(&repo);
    repo.pds(["prove", "com.example.note/a", "-o", "a.car"]).ended().done();
    let keys = ["--key", &*key];
    let fails = |car: &str, path: &str, keys: &[&str]| {
        let ended = verify(&repo, car, path, keys);
        assert_eq!((ended.code(), ended.text()), (1, String::new()));
        masked(&ended.stderr)
    };
    let stranger = self::key(&TestRepo::new());
    assert_eq!(
        fails("a.car", "com.example.note/a", &["--key", &stranger]),
        "error: a.car is not a valid proof: commit <cid 1>: not signed with <key 1>: signature does \
         not match the message and the key\n"
    );
    let uri = "at://did:web:bob.example.com/com.example.note/a";
    let said = fails("a.car", uri, &keys);
    assert!(said.contains("not of did:web:bob.example.com"), "{said}");
    let said = fails("a.car", "com.example.note/zzz", &["--key", &key, "--strict"]);
    assert!(said.starts_with("error: a.car is not a valid proof: "), "{said}");
    let whole = repo.home.read("a.car");
    repo.home.write("cut.car", &whole[..whole.len() - 1]);
    let said = fails("cut.car", "com.example.note/a", &keys);
    assert!(said.contains("the file ends in the middle of a section"), "{said}");
    let json = verify(&repo, "cut.car", "com.example.note/a", &["--key", &key, "--json"]);
    assert!(json.stderr.starts_with("{\"error\":\"proof-failed\","), "{}", json.stderr);

    repo.home.write("text.car", "no CAR file at all");
    repo.home.write("empty.car", "");
    for car in ["text.car", "empty.car", "gone.car"] {
        assert_eq!(verify(&repo, car, "com.example.note/a", &keys).code(), 3, "{car}");
    }
    for keys in [&[][..], &["--key", &key, "--did-doc", "x"], &["--key", "x"]] {
        assert_eq!(verify(&repo, "a.car", "com.example.note/a", keys).code(), 2, "{keys:?}");
    }
}

#[test]
fn a_changed_byte_anywhere_in_a_proof_is_noticed() {
    let repo = TestRepo::new();
    repo.pds(["apply"]).stdin(creations(0..50)).ok();
    let key = key(&repo);
    repo.pds(["prove", "com.example.note/n000017", "-o", "n.car"]).ended().done();
    let mut bytes = repo.home.read("n.car");
    let step = bytes.len() / 60;
    for at in (0..bytes.len()).step_by(step) {
        bytes[at] ^= 1 << (at % 8);
        repo.home.write("n.car", &bytes);
        let ended = verify(&repo, "n.car", "com.example.note/n000017", &["--key", &key]);
        assert!([1, 3].contains(&ended.code()), "byte {at}");
        assert_eq!(ended.text(), "", "byte {at}");
        bytes[at] ^= 1 << (at % 8);
    }
    repo.home.write("n.car", &bytes);
    verify(&repo, "n.car", "com.example.note/n000017", &["--key", &key]).done();
}

#[test]
fn a_did_document_says_whose_key_it_is() {
    let repo = TestRepo::with_notes();
    let multikey = key(&repo).trim_start_matches("did:key:").to_owned();
    let document = |did: &str| {
        format!(
            "{{\"id\":\"{did}\",\"verificationMethod\":[{{\"id\":\"{did}#atproto\",\
             \"type\":\"Multikey\",\"controller\":\"{did}\",\"publicKeyMultibase\":\"{multikey}\"}}]}}"
        )
    };
    repo.home.write("did.json", document("did:web:alice.example.com"));
    repo.home.write("bob.json", document("did:web:bob.example.com"));
    let with = |file: &str| {
        let args = ["prove", "com.example.note/a", "-o", "a.car", "--with-identity", file];
        repo.pds(args).ended()
    };
    let refused = with("bob.json");
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr.contains("bob.json does not match the proof: "), "{}", refused.stderr);
    assert!(repo.home.list("").iter().all(|name| !name.starts_with("a.car")));
    with("did.json").done();
    assert_eq!(repo.home.read("a.car.did.json"), repo.home.read("did.json"));
    let shown = verify(&repo, "a.car", "com.example.note/a", &["--did-doc", "a.car.did.json"]);
    assert!(shown.done().starts_with("present "));
    let wrong = verify(&repo, "a.car", "com.example.note/a", &["--did-doc", "bob.json"]);
    assert_eq!(wrong.code(), 1);
    assert!(
        wrong.stderr.contains("the key belongs to did:web:bob.example.com"),
        "{}",
        wrong.stderr
    );
    // Nothing is written if another file is in the way.
    std::fs::remove_file(repo.home.path("a.car")).unwrap();
    assert_eq!(with("did.json").code(), 1);
    assert!(!repo.home.list("").contains(&"a.car".to_owned()));
    repo.home.write("text", "no JSON");
    assert_eq!(with("text").code(), 3);
    let args = ["prove", "com.example.note/a", "--with-identity", "did.json"];
    let said = repo.pds(args).fails(2);
    assert!(said.contains("needs -o FILE"), "{said}");
    let twice = ["prove", "com.example.note/a", "-o", "b.car"];
    let twice = twice.into_iter().chain(["--with-identity", "did.json"].repeat(2));
    repo.pds(twice).fails(2);
}
