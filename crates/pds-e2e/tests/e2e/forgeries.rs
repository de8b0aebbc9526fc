//! Repositories that no host has: what `verify` says of them, and a proxy that claims to have one.

use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::syntax::tid::Tid;
use pds_e2e::forge::{high_s, micros};
use pds_e2e::{Account, Forged, Home, Liar, Servers, car, http};

#[test]
fn verify_reports_what_is_wrong_with_a_forged_repository() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("bulk", &["20"]);
    let (key, home) = (account.signing_key(), Home::new());
    assert_eq!(key.public_key().did_key(), account.key());
    let truth = Forged::of(&account.sync("getRepo", "").body);
    let other = SigningKey::generate(Curve::K256).unwrap();
    let value = truth.blocks()[0].cid();
    let again = |change: fn(&mut _)| truth.clone().signed(&key, change);

    let other_did = "did:web:other.example.com";
    let cases = [
        (0, "signature valid", truth.clone()),
        (0, "signature valid", again(|_| ())),
        (0, other_did, again(|commit| commit.did = "did:web:other.example.com".parse().unwrap())),
        (1, "rev-in-future", again(|commit| commit.rev = Tid::new(micros() + HOUR, 0).unwrap())),
        (1, "signature-invalid", truth.clone().signed(&other, |_| ())),
        (1, "signature-invalid", truth.clone().with_signature(|bytes| bytes[40] ^= 1)),
        (1, "signature-high-s", truth.clone().with_signature(high_s)),
        (1, "path-invalid", truth.clone().with_node(&key, &[(b"no-slash", value)])),
        (1, "node-invalid", truth.clone().with_node(&key, &[(b"a.b/b", value), (b"a.b/a", value)])),
        (1, "-missing", truth.without(value)),
    ];
    for (code, text, forged) in cases {
        std::fs::write(home.path("a.car"), forged.car()).unwrap();
        let ended = home.pds(["verify", "a.car", "--key", &account.key()]);
        let printed = ended.with(code);
        assert!(printed.contains(text), "{text}: {printed}");
    }
}

#[test]
fn a_proxy_claims_a_forged_repository() {
    let Some(servers) = Servers::shared() else { return };
    let account = Account::create(servers, 0);
    account.act("bulk", &["20"]);
    let truth = Forged::of(&account.sync("getRepo", "").body);
    let forged = truth.signed(&account.signing_key(), |_| ());
    let liar = Liar::before(&account.host().url);
    forged.show_on(&liar);
    let get = |method: &str, more: &str| http::get(&(account.sync_url(liar.url(), method) + more));
    assert_eq!(get("getRepo", "").body, forged.car());
    let head = get("getLatestCommit", "").json();
    assert_eq!(head["cid"], forged.head().to_string());
    assert_ne!(forged.head().to_string(), account.head().0);
    assert_eq!(get("getRepoStatus", "").json()["rev"], forged.rev());
    let asked = [forged.head(), forged.blocks()[3].cid()];
    let (_, blocks) =
        car::blocks(&get("getBlocks", &format!("&cids={}&cids={}", asked[0], asked[1])).body);
    assert_eq!(blocks.iter().map(|block| block.cid()).collect::<Vec<_>>(), asked);
}

/// Microseconds.
const HOUR: u64 = 3_600_000_000;
