//! Clones and pulls that are killed: the same command finishes, and fetches nothing complete twice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pds_e2e::Home;
use pds_e2e::home::Ended;
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

    /// A moment of a run: in even rounds after some bytes, in odd ones after some time.
    fn moment(&mut self, round: u32, whole: &Whole) -> Moment {
        if round.is_multiple_of(2) {
            Moment::Bytes(self.below(whole.bytes))
        } else {
            let micros = u64::try_from(whole.time.as_micros()).unwrap();
            Moment::Time(Duration::from_micros(self.below(micros)))
        }
    }
}

/// The bytes and the time of a run that is not killed.
struct Whole {
    bytes: u64,
    time: Duration,
}

impl Whole {
    fn of(mirror: &Mirror, run: impl FnOnce(&Mirror) -> Ended) -> Self {
        mirror.liar.reset();
        let start = Instant::now();
        run(mirror).with(0);
        Self { bytes: mirror.liar.bytes(""), time: start.elapsed() }
    }
}

/// Checks that enough runs were killed: those of the even rounds whose bytes were reached.
fn assert_killed(killed: u32, rounds: u32) {
    eprintln!("{killed} of {rounds} runs were killed");
    assert!(killed >= rounds / 3, "{killed} of {rounds} runs were killed");
}

fn kills() -> u32 {
    if super::is_full() { 200 } else { 12 }
}

#[test]
fn a_killed_clone_continues() {
    let Some(mut mirror) = Mirror::new("1000", "5") else { return };
    let whole = Whole::of(&mirror, Mirror::clone);
    let export = mirror.liar.bytes("getRepo");
    let (mut random, mut killed) = (Random::new(), 0);
    for round in 0..kills() {
        mirror.home = Home::new();
        let moment = random.moment(round, &whole);
        eprintln!("{moment:?}");
        let End::Killed(_) = run(&mut mirror.clone_command(), &mirror.liar, &moment) else {
            continue;
        };
        killed += 1;
        let had_file = has_whole_export(&mirror, export);
        let again = mirror.clone();
        // A clone that was killed after its last step is whole, and a second one does not overwrite it.
        let was_over = again.stderr.contains("copy is a mirror of");
        again.with(i32::from(was_over));
        if had_file {
            assert_eq!(mirror.liar.seen("getRepo").len(), 0, "{moment:?}");
        }
        mirror.assert_equal();
    }
    assert_killed(killed, kills());
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
    let change = |round: u32| {
        mirror.account.act("change", &["30", &round.to_string()]);
        mirror.account.act("blobs", &["1", &(3000 + round).to_string()]);
    };
    change(0);
    let whole = Whole::of(&mirror, Mirror::pull);
    let (mut random, mut killed) = (Random::new(), 0);
    for round in 1..=kills() {
        change(round);
        let moment = random.moment(round, &whole);
        eprintln!("{moment:?}");
        let end = run(&mut mirror.pull_command(), &mirror.liar, &moment);
        mirror.home.pds(["-R", "copy", "verify"]).with(0);
        match end {
            End::Finished(ended) => drop(ended.with(0).to_owned()),
            End::Killed(_) => killed += 1,
        }
        let (has_slice, blobs) = (has_whole_file(&mirror), stored_blobs(&mirror));
        mirror.pull().with(0);
        if has_slice {
            assert_eq!(mirror.liar.seen("getRepo").len(), 0, "{moment:?}");
        }
        let fetched = stored_blobs(&mirror) - blobs;
        assert_eq!(mirror.liar.seen("getBlob").len(), fetched, "{moment:?}");
        mirror.assert_equal();
    }
    assert_killed(killed, kills());
}

/// Returns whether a killed pull has left a file that arrived as a whole.
fn has_whole_file(mirror: &Mirror) -> bool {
    let fetched = std::fs::read_dir(mirror.home.path("copy/fetch"));
    let mut files = fetched.into_iter().flatten().map(|entry| entry.unwrap().path());
    files.any(|file| file.extension().is_some_and(|end| end == "car"))
}

/// Returns the number of blobs that are stored.
fn stored_blobs(mirror: &Mirror) -> usize {
    std::fs::read_dir(mirror.home.path("copy/blobs/ba")).unwrap().count()
}
