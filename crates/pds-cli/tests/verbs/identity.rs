//! The options that name the account and its keys: the same on every verb that judges a signature.

use pds::car::CarWriter;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Codec};
use pds::mst::EMPTY_NODE;
use serde_json::json;

use super::help_examples::verbs_in;
use crate::common::{Directory, Home};

/// The forms in which the keys of an account are given.
struct Forms {
    home: Home,
    good: Vec<[String; 2]>,
    /// The keys of another account, and another key of this account.
    bad: Vec<[String; 2]>,
}

impl Forms {
    /// An account with a note, in the files `alice.car`, `alice.json` and `alice.plc.json`.
    fn new() -> Self {
        let home = Home::new();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (name, curve) in [("alice", Curve::K256), ("bob", Curve::P256)] {
            let key = SigningKey::generate(curve).unwrap();
            let directory = Directory::with(&key, 60);
            home.pds(["init", name, "--did", &directory.did, "--key", "-"])
                .stdin(key.to_multikey().as_bytes())
                .ok();
            home.pds(["-R", name, "put", "com.example.note/a"]).stdin("{\"text\":\"hi\"}").ok();
            home.pds(["-R", name, "export", "--chain", "-o", &format!("{name}.car")])
                .ended()
                .done();
            let public = key.public_key();
            let (doc, log) = (format!("{name}.json"), format!("{name}.plc.json"));
            home.write(&doc, format!("\u{feff}{}", document(&directory.did, &public.multikey())));
            home.write(&log, directory.json());
            let forms = if name == "alice" { &mut good } else { &mut bad };
            forms.extend(
                [
                    ["--key", &public.did_key()],
                    ["--key", &public.multikey()],
                    ["--did-doc", &doc],
                    ["--plc-log", &log],
                ]
                .map(|form| form.map(str::to_owned)),
            );
            if name == "bob" {
                forms.push(["--did".to_owned(), directory.did]);
            } else {
                good.push(["--did".to_owned(), directory.did]);
            }
        }
        Self { home, good, bad }
    }

    /// Runs a verb with every form. `{n}` in an argument is the number of the form.
    fn check(&self, verb: &[&str], needs_key: bool) {
        for (forms, is_good) in [(&self.good, true), (&self.bad, false)] {
            for (n, form) in forms.iter().enumerate() {
                if needs_key && form[0] == "--did" {
                    continue;
                }
                let n = format!("{}{n}", if is_good { "good" } else { "bad" });
                let args = verb.iter().map(|arg| arg.replace("{n}", &n)).chain(form.clone());
                let ended = self.home.pds(args).ended();
                let code = if is_good { 0 } else { 1 };
                assert_eq!(
                    ended.code(),
                    code,
                    "{verb:?} {form:?}: {}{}",
                    ended.text(),
                    ended.stderr
                );
            }
        }
    }
}

fn document(did: &str, multikey: &str) -> String {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "verificationMethod": [{
            "id": format!("{did}#atproto"),
            "type": "Multikey",
            "controller": did,
            "publicKeyMultibase": multikey,
        }],
    })
    .to_string()
}

