//! `verify`, and its other name `fsck`.

use serde_json::Value;

use crate::common::{Car, Home, TestRepo, masked, note};

#[test]
fn verify_of_a_repository_checks_everything_against_its_own_key() {
    let repo = TestRepo::with_notes();
    for verb in ["verify", "fsck"] {
        assert_eq!(
            masked(&repo.pds([verb]).ok()),
            "ok: did:web:alice.example.com rev <tid 1>, 3 records, 2 nodes, 13 blocks, complete, \
             signature valid, 0 errors, 0 warnings\n"
        );
    }
    assert_eq!(
        masked(&repo.pds(["verify", "--json"]).ok()),
        "{\"blocks\":13,\"commit\":\"<cid 1>\",\"complete\":true,\"data\":\"<cid 2>\",\
         \"did\":\"did:web:alice.example.com\",\"findings\":[],\"nodes\":2,\"ok\":true,\
         \"records\":3,\"rev\":\"<tid 1>\",\"signature\":\"valid\",\"version\":3}\n"
    );
}

#[test]
fn verify_of_a_file_checks_what_it_is_told_to_expect() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let key = repo.pds(["key", "show"]).ok();
    let verify = |args: &[&str]| {
        let args = ["verify", &file].into_iter().chain(args.iter().copied());
        repo.home.pds(args.map(str::to_owned)).ended()
    };
    assert!(verify(&[]).done().contains("signature unchecked"));
    assert!(verify(&["--key", key.trim_end()]).done().contains("signature valid"));
    let other = verify(&["--did", "did:web:bob.example.com"]);
    assert_eq!(other.code(), 1);
    assert_eq!(
        masked(other.text().lines().next().unwrap()),
        "error did-mismatch <cid 1>: the account is did:web:alice.example.com, expected \
         did:web:bob.example.com"
    );
    let stranger = TestRepo::new().pds(["key", "show"]).ok();
    let forged = verify(&["--key", stranger.trim_end()]);
    assert_eq!(forged.code(), 1);
    let text = forged.text();
    assert!(text.starts_with("error signature-invalid bafyrei"), "{text}");
    assert!(text.ends_with("signature invalid, 1 error, 0 warnings\n"), "{text}");
}

#[test]
fn verify_names_every_finding_with_its_place() {
    let home = Home::new();
    let float =
        pds::data::Block::new(pds::data::Codec::Cbor, *b"\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18");
    let car = Car::of([
        (b"com.example.note/a".to_vec(), float),
        (b"com.example.note/b".to_vec(), note("good")),
        (b"no path".to_vec(), note("misplaced")),
    ]);
    let file = home.write("odd.car", car.file());
    let ended = home.pds(["verify", &file]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (1, ""));
    assert_eq!(
        masked(&ended.text()),
        "error record-undecodable com.example.note/a <cid 1>: byte 0: floats are not in the data \
         model\n\
         error path-invalid no path: a record path is a collection, a slash and a record key\n\
         FAILED: did:web:alice.example.com rev <tid 1>, 3 records, 3 nodes, 7 blocks, complete, \
         signature unchecked, 2 errors, 0 warnings\n"
    );
    let ended = home.pds(["verify", &file, "--json"]).ended();
    assert_eq!(ended.code(), 1);
    let report: Value = serde_json::from_str(&ended.text()).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(
        masked(&report["findings"].to_string()),
        "[{\"cid\":\"<cid 1>\",\"code\":\"record-undecodable\",\
         \"message\":\"byte 0: floats are not in the data model\",\
         \"path\":\"com.example.note/a\",\"severity\":\"error\",\"stage\":\"record\"},\
         {\"code\":\"path-invalid\",\
         \"message\":\"a record path is a collection, a slash and a record key\",\
         \"path\":\"no path\",\"severity\":\"error\",\"stage\":\"path\"}]"
    );
}

#[test]
fn verify_names_the_byte_where_a_file_is_cut() {
    let repo = TestRepo::with_notes();
    let mut bytes = std::fs::read(repo.export("backup.car")).unwrap();
    bytes.pop();
    let ended = repo.home.pds(["verify", "-"]).stdin(bytes).ended();
    assert_eq!(ended.code(), 1);
    let text = ended.text();
    assert!(text.starts_with("error car-truncated byte "), "{text}");
    assert!(text.contains("\nerror record-missing com.example.note/c bafyrei"), "{text}");
    assert!(text.contains(", partial, "), "{text}");
}

#[test]
fn verify_of_no_repository_at_all_is_bad_input() {
    let home = Home::new();
    home.write("empty.car", "");
    let ended = home.pds(["verify", "empty.car"]).ended();
    assert_eq!(ended.code(), 3);
    assert_eq!(
        ended.text(),
        "error car-header: empty.car is empty\nFAILED: no readable repository\n"
    );
    let ended = home.pds(["verify", "empty.car", "--json"]).ended();
    assert_eq!(ended.code(), 3);
    assert_eq!(
        ended.text(),
        "{\"blocks\":0,\"commit\":null,\"complete\":false,\"data\":null,\"did\":null,\
         \"findings\":[{\"code\":\"car-header\",\"message\":\"empty.car is empty\",\
         \"severity\":\"error\",\"stage\":\"car\"}],\"nodes\":0,\"ok\":false,\"records\":0,\
         \"rev\":null,\"signature\":\"unchecked\",\"version\":null}\n"
    );
    assert_eq!(home.pds(["verify", "gone.car"]).fails(3), "error: no file gone.car\n");
    let said = home.pds(["verify", "gone.car", "--json"]).fails(3);
    assert_eq!(said, "{\"error\":\"bad-input\",\"message\":\"no file gone.car\"}\n");
    home.pds(["verify"]).fails(3);
}

#[test]
fn verify_of_a_directory_says_how_to_name_a_repository() {
    let repo = TestRepo::new();
    assert_eq!(
        repo.home.pds(["verify", "alice"]).fails(3),
        "error: alice is a directory, not a file\nhint: use -R DIR for a repository\n"
    );
}

#[test]
fn verify_of_the_blobs_of_a_file_is_a_mistake() {
    let repo = TestRepo::new();
    let file = repo.export("backup.car");
    let said = repo.home.pds(["verify", &file, "--blobs"]).fails(2);
    assert_eq!(said, "error: --blobs needs a repository; a CAR file has no blobs\n");
    let said = repo.home.pds(["-R", &file, "verify", "--blobs", "--json"]).fails(2);
    assert!(said.starts_with("{\"error\":\"usage\","), "{said}");
}
