//! Proofs, judged by verifiers in JavaScript: `@atproto/repo`, the library of the reference server, and `@atcute`.
//!
//! `.ci/javascript` installs them in the target directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use pds::car::CarReader;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use serde_json::{Value as Json, json};

use super::path;
use super::proofs::{Signed, blocks_of, car_of, proven, record};

const JUDGE: &str = include_str!("../javascript/judge.mjs");

/// A directory with the verifiers.
struct Judges {
    dir: PathBuf,
}

/// A claim about one path, with its proof.
struct Claim {
    path: RecordPath,
    cid: Option<Cid>,
    car: Vec<u8>,
}

impl Claim {
    fn of(repo: &Signed, path: &RecordPath, is_present: bool) -> Self {
        let cid = is_present.then(|| record(path).cid());
        Self { path: path.clone(), cid, car: repo.prove(path) }
    }
}

/// Returns the verifiers, or `None` if they are not installed. With `PDS_NODE_REQUIRED`, they must be.
fn judges() -> Option<Judges> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../javascript");
    if dir.join("node_modules").is_dir() {
        return Some(Judges { dir });
    }
    let message = "the JavaScript verifiers are not installed: run bash .ci/javascript";
    assert!(std::env::var_os("PDS_NODE_REQUIRED").is_none(), "{message}");
    eprintln!("skipped: {message}");
    None
}

impl Judges {
    /// Runs `judge.mjs` with lines of JSON, and returns its answers, one for each line.
    fn run(&self, arguments: &[&str], lines: &[Json]) -> Vec<Json> {
        // The imports of a script are looked up next to it.
        let mut script = tempfile::Builder::new();
        let mut script = script.prefix("judge-").suffix(".mjs").tempfile_in(&self.dir).unwrap();
        script.write_all(JUDGE.as_bytes()).unwrap();
        let mut node = Command::new("node");
        node.arg(script.path()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = node.spawn().unwrap();
        let mut input = running.stdin.take().unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        // The script reads all of its input before it writes.
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let ended = running.wait_with_output().unwrap();
        assert!(ended.status.success());
        let answers = String::from_utf8(ended.stdout).unwrap();
        let answers: Vec<Json> =
            answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), lines.len());
        answers
    }

    /// Returns the reasons of both verifiers against each claim; `None` if a verifier accepts it.
    fn verdicts(&self, repo: &Signed, claims: &[Claim]) -> Vec<[Option<String>; 2]> {
        let key = repo.key().public_key().did_key();
        let line = |claim: &Claim| {
            json!({
                "did": super::did().as_str(), "key": key, "collection": claim.path.collection.as_str(),
                "rkey": claim.path.rkey.as_str(), "cid": claim.cid.map(|cid| cid.to_string()), "car": BASE64.encode(&claim.car),
            })
        };
        let answers = self.run(&["verify"], &claims.iter().map(line).collect::<Vec<_>>());
        let reason = |answer: &Json, judge: &str| answer[judge].as_str().map(str::to_owned);
        answers
            .iter()
            .map(|answer| ["atproto", "atcute"].map(|judge| reason(answer, judge)))
            .collect()
    }

    fn assert_accepted(&self, repo: &Signed, claims: &[Claim]) {
        for (claim, verdict) in claims.iter().zip(self.verdicts(repo, claims)) {
            assert_eq!(verdict, [None, None], "{} {:?} {}", claim.path, claim.cid, repo.origin());
        }
    }

    fn assert_refused(&self, repo: &Signed, claims: &[Claim]) {
        for (claim, verdict) in claims.iter().zip(self.verdicts(repo, claims)) {
            let is_refused = verdict.iter().all(Option::is_some);
            assert!(is_refused, "{} {:?} {verdict:?} {}", claim.path, claim.cid, repo.origin());
        }
    }

    /// Returns the proofs of the reference server for some paths.
    fn prove(&self, repo: &Signed, paths: &[(RecordPath, bool)]) -> Vec<Vec<u8>> {
        let file = self.dir.join(format!("{}-{}.car", std::process::id(), repo.origin()));
        fs::write(&file, exported(repo)).unwrap();
        let line = |(path, _): &(RecordPath, bool)| json!({ "collection": path.collection.as_str(), "rkey": path.rkey.as_str() });
        let lines: Vec<Json> = paths.iter().map(line).collect();
        let answers = self.run(&["prove", file.to_str().unwrap()], &lines);
        fs::remove_file(&file).unwrap();
        let car = |answer: Json| BASE64.decode(answer["car"].as_str().unwrap().as_bytes()).unwrap();
        answers.into_iter().map(car).collect()
    }
}

fn exported(repo: &Signed) -> Vec<u8> {
    let mut car = Vec::new();
    export_car(repo.snapshot(), &mut car, &mut |_| {}).unwrap();
    car
}

/// Flips a bit of one block. (The first verifier ignores a wrong length of the last section.)
fn damage(car: &mut [u8], number: usize) {
    let mut reader = CarReader::new(&*car).unwrap();
    let mut places = Vec::new();
    while let Some(section) = reader.next_section().unwrap() {
        places.push((section.cid_offset + 36, section.block.bytes().len()));
    }
    let (start, len) = places[number % places.len()];
    car[usize::try_from(start).unwrap() + number % len] ^= 1;
}