#[test]
fn every_verb_that_judges_a_signature_takes_every_form() {
    let forms = Forms::new();
    let home = &forms.home;
    forms.check(&["verify", "alice.car"], false);
    forms.check(&["-R", "alice", "verify"], false);
    forms.check(&["-R", "alice.car", "verify"], false);
    forms.check(&["-R", "alice", "log"], false);
    forms.check(&["-R", "alice.car", "log"], false);
    forms.check(&["clone", "alice.car", "clone-{n}"], false);
    home.pds(["-R", "alice", "prove", "com.example.note/a", "-o", "proof.car"]).ended().done();
    forms.check(&["verify-proof", "proof.car", "com.example.note/a"], true);
    home.pds(["verify-proof", "proof.car", "com.example.note/a", "--did", "did:web:a.b"]).fails(2);
    forms.check(&["-R", "alice", "merge", "alice.car"], false);
    forms.check(&["-R", "alice", "merge", "HEAD"], false);
    forms.check(&["-R", "alice", "import", "alice.car"], false);
    home.pds(["-R", "alice", "verify", "--history"]).ok();
    forms.check(&["-R", "alice", "repair"], false);
    for (forms, code) in [(&forms.good, 0), (&forms.bad, 1)] {
        for (n, form) in forms.iter().enumerate() {
            let mirror = format!("mirror-{code}-{n}");
            home.pds(["clone", "alice.car", &mirror]).ended().done();
            let import = ["-R", &mirror, "key", "import", "alice/key"].map(str::to_owned);
            let ended = home.pds(import.into_iter().chain(form.clone())).ended();
            assert_eq!(ended.code(), code, "{form:?}: {}", ended.stderr);
            assert_eq!(
                std::path::Path::new(&home.path(&format!("{mirror}/key"))).exists(),
                code == 0
            );
        }
    }
}

#[test]
fn a_did_that_no_account_can_have_is_a_warning() {
    let home = Home::new();
    for (did, reason) in [
        ("did:plc:z72i7hdynmk6r22z27h6tvu", "a did:plc has 24 characters of a-z and 2-7"),
        ("did:web:example.com:alice", "the did:web of an account has no path"),
    ] {
        let dir = did.replace(':', "-");
        let ended = home.pds(["init", &dir, "--did", did]).ended();
        ended.done();
        let warning = format!("no account can have {did}: {reason}");
        assert_eq!(ended.stderr, format!("warning: {warning}\n"));
        let json = home.pds(["init", &format!("{dir}-2"), "--did", did, "--json"]).ended().done();
        assert!(json.contains(&format!("\"warnings\":[\"{warning}\"]")), "{json}");
        let said = home.pds(["-R", &dir, "verify", "--did", did]).ended();
        assert_eq!((said.code(), said.stderr), (0, format!("warning: {warning}\n")));
    }
}

#[test]
fn an_account_and_a_file_of_another_account_are_a_contradiction() {
    let forms = Forms::new();
    let did = &forms.bad[4][1];
    for file in [["--did-doc", "alice.json"], ["--plc-log", "alice.plc.json"]] {
        let args = ["verify", "alice.car", "--did", did].into_iter().chain(file);
        let said = forms.home.pds(args).fails(1);
        assert!(said.contains("the file with the keys belongs to did:plc:"), "{said}");
    }
    forms.home.pds(["verify", "alice.car", "--key", "z", "--did-doc", "alice.json"]).fails(2);
    forms.home.pds(["verify", "alice.car", "--did-doc", "a", "--plc-log", "b"]).fails(2);
}

#[test]
fn a_document_without_a_key_says_that_the_account_has_none() {
    let forms = Forms::new();
    let did = &forms.good[4][1];
    forms.home.write("none.json", json!({ "id": did }).to_string());
    for verb in [&["verify", "alice.car"][..], &["clone", "alice.car", "copy"]] {
        let ended = forms.home.pds(verb.iter().copied().chain(["--did-doc", "none.json"])).ended();
        assert_eq!(ended.code(), 1);
        let said = format!("{}{}", ended.text(), ended.stderr);
        assert!(said.contains("the account had no key"), "{said}");
    }
}

