//! Every lie of the proxy, and what it makes of an export or a blob.

use std::io::Read;
use std::sync::OnceLock;
use std::time::Duration;

use flate2::read::GzDecoder;
use pds_e2e::http::{Answer, MOST};
use pds_e2e::liar::rule::Padding;
use pds_e2e::{Account, Home, Liar, Lie, Rule, Servers, car, http};

/// An account behind a proxy. All tests read the same account.
struct Behind {
    account: &'static Account<'static>,
    liar: Liar,
    export: Vec<u8>,
    home: Home,
}

impl Behind {
    fn new(servers: &'static Servers) -> Self {
        static ACCOUNT: OnceLock<Account<'static>> = OnceLock::new();
        let account = ACCOUNT.get_or_init(|| {
            let account = Account::create(servers, 0);
            account.act("bulk", &["400"]);
            account.act("blobs", &["1", "1000"]);
            account
        });
        let liar = Liar::before(&account.host().url);
        let export = account.sync("getRepo", "").body;
        assert!(export.len() > 64 << 10);
        Self { account, liar, export, home: Home::new() }
    }

    /// Returns the export that comes through the proxy while it lies.
    fn export_with(&self, lie: Lie) -> Answer {
        self.liar.reset();
        self.liar.add(Rule::every("getRepo", lie));
        self.get("getRepo")
    }

    fn get(&self, method: &str) -> Answer {
        http::get(&self.account.sync_url(self.liar.url(), method))
    }

    /// Verifies a file, which must end with an exit code, and returns all that was printed.
    fn verify(&self, file: &[u8], code: i32) -> String {
        std::fs::write(self.home.path("a.car"), file).unwrap();
        let ended = self.home.pds(["verify", "a.car", "--key", &self.account.key()]);
        ended.with(code);
        ended.stdout + &ended.stderr
    }
}

#[test]
fn an_honest_proxy_changes_nothing_and_counts() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let answer = behind.get("getRepo");
    assert_eq!((answer.status, &answer.body), (200, &behind.export));
    assert_eq!(answer.header("content-type"), Some("application/vnd.ipld.car"));
    behind.verify(&answer.body, 0);
    behind.get("getLatestCommit");
    let seen = behind.liar.seen("");
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].status, seen[0].bytes), (200, behind.export.len() as u64));
    assert_eq!(behind.liar.seen("getLatestCommit").len(), 1);
    assert_eq!(behind.liar.bytes("getRepo"), behind.export.len() as u64);
}

#[test]
fn a_body_ends_early() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let half = behind.export.len() / 2;
    for (lie, is_clean) in [(Lie::EndAfter(half as u64), true), (Lie::CutAfter(half as u64), false)]
    {
        let answer = behind.export_with(lie.clone());
        assert_eq!(answer.error.is_none(), is_clean, "{lie:?}: {:?}", answer.error);
        assert_eq!(answer.body, behind.export[..half], "{lie:?}");
        behind.verify(&answer.body, 1);
    }
    behind.liar.reset();
    behind.liar.add(Rule::every("getRepo", Lie::StallAfter(half as u64)));
    let url = behind.account.sync_url(behind.liar.url(), "getRepo");
    let answer = http::try_get(&url, PATIENCE).unwrap();
    assert!(answer.error.is_some());
    assert_eq!(answer.body, behind.export[..half]);
    assert!(behind.liar.is_stalled());
}

#[test]
fn bytes_of_a_body_differ() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let (_, blocks) = car::blocks(&behind.export);
    let (block, other) = (&blocks[blocks.len() / 2], &blocks[blocks.len() / 3]);
    let at = car::offset(&behind.export, block) + block.bytes().len() / 2;
    let flipped = behind.export_with(Lie::FlipBit(at as u64)).body;
    let different: Vec<usize> =
        (0..flipped.len()).filter(|at| flipped[*at] != behind.export[*at]).collect();
    assert_eq!((flipped.len(), different), (behind.export.len(), vec![at]));
    assert!(behind.verify(&flipped, 1).contains(&block.cid().to_string()));

    let (from, to) = (block.clone(), other.clone());
    let answer = behind.export_with(Lie::change(move |car| car::with_bytes_of(&car, &from, &to)));
    assert_ne!(answer.body, behind.export);
    assert!(behind.verify(&answer.body, 1).contains(&block.cid().to_string()));

    let missing = block.cid();
    let answer = behind.export_with(Lie::change(move |car| {
        let (roots, mut blocks) = car::blocks(&car);
        blocks.retain(|block| block.cid() != missing);
        car::file(&roots, &blocks)
    }));
    assert!(behind.verify(&answer.body, 1).contains(&missing.to_string()));
    let slowly =
        behind.export_with(Lie::Slowly { bytes: 8 << 10, pause: Duration::from_millis(1) });
    assert_eq!(slowly.body, behind.export);
}

