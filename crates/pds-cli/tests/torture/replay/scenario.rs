//! Commands that are traced, and the power cuts that are tried at each of their steps.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::cut::{KINDS, SOME_ENTRIES, cut};
use super::disk::{Disk, Step};
use super::image::Image;
use super::judge::{Judge, State};
use super::process::Process;
use super::trace::calls;
use crate::common::torture::{self, Random};
use crate::common::{Home, Run, say};

/// Commands of `pds`, one after the other, on copies of a prepared home.
pub(super) struct Scenario<'a> {
    pub(super) name: &'static str,
    pub(super) home: &'a Home,
    /// The arguments and the input of each command.
    pub(super) commands: &'a [(&'a [&'a str], &'a str)],
    /// The number of states that the commands go through, with the one before them.
    pub(super) states: usize,
    pub(super) judge: Judge<'a>,
    /// Does the next write, after the command itself if nothing is there yet.
    pub(super) next: &'a dyn Fn(&Home),
}

/// The run of a scenario without a cut.
pub(super) struct Traced<'a> {
    scenario: &'a Scenario<'a>,
    before: Disk,
    steps: Vec<Step>,
    /// The names of the states, in their order.
    states: Vec<String>,
    /// For each step, the number of the state that was acknowledged after it.
    acknowledged: Vec<usize>,
}

/// What the cuts have left: different directories.
#[derive(Default)]
pub(super) struct Found {
    pub(super) judged: usize,
    pub(super) old: usize,
    pub(super) new: usize,
    /// Those after which the next write was tried.
    continued: usize,
    /// One description for each directory that failed.
    pub(super) failures: Vec<String>,
}

/// A directory that a cut has left.
struct Seen {
    verdict: Result<State, String>,
    left: Left,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Old,
    New,
    Fault,
}

impl Scenario<'_> {
    /// Traces the commands, and checks that the model ends where the real run ended.
    pub(super) fn traced(&self) -> Traced<'_> {
        let home = self.home.copied();
        let traces = Home::in_memory();
        let before = Disk::of(home.dir());
        let (mut disk, mut steps) = (before.clone(), Vec::new());
        for (args, stdin) in self.commands {
            let trace = traces.path("trace.txt");
            let mut command = home.command("strace");
            command.args(["-f", "-y", "-xx", "-s", "10000000", "-o", &trace]);
            command.args(["-e", "trace=%file,%desc,%process", "--", "pds"]).args(*args);
            let ended = Run::new(command).stdin(*stdin).ended_within(PATIENCE);
            let ended = ended.unwrap_or_else(|| panic!("{}: {args:?}: too slow", self.name));
            // A repair ends with 6 if part of a database could not be read.
            let code = ended.code();
            assert!([0, 6].contains(&code), "{}: {args:?}: {code}: {}", self.name, ended.stderr);
            let trace = String::from_utf8(traces.read("trace.txt")).unwrap();
            let done =
                calls(&trace).and_then(|calls| Process::new(home.dir(), &mut disk).run(&calls));
            steps.extend(done.unwrap_or_else(|error| panic!("{}: {args:?}: {error}", self.name)));
            let everything = cut(&disk, "everything", &mut Random::new(0));
            assert_eq!(everything.difference(home.dir()), None, "{}: {args:?}", self.name);
        }
        let mut traced =
            Traced { scenario: self, before, steps, states: Vec::new(), acknowledged: Vec::new() };
        traced.find_states();
        assert_eq!(traced.states.len(), self.states, "{}: {:#?}", self.name, traced.states);
        traced
    }
}