/// An empty repository of an account, whose only commit has this rev.
fn empty_car(did: &str, key: &SigningKey, rev: &str) -> Vec<u8> {
    let tree = Block::new(Codec::Cbor, EMPTY_NODE);
    let (did, rev) = (did.parse().unwrap(), rev.parse().unwrap());
    let commit = UnsignedCommit { did, data: tree.cid(), rev, prev: None }.sign(key).unwrap();
    let mut car = CarWriter::new(Vec::new(), &[commit.cid()]).unwrap();
    for block in [commit.block(), &tree] {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

#[test]
fn a_rev_that_counts_commits_is_not_called_forged() {
    let home = Home::new();
    let keys = [Curve::K256, Curve::P256, Curve::K256].map(|c| SigningKey::generate(c).unwrap());
    let [old, new, stranger] = &keys;
    let mut directory = Directory::with(old, 60);
    directory.rotate_to(new, -30);
    home.write("log.json", directory.json());
    for (key, code, finding) in [
        (old, 0, "warning key-former"),
        (new, 0, "note key-at-rev"),
        (stranger, 1, "error signature-invalid"),
    ] {
        home.write("counted.car", empty_car(&directory.did, key, "222222vgj7e22"));
        let log = ["--plc-log", "log.json"];
        let verified = home.pds(["verify", "counted.car"].into_iter().chain(log)).ended();
        let said = verified.text();
        assert_eq!(verified.code(), code, "{said}");
        if code == 0 {
            let public = key.public_key().did_key();
            assert!(said.starts_with(finding) && said.contains(&public), "{said}");
            assert!(said.contains("; rev 222222vgj7e22 is from before the account"), "{said}");
        } else {
            assert!(said.contains(finding) && !said.contains("another-time"), "{said}");
        }
        let dir = format!("copy-{}", key.public_key().multikey());
        let cloned = home.pds(["clone", "counted.car", &dir].into_iter().chain(log)).ended();
        assert_eq!(cloned.code(), code, "{}", cloned.stderr);
        if code == 0 {
            home.pds(["-R", &dir, "verify"]).ok();
        }
    }
}

#[test]
fn a_former_key_proves_nothing_in_silence_with_a_rev_that_is_no_time() {
    let home = Home::new();
    let [old, new] = [Curve::K256, Curve::P256].map(|curve| SigningKey::generate(curve).unwrap());
    let mut directory = Directory::with(&old, 60);
    directory.rotate_to(&new, -30);
    home.write("log.json", directory.json());
    // Two counters, and a time from before the account.
    for rev in ["2222222222k2c", "222222vgj7e22", "3jzfcijpj2z2a"] {
        for (key, is_former) in [(&old, true), (&new, false)] {
            home.write("proof.car", empty_car(&directory.did, key, rev));
            let pds = |args: &[&str]| {
                let args = args.iter().copied().chain(["--plc-log", "log.json"]);
                home.pds(args).ended()
            };
            let proof = ["verify-proof", "proof.car", "com.example.note/a"];
            let shown = pds(&proof);
            assert_eq!((shown.code(), &*shown.text()), (0, "absent\n"), "{}", shown.stderr);
            let first = shown.stderr.lines().next().unwrap();
            assert!(first.contains(&format!(" at rev {rev}, signed with ")), "{first}");
            let note = format!("note: rev {rev} is not a time of the account");
            assert!(shown.stderr.contains(&note), "{}", shown.stderr);
            let is_noted = shown.stderr.contains("the key is a former one");
            assert_eq!(is_noted, is_former, "{}", shown.stderr);
            let json = pds(&[&proof[..], &["--json"]].concat()).done();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["time"], serde_json::Value::Null);
            assert_eq!(json["notes"].as_array().unwrap().len(), 1);

            let strict = pds(&[&proof[..], &["--strict"]].concat());
            assert_eq!(strict.code(), i32::from(is_former), "{}", strict.stderr);
            let said = format!("a former key of the account, and rev {rev} does not say when");
            assert_eq!(strict.stderr.contains(&said), is_former, "{}", strict.stderr);
            let log = pds(&["-R", "proof.car", "log"]);
            assert_eq!((log.code(), log.stderr.contains(&said)), (0, is_former), "{}", log.stderr);
        }
    }
}

#[test]
fn a_log_that_ends_before_the_commit_is_named() {
    let home = Home::new();
    let [old, new] = [Curve::K256, Curve::P256].map(|curve| SigningKey::generate(curve).unwrap());
    let directory = Directory::with(&old, 60);
    home.write("log.json", directory.json());
    home.pds(["init", "alice", "--did", &directory.did, "--key", "-"])
        .stdin(new.to_multikey().as_bytes())
        .ok();
    for verb in [&["verify"][..], &["log"]] {
        let args = ["-R", "alice"].iter().chain(verb).chain(&["--plc-log", "log.json"]).copied();
        let ended = home.pds(args).ended();
        assert_eq!(ended.code(), 1);
        let said = format!("{}{}", ended.text(), ended.stderr);
        assert!(
            said.contains("; the log ends 20") && said.contains("a newer log may have the key"),
            "{said}"
        );
    }
}

/// The options with a value of a verb, and whether it takes arguments, as its help says.
fn options(help: &str) -> Vec<String> {
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    let options = lines.filter(|line| line.contains('<'));
    let long = |line: &str| {
        let at = line.find("--")?;
        line[at..].split([' ', '=']).next().map(str::to_owned)
    };
    options.filter_map(long).collect()
}

#[test]
fn a_secret_that_is_given_as_an_argument_is_never_repeated() {
    let home = Home::new();
    home.pds(["init", "alice", "--did", "did:web:alice.example.com"]).ok();
    let key = SigningKey::generate(Curve::K256).unwrap();
    let secret = key.to_multikey().to_string();
    let hex = "0123456789abcdef".repeat(4);
    let help = home.pds(["--help"]).ok();
    let verbs = verbs_in(&help);
    assert!(verbs.contains(&"key".to_owned()) && verbs.len() > 20, "{verbs:?}");
    let mut runs = 0;
    for verb in verbs.iter().map(String::as_str) {
        let paths: Vec<Vec<&str>> = match verb {
            "key" => ["show", "new", "import", "rotate"].map(|name| vec![verb, name]).into(),
            "blob" => ["put", "get", "export"].map(|name| vec![verb, name]).into(),
            "ref" => ["set", "rm"].map(|name| vec![verb, name]).into(),
            _ => vec![vec![verb]],
        };
        for path in paths {
            let help = home.pds(path.iter().copied().chain(["--help"])).ok();
            for secret in [&secret, &hex] {
                let mut tails: Vec<Vec<String>> = vec![
                    vec![secret.clone()],
                    vec!["com.example.note/a".to_owned(), secret.clone()],
                ];
                for option in options(&help) {
                    tails.push(vec![option.clone(), secret.clone()]);
                    tails.push(vec!["alice".to_owned(), format!("{option}={secret}")]);
                }
                for tail in tails {
                    for json in [&[][..], &["--json"]] {
                        let args = path.iter().map(|arg| (*arg).to_owned()).chain(tail.clone());
                        let args = ["-R", "alice"].map(str::to_owned).into_iter().chain(args);
                        let args = args.chain(json.iter().map(|arg| (*arg).to_owned()));
                        let ended = home.pds(args).ended();
                        // The answer of a command that succeeded may be a name that the user gave.
                        let stdout = if ended.code() == 0 { &[][..] } else { &ended.stdout };
                        let said = String::from_utf8_lossy(stdout) + ended.stderr.as_str();
                        assert!(!said.contains(secret.as_str()), "{path:?} {tail:?}: {said}");
                        runs += 1;
                    }
                }
            }
        }
    }
    assert!(runs > 300, "{runs}");
}

#[test]
fn a_secret_in_place_of_a_public_key_is_explained() {
    let home = Home::new();
    home.pds(["init", "alice", "--did", "did:web:alice.example.com"]).ok();
    let secret = String::from_utf8(home.read("alice/key")).unwrap();
    let said = home.pds(["-R", "alice", "verify", "--key", secret.trim()]).fails(2);
    assert!(said.contains("it is a signing key, which is secret"), "{said}");
    assert!(said.contains("pds key import FILE") && !said.contains(secret.trim()), "{said}");
    let said = home.pds(["-R", "alice", "verify", "--key", "did:key:x"]).fails(2);
    assert!(said.contains("the value of --key is not a public key"), "{said}");
}