#[test]
fn fields_of_json_and_bytes_of_blobs_differ() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let liar = &behind.liar;
    liar.add(Rule::every("getLatestCommit", Lie::change_json(|json| json["rev"] = "2".into())));
    let (cid, _) = behind.account.head();
    let head = behind.get("getLatestCommit").json();
    assert_eq!((head["cid"].as_str(), head["rev"].as_str()), (Some(&*cid), Some("2")));

    let blobs = behind.account.sync("listBlobs", "").json();
    let more = format!("&cid={}", blobs["cids"][0].as_str().unwrap());
    let blob = behind.account.sync("getBlob", &more).body;
    let url = behind.account.sync_url(liar.url(), "getBlob") + &more;
    liar.add(Rule::nth(0, "getBlob", Lie::change(|blob| [&*blob, b"x"].concat())));
    liar.add(Rule::nth(0, "getBlob", Lie::change(|blob| blob[1..].to_vec())));
    liar.add(Rule::nth(0, "getBlob", Lie::change(|blob| vec![0; blob.len()])));
    assert_eq!(http::get(&url).body, [&*blob, b"x"].concat());
    assert_eq!(http::get(&url).body, blob[1..]);
    assert_eq!(http::get(&url).body, vec![0; blob.len()]);
    assert_eq!(http::get(&url).body, blob);
}

#[test]
fn bodies_and_headers_without_end() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let zeros = Padding { after: u64::MAX, bytes: vec![0; 100].into() };
    let answer = behind.export_with(Lie::Endless(zeros.clone()));
    assert!(answer.body.starts_with(&behind.export));
    assert_eq!((answer.body.len() as u64, answer.error.is_some()), (MOST, false));

    for layers in [1, 2] {
        let answer = behind.export_with(Lie::GzipBomb { layers, padding: zeros.clone() });
        let names = ["gzip", "gzip, gzip"];
        assert_eq!(answer.header("content-encoding"), Some(names[layers - 1]));
        // Little on the wire becomes many megabytes.
        let little = &answer.body[..behind.export.len() + 100_000];
        let mut decoded: Box<dyn Read> = Box::new(GzDecoder::new(little));
        if layers == 2 {
            decoded = Box::new(GzDecoder::new(decoded));
        }
        let mut bytes = Vec::new();
        decoded.take(MOST).read_to_end(&mut bytes).unwrap();
        assert!(bytes.starts_with(&behind.export));
        assert_eq!(bytes.len() as u64, MOST);
    }

    behind.liar.reset();
    behind.liar.add(Rule::every("", Lie::EndlessHeaders));
    assert!(
        http::try_get(&behind.account.sync_url(behind.liar.url(), "getRepo"), PATIENCE).is_err()
    );
}

#[test]
fn answers_that_no_host_gave() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let answer = behind.export_with(Lie::rate_limited("99999999"));
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("99999999")));
    let answer = behind.export_with(Lie::error(503, "NotEnoughResources"));
    assert_eq!((answer.status, &answer.json()["error"]), (503, &"NotEnoughResources".into()));
    let answer = behind.export_with(Lie::redirect("http://10.0.0.1/"));
    assert_eq!((answer.status, answer.header("location")), (302, Some("http://10.0.0.1/")));
    let answer = behind.export_with(Lie::answer(200, "text/html", &[], "<html>"));
    assert_eq!((answer.status, &*answer.body), (200, &b"<html>"[..]));
    assert_eq!(answer.header("content-type"), Some("text/html"));
}

#[test]
fn a_rule_fits_one_request_or_the_first_ones() {
    let Some(servers) = Servers::shared() else { return };
    let behind = Behind::new(servers);
    let statuses = |rule: Rule| -> Vec<u16> {
        behind.liar.reset();
        behind.liar.add(rule);
        (0..4).map(|_| behind.get("getLatestCommit").status).collect()
    };
    let lie = || Lie::error(500, "InternalServerError");
    assert_eq!(statuses(Rule::nth(1, "sync", lie())), [200, 500, 200, 200]);
    assert_eq!(statuses(Rule::first(2, "getLatestCommit", lie())), [500, 500, 200, 200]);
    assert_eq!(statuses(Rule::every("did=", lie())), [500; 4]);
    assert_eq!(statuses(Rule::every("getRepo", lie())), [200; 4]);
}

/// A proxy that says nothing for this long has stalled.
const PATIENCE: Duration = Duration::from_secs(2);
