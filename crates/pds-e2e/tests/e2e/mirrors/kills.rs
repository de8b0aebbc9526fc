//! Clones and pulls that are killed: the same command finishes, and fetches nothing complete twice.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pds_e2e::Home;
use pds_e2e::kill::{End, Moment, run};

use super::Mirror;

/// Random numbers, whose seed is printed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("PDS_E2E_SEED").ok().map(|seed| seed.parse().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = seed.unwrap_or_else(|| u64::from(now.subsec_nanos()));
        eprintln!("PDS_E2E_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % most
    }

    /// A moment of a run that fetches some bytes.
    fn moment(&mut self, bytes: u64) -> Moment {
        if self.below(2) == 0 {
            Moment::Bytes(self.below(bytes))
        } else {
            Moment::Time(Duration::from_millis(self.below(1500)))
        }
    }
}

fn kills() -> u32 {
    if super::is_full() { 200 } else { 12 }
}

#[test]
fn a_killed_clone_continues() {
    let Some(mut mirror) = Mirror::new("1000", "5") else { return };
    mirror.clone().with(0);
    let (bytes, export) = (mirror.liar.bytes(""), mirror.liar.bytes("getRepo"));
    let mut random = Random::new();
    for _ in 0..kills() {
        mirror.home = Home::new();
        let moment = random.moment(bytes);
        eprintln!("{moment:?}");
        let End::Killed(_) = run(&mut mirror.clone_command(), &mirror.liar, &moment) else {
            continue;
        };
        let had_file = has_whole_export(&mirror, export);
        let again = mirror.clone();
        // A clone that was killed after its last step is whole, and a second one does not overwrite it.
        let was_over = again.stderr.contains("copy is not empty");
        again.with(i32::from(was_over));
        if had_file {
            assert_eq!(mirror.liar.seen("getRepo").len(), 0, "{moment:?}");
        }
        mirror.assert_equal();
    }
}

/// Returns whether a killed clone has left the export in one piece, or the repository that it has made of it.
fn has_whole_export(mirror: &Mirror, bytes: u64) -> bool {
    let fetched = std::fs::read_dir(mirror.home.path("copy/fetch"));
    let mut files = fetched.into_iter().flatten().map(|entry| entry.unwrap().path());
    mirror.home.path("copy/pds.db").exists()
        || files.any(|file| {
            file.extension().is_some_and(|end| end == "car")
                && file.metadata().unwrap().len() == bytes
        })
}

#[test]
fn a_killed_pull_continues() {
    let Some(mirror) = Mirror::new("300", "2") else { return };
    mirror.clone().with(0);
    let mut random = Random::new();
    for round in 1..=kills() {
        mirror.account.act("change", &["30", &round.to_string()]);
        mirror.account.act("blobs", &["1", "3000"]);
        let moment = random.moment(20_000);
        eprintln!("{moment:?}");
        let end = run(&mut mirror.pull_command(), &mirror.liar, &moment);
        mirror.home.pds(["-R", "copy", "verify"]).with(0);
        if let End::Finished(ended) = end {
            ended.with(0);
        }
        mirror.pull().with(0);
        mirror.assert_equal();
    }
}
