//! Key files of other programs: those that are read, and those that are named.

use std::process::Command;

use pds::crypto::{Curve, SigningKey};

use crate::common::{DID, Home, TestRepo};

/// Runs `key import` on a file, in a mirror of a repository that the key has signed.
fn mirror_of(key: &SigningKey) -> Home {
    let home = Home::new();
    home.pds(["init", "alice", "--did", DID, "--key", "-"])
        .stdin(key.to_multikey().as_bytes())
        .ok();
    home.pds(["-R", "alice", "export", "-o", "alice.car"]).ended().done();
    home.pds(["clone", "alice.car", "mirror"]).ok();
    home
}

#[test]
fn the_32_bytes_of_the_reference_server_are_a_key() {
    // The second secret is text in part, and the third has a zero byte.
    for secret in [
        [7; 32],
        *b"\xffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05",
    ] {
        for curve in [Curve::K256, Curve::P256] {
            let key = SigningKey::from_bytes(curve, &secret).unwrap();
            let home = mirror_of(&key);
            home.write("raw", secret);
            let name = curve.to_string();
            let args = ["-R", "mirror", "key", "import", "raw", "--curve", &name];
            assert_eq!(home.pds(args).ok(), format!("{}\n", key.public_key().did_key()));
            home.pds(["-R", "mirror", "put", "com.example.note/x"]).stdin("{\"text\":\"x\"}").ok();
            let said = home.pds(["-R", "mirror", "verify", "--history"]).ended().done();
            assert!(said.contains("signature valid"), "{said}");
            home.pds(["init", "bob", "--did", DID, "--key", "raw", "--curve", &name]).ok();
        }
    }
}

#[test]
fn a_key_with_a_byte_order_mark_is_read() {
    let key = SigningKey::generate(Curve::P256).unwrap();
    let home = mirror_of(&key);
    home.write("key.txt", format!("\u{feff}{}\r\n", &*key.to_multikey()));
    home.pds(["-R", "mirror", "key", "import", "key.txt"]).ok();
}

#[test]
fn other_key_files_are_named_with_the_way_out() {
    let repo = TestRepo::new();
    let public = repo.pds(["key", "show"]).ok();
    for (content, kind) in [
        ("-----BEGIN EC PRIVATE KEY-----\nMHQCAQ==\n-----END EC PRIVATE KEY-----\n", "a PEM file"),
        ("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}", "a JWK"),
        (
            "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
            "a JWK of a public key",
        ),
        ("{\"error\":\"NotFound\"}", "JSON, but not a JWK"),
        (public.as_str(), "a public key"),
        (public.trim_start_matches("did:key:"), "a public key"),
    ] {
        repo.home.write("file", content);
        let said = repo.pds(["key", "import", "file"]).fails(3);
        let line = format!("error: not a signing key: the file is {kind}\nhint: ");
        assert!(said.starts_with(&line), "{said}");
        repo.home.pds(["init", "other", "--did", DID, "--key", "file"]).fails(3);
    }
    for content in
        [&b""[..], b"hello", b"01234567890123456789012345678901", &[0; 32], &[9; 31], &[9; 33]]
    {
        repo.home.write("file", content);
        let said = repo.pds(["key", "import", "file"]).fails(3);
        assert!(said.starts_with("error: not a signing key: "), "{said}");
    }
}

/// Runs the command of a hint with the name of a file in it.
fn follow(home: &Home, said: &str, file: &str) -> String {
    let hint = said.split("hint: ").nth(1).unwrap();
    let command = hint.split("    ").next().unwrap().trim().replace("FILE", file);
    home.sh(&command.replace("pds key", "pds -R mirror key")).ended().done()
}

#[test]
fn the_ways_out_of_other_key_files_work() {
    let has = |program: &str, arg: &str| Command::new(program).arg(arg).output().is_ok();
    let key = SigningKey::from_bytes(Curve::K256, &[0x9f; 32]).unwrap();
    let did_key = format!("{}\n", key.public_key().did_key());
    if has("openssl", "version") {
        let home = mirror_of(&key);
        // The PKCS #8 form of the secret.
        let der = [
            &[0x30, 0x3e, 2, 1, 0, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1][..],
            &[6, 5, 0x2b, 0x81, 4, 0, 0x0a, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20],
            &[0x9f; 32],
        ]
        .concat();
        let text = data_encoding::BASE64.encode(&der);
        home.write(
            "k.pem",
            format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"),
        );
        let said = home.pds(["-R", "mirror", "key", "import", "k.pem"]).fails(3);
        assert_eq!(follow(&home, &said, "k.pem"), did_key);
    }
    if has("jq", "--version") {
        let home = mirror_of(&key);
        let d = data_encoding::BASE64URL_NOPAD.encode(&[0x9f; 32]);
        home.write("k.jwk", format!("{{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"d\":\"{d}\"}}"));
        let said = home.pds(["-R", "mirror", "key", "import", "k.jwk"]).fails(3);
        assert_eq!(follow(&home, &said, "k.jwk"), did_key);
    }
}

#[test]
fn a_new_key_is_not_written_to_standard_output() {
    let home = Home::new();
    let said = home.pds(["key", "new", "-"]).fails(2);
    assert!(said.starts_with("error: a secret key is written to a file"), "{said}");
    assert_eq!(home.list("."), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn a_discarded_secret_that_is_left_is_named() {
    let repo = TestRepo::with_notes();
    let dir = repo.home.dir();
    let elsewhere = dir.join("elsewhere");
    std::fs::rename(dir.join("alice/key"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.join("alice/key")).unwrap();
    let old = std::fs::read(&elsewhere).unwrap();
    let said = repo.pds(["key", "rotate", "--discard-old", "--yes"]).fails(6);
    let path = elsewhere.canonicalize().unwrap();
    let expected = format!("the old secret was not erased from {}: ", path.display());
    assert!(said.contains(&expected) && said.contains("do not rotate the key again"), "{said}");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), old);
    assert!(!dir.join("alice/key.old").exists());
    // The rotation is complete.
    repo.pds(["put", "com.example.note/after"]).stdin("{}").ok();
    repo.pds(["verify", "--history"]).ok();
}