impl Traced<'_> {
    /// Names the states at the start, at each answer and at the end of each command.
    fn find_states(&mut self) {
        let mut disk = self.before.clone();
        let state = |disk: &Disk| {
            let state = self.judged(&cut(disk, "everything", &mut Random::new(0))).unwrap();
            assert_eq!(state.rest, None, "{}", self.scenario.name);
            state.name
        };
        let (mut states, mut acknowledged) = (vec![state(&disk)], Vec::new());
        for step in &self.steps {
            if let Step::Rename { to, .. } = step
                && to.name == "pds.db"
            {
                // The database makes a repository, so nothing that it relies on may be lost without it.
                let pending = &disk.directory(to.directory).pending;
                assert!(pending.is_empty(), "{}: {pending:?}", self.scenario.name);
            }
            disk.apply(step);
            if matches!(step, Step::Answer | Step::End) {
                let now = state(&disk);
                if states.last() != Some(&now) {
                    states.push(now);
                }
            }
            acknowledged.push(states.len() - 1);
        }
        (self.states, self.acknowledged) = (states, acknowledged);
    }

    fn judged(&self, image: &Image) -> Result<State, String> {
        let home = Home::in_memory();
        image.write(home.dir());
        caught(|| (self.scenario.judge)(&home)).and_then(|judged| judged)
    }

    /// Cuts the power at random steps until so many different directories were judged, or no more are found.
    pub(super) fn cut(&self, most: usize, seed: u64, ignores_syncs: bool) -> Found {
        let (mut found, mut seen) = (Found::default(), HashMap::new());
        let mut random = Random::new(seed);
        let mut barren = 0;
        while barren < 20 && seen.len() < most {
            let before = seen.len();
            let mut disk = Disk { ignores_syncs, ..self.before.clone() };
            for (number, step) in self.steps.iter().enumerate() {
                disk.apply(step);
                for kind in self.kinds(number, &disk, most, &mut random) {
                    if seen.len() < most {
                        let image = cut(&disk, kind, &mut random);
                        let at = (number, kind);
                        self.check(at, &image, &mut seen, &mut found, &mut random);
                    }
                }
            }
            barren = if seen.len() == before { barren + 1 } else { 0 };
        }
        let count = |left| seen.values().filter(|seen: &&Seen| seen.left == left).count();
        (found.judged, found.old, found.new) = (seen.len(), count(Left::Old), count(Left::New));
        found
    }

    /// The kinds of cuts that are tried after a step. A sample is spread over all steps.
    fn kinds(&self, number: usize, disk: &Disk, most: usize, random: &mut Random) -> Vec<&str> {
        let step = &self.steps[number];
        let mut kinds = Vec::new();
        if number == 0 || number + 1 == self.steps.len() {
            kinds.push("nothing");
        }
        // A change that is done and not acknowledged yet.
        if self.acknowledged.get(number + 1) > self.acknowledged.get(number) {
            kinds.push("everything");
        }
        // In parts of a quarter, so that the last steps have their share.
        let is_chosen = random.below(4 * self.steps.len() as u64) < most as u64;
        if is_chosen && !disk.is_volatile(step) {
            kinds.push(KINDS[usize::try_from(random.below(KINDS.len() as u64)).unwrap()]);
            // Entries have few pending changes, so that most of their subsets can be tried.
            let some = step.changes_entries().then_some([SOME_ENTRIES; 3]);
            kinds.extend(some.into_iter().flatten());
        }
        kinds
    }

    /// Judges a directory, unless an equal one was judged before, and compares it with the acknowledged state.
    fn check(
        &self,
        (number, kind): (usize, &str),
        image: &Image,
        all: &mut HashMap<u64, Seen>,
        found: &mut Found,
        random: &mut Random,
    ) {
        let hash = image.hash();
        let is_new = !all.contains_key(&hash);
        let seen = all
            .entry(hash)
            .or_insert_with(|| Seen { verdict: self.judged(image), left: Left::Old });
        let result = seen.verdict.clone().and_then(|state| {
            let left = self.compared(&state, self.acknowledged[number])?;
            if is_new && random.below(4) == 0 {
                found.continued += 1;
                self.continues(image)?;
            }
            Ok(left)
        });
        let left = result.unwrap_or_else(|fault| {
            if is_new || seen.left != Left::Fault {
                let (steps, step) = (self.steps.len(), gist(&self.steps[number]));
                let listing = image.listing();
                let number = number + 1;
                found.failures.push(format!(
                    "cut after step {number} of {steps} ({step}), {kind}: {fault}\n  left: {listing}"
                ));
            }
            Left::Fault
        });
        if is_new || left == Left::Fault {
            seen.left = left;
        }
    }

    /// Tells whether a state is the acknowledged one or the next one.
    fn compared(&self, state: &State, acknowledged: usize) -> Result<Left, String> {
        let named = self.states.iter().position(|name| *name == state.name);
        let unknown = || format!("a state that no command has made: {}", state.name);
        let number = named.ok_or_else(unknown)?;
        match number.checked_sub(acknowledged) {
            None => Err(format!("state {number}, but state {acknowledged} was acknowledged")),
            Some(0) => state.rest.as_ref().map_or(Ok(Left::Old), |rest| {
                Err(format!("the command was acknowledged, but {rest}"))
            }),
            Some(1) => Ok(Left::New),
            Some(_) => Err(format!(
                "state {number}, but state {acknowledged} is the last one that was acknowledged"
            )),
        }
    }

    /// Checks that the next write works.
    fn continues(&self, image: &Image) -> Result<(), String> {
        let home = Home::in_memory();
        image.write(home.dir());
        caught(|| (self.scenario.next)(&home)).map_err(|fault| format!("the next write: {fault}"))
    }

    /// Writes the row of the table, and fails if a cut has left something else.
    pub(super) fn replay(&self, sample: usize, full: usize) {
        let seed = torture::seed();
        let found = self.cut(torture::amount(sample, full), seed, false);
        let Found { old, new, continued, failures, .. } = &found;
        let left = format!(
            "{} steps; {old} old, {new} new, {} failed; next write after {continued}; PDS_TORTURE_SEED={seed}",
            self.steps.len(),
            failures.len()
        );
        torture::row(&format!("power cut: {}", self.scenario.name), found.judged, &left);
        for failure in failures.iter().take(20) {
            say(failure);
        }
        assert!(failures.is_empty(), "{}: {left}", self.scenario.name);
        assert!(
            *old > 0 && *new > 0,
            "{}: cuts before and after a change: {left}",
            self.scenario.name
        );
    }
}

/// Every call of a traced process waits for `strace`, which takes long on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a check, and returns its panic as a fault.
fn caught<T>(check: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(check)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        said.or(panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap_or_default()
    })
}

/// A step in a few words.
fn gist(step: &Step) -> String {
    match step {
        Step::Write { file, offset, bytes } => {
            format!("write of {} bytes at {offset} of file {file}", bytes.len())
        }
        step => format!("{step:?}"),
    }
}
