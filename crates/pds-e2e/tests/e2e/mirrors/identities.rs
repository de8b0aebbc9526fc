//! Directories and documents that change: exit code 1, and a copy that is as before.

use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_e2e::home::ended;
use pds_e2e::{Account, Forged, Liar, Lie, Rule, Servers, WebIdentity};

use serde_json::Value as Json;

use super::Mirror;

#[test]
fn a_directory_with_another_past_is_refused() {
    let Some(mut mirror) = Mirror::new("10", "1") else { return };
    let plc = Liar::before(mirror.servers.plc());
    mirror.plc = plc.url().to_owned();
    mirror.clone().with(0);
    mirror.account.act("change", &["5", "1"]);
    let before = std::fs::read(mirror.home.path("copy/pds.db")).unwrap();
    let lies = [
        ("another past", Lie::change_json(|log| log[0]["createdAt"] = OTHER_TIME.into())),
        ("name another", Lie::change_json(|log| drop(log.as_array_mut().unwrap().pop()))),
    ];
    for (text, lie) in lies {
        plc.reset();
        plc.add(Rule::every("/log/audit", lie));
        let pulled = mirror.pull();
        eprintln!("{:?} {}", pulled.code, pulled.stderr.trim());
        pulled.with(1);
        assert!(pulled.stderr.contains(text), "{text}: {}", pulled.stderr);
        assert_eq!(std::fs::read(mirror.home.path("copy/pds.db")).unwrap(), before, "{text}");
    }
    // A log without valid signatures is an answer, so that the stored documents do not count.
    plc.reset();
    let lie = |log: &mut Json| log[1]["operation"]["alsoKnownAs"][0] = "at://a.test".into();
    plc.add(Rule::every("/log/audit", Lie::change_json(lie)));
    mirror.pull().with(4);
    assert_eq!(std::fs::read(mirror.home.path("copy/pds.db")).unwrap(), before);
    let log = std::fs::read_to_string(mirror.home.path("copy/identity/plc.json")).unwrap();
    assert!(!log.contains("at://a.test"), "{log}");
    plc.reset();
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn damaged_copies_of_an_identity_are_findings() {
    let Some(mirror) = Mirror::new("1", "1") else { return };
    mirror.clone().with(0);
    let check = || ended(&mut mirror.command(&["-R", "copy", "identity", "check"]), b"");
    let whole = check();
    assert!(!whole.with(1).contains("stored-identity"), "{}", whole.stdout);
    for file in ["upstream.json", "identity/plc.json", "identity/did.json"] {
        let path = mirror.home.path("copy").join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, "garbage").unwrap();
        let checked = check();
        let finding = format!("error stored-identity-unreadable: copy/{file} cannot be used");
        assert!(checked.with(1).contains(&finding), "{}", checked.stdout);
        std::fs::write(&path, before).unwrap();
    }
}

/// Returns a clone of an account of did:web behind the proxy, with its identity and its key.
fn cloned_web() -> Option<(WebIdentity, Mirror, String)> {
    let servers = Servers::shared()?;
    let web = WebIdentity::new();
    let mirror = Mirror::at(Account::of_web(servers, &web), servers);
    mirror.account.act("bulk", &["10"]);
    let truth = mirror.account.signing_key().public_key().multikey();
    web.name(&mirror.account.handle, mirror.liar.url(), &truth);
    mirror.clone().with(0);
    Some((web, mirror, truth))
}

#[test]
fn a_did_web_that_names_another_key_is_refused() {
    let Some((web, mirror, truth)) = cloned_web() else { return };
    mirror.assert_equal();

    mirror.account.act("change", &["5", "1"]);
    let before = std::fs::read(mirror.home.path("copy/pds.db")).unwrap();
    let other = SigningKey::generate(Curve::K256).unwrap().public_key().multikey();
    web.name(&mirror.account.handle, mirror.liar.url(), &other);
    let pulled = mirror.pull();
    pulled.with(1);
    assert!(pulled.stderr.contains(&other) && pulled.stderr.contains(&truth), "{}", pulled.stderr);
    assert_eq!(std::fs::read(mirror.home.path("copy/pds.db")).unwrap(), before);
    web.name(&mirror.account.handle, mirror.liar.url(), &truth);
    mirror.pull().with(0);
    mirror.assert_equal();
}

#[test]
fn a_new_key_of_a_did_web_is_accepted_by_its_name() {
    let Some((web, mirror, _)) = cloned_web() else { return };

    let [next, other] = [(); 2].map(|()| SigningKey::generate(Curve::P256).unwrap());
    web.name(&mirror.account.handle, mirror.liar.url(), &next.public_key().multikey());
    let show = || {
        mirror.account.act("bulk", &["1"]);
        mirror.liar.reset();
        let file = mirror.account.sync("getRepo", "").body;
        Forged::of(&file).signed(&next, |_| ()).show_on(&mirror.liar);
    };
    let pull = |key: Option<&SigningKey>| {
        let key = key.map(|key| format!("--key={}", key.public_key().did_key()));
        let arguments: Vec<&str> =
            ["-R", "copy", "pull"].into_iter().chain(key.as_deref()).collect();
        ended(&mut mirror.command(&arguments), b"")
    };
    show();
    let before = mirror.info()["commit"].clone();
    for key in [None, Some(&other)] {
        let pulled = pull(key);
        pulled.with(1);
        let hint = format!("--key {} accepts it", next.public_key().did_key());
        assert!(pulled.stderr.contains(&hint), "{}", pulled.stderr);
        assert_eq!(mirror.info()["commit"], before);
    }
    pull(Some(&next)).with(0);
    let accepted = mirror.info();
    assert_ne!(accepted["commit"], before);
    assert_eq!(accepted["signingKey"], next.public_key().did_key());
    // The new key is the stored one now.
    show();
    pull(None).with(0);
    assert_ne!(mirror.info()["commit"], accepted["commit"]);
    mirror.home.pds(["-R", "copy", "verify", "--history"]).with(0);
}

/// A time before all tests.
const OTHER_TIME: &str = "2020-01-01T00:00:00.000Z";

#[test]
fn an_account_that_was_ended_has_a_log() {
    let Some(servers) = Servers::shared() else { return };
    let mirror = Mirror::at(Account::create(servers, 0), servers);
    mirror.account.act("tombstone", &[]);
    let run = |verb| ended(&mut mirror.command(&["identity", verb, &mirror.account.did]), b"");
    let log = run("log");
    let last = log.with(0).lines().last().unwrap();
    assert!(last.contains("\tthe account was ended\t"), "{}", log.stdout);
    let checked = run("check");
    assert!(checked.with(1).starts_with("error tombstone: "), "{}", checked.stdout);
    let shown = run("show");
    shown.with(4);
    assert!(shown.stderr.contains("was ended by the last operation"), "{}", shown.stderr);
    let host = ended(&mut mirror.command(&["identity", "show", "https://pds.example.com"]), b"");
    host.with(2);
    assert!(host.stderr.contains("is a host, and not an account"), "{}", host.stderr);
    let unused = ["identity", "log", &mirror.account.did, "--rotation-key", "key"];
    ended(&mut mirror.command(&unused), b"").with(2);
}