/// A sequence of numbers that differs each time; a failure names its start.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed >> 33) % below as u64).unwrap()
    }

    fn path(&mut self) -> RecordPath {
        let collection =
            ["com.example.note", "app.bsky.feed.post", "app.bsky.graph.follow", "a.b.c"];
        let rkey = (0..1 + self.next(13)).map(|_| char::from(b"234567abcxyz-_:~."[self.next(17)]));
        let rkey: String = rkey.collect();
        let rkey = if matches!(&*rkey, "." | "..") { "self".to_owned() } else { rkey };
        path(&format!("{}/{rkey}", collection[self.next(4)]))
    }
}

/// Returns random repositories with random paths that they have, and random paths that they do not have. There are a
/// thousand paths of each kind, or somewhat more.
fn repositories() -> Vec<(Signed, Vec<(RecordPath, bool)>)> {
    let mut start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    let sizes = [0, 1, 2, 3, 8, 30, 100, 400, 2_000];
    let repository = |size| {
        start += 1;
        let mut numbers = Numbers(start);
        let paths: BTreeSet<RecordPath> = (0..size).map(|_| numbers.path()).collect();
        let chosen: Vec<RecordPath> = paths.iter().cloned().collect();
        let present = chosen.iter().filter(|_| size < 500 || numbers.next(3) == 0);
        let mut claims: Vec<_> = present.map(|path| (path.clone(), true)).collect();
        for _ in 0..claims.len().max(20) {
            let absent = numbers.path();
            if !paths.contains(&absent) {
                claims.push((absent, false));
            }
        }
        let curve = if size % 2 == 0 { Curve::K256 } else { Curve::P256 };
        let key = SigningKey::from_bytes(curve, &[7; 32]).unwrap();
        (Signed::by(key, paths, start), claims)
    };
    let repositories: Vec<_> = sizes.map(repository).into();
    for kind in [true, false] {
        let claims = repositories.iter().flat_map(|(_, claims)| claims);
        let count = claims.filter(|(_, is_present)| *is_present == kind).count();
        assert!(count >= 1_000, "{count}");
    }
    repositories
}

#[test]
fn verifiers_in_javascript_accept_our_proofs_and_we_accept_those_of_the_server() {
    let Some(judges) = judges() else { return };
    for (repo, paths) in repositories() {
        let claims: Vec<Claim> =
            paths.iter().map(|(path, is_present)| Claim::of(&repo, path, *is_present)).collect();
        judges.assert_accepted(&repo, &claims);
        let theirs = judges.prove(&repo, &paths);
        for (claim, theirs) in claims.iter().zip(theirs) {
            let what = format!("{} {}", claim.path, repo.origin());
            for car in [&claim.car, &theirs] {
                let found = proven(car, &claim.path, &repo.keys()).unwrap();
                assert_eq!(found.record.as_ref().map(|record| record.cid()), claim.cid, "{what}");
                found.require_exact().unwrap();
            }
            let cids = |car: &[u8]| blocks_of(car).iter().map(|block| block.cid()).collect();
            let [ours, theirs]: [BTreeSet<Cid>; 2] = [cids(&claim.car), cids(&theirs)];
            assert_eq!(ours, theirs, "{what}");
        }
    }
}

#[test]
fn verifiers_in_javascript_refuse_what_a_proof_does_not_show() {
    let Some(judges) = judges() else { return };
    let mut refused_by_both = 0;
    for (repo, paths) in repositories() {
        let (mut untrue, mut short) = (Vec::new(), Vec::new());
        for (number, (path, is_present)) in paths.iter().enumerate().step_by(4) {
            let whole = || Claim::of(&repo, path, *is_present);
            let blocks = blocks_of(&whole().car);
            // The opposite of the claim.
            untrue.push(Claim { cid: (!is_present).then(|| record(path).cid()), ..whole() });
            // A damaged record, node or commit.
            let mut damaged = whole();
            damage(&mut damaged.car, number);
            proven(&damaged.car, path, &repo.keys()).unwrap_err();
            untrue.push(damaged);
            // Every beginning of the proof is too short for us, or for these verifiers.
            for end in 1..blocks.len() {
                let car = car_of(blocks[0].cid(), &blocks[..end]);
                match proven(&car, path, &repo.keys()) {
                    Ok(found) => {
                        assert!(found.ends_above.is_some());
                        short.push(Claim { car, ..whole() });
                        break;
                    }
                    Err(_) if end + 1 == blocks.len() => untrue.push(Claim { car, ..whole() }),
                    Err(_) => {}
                }
            }
        }
        judges.assert_refused(&repo, &untrue);
        // This is why `prove` writes the whole descent. The second verifier stops early if the key is above the root.
        for [atproto, atcute] in judges.verdicts(&repo, &short) {
            assert!(atproto.is_some(), "{}", repo.origin());
            refused_by_both += usize::from(atcute.is_some());
        }
    }
    assert!(refused_by_both > 20, "{refused_by_both}");
}

#[test]
fn verifiers_in_javascript_accept_whole_exports_as_we_do() {
    let Some(judges) = judges() else { return };
    for (repo, paths) in repositories() {
        let car = exported(&repo);
        let step = 1 + paths.len() / 8;
        let claim = |(path, is_present): &(RecordPath, bool)| {
            let found = proven(&car, path, &repo.keys()).unwrap();
            assert_eq!(found.record.is_some(), *is_present, "{path}");
            Claim { car: car.clone(), ..Claim::of(&repo, path, *is_present) }
        };
        let claims: Vec<Claim> = paths.iter().step_by(step).map(claim).collect();
        judges.assert_accepted(&repo, &claims);
    }
}
