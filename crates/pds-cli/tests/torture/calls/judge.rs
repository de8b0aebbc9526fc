//! The verdict on what a try has left.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::fault::{Fault, chosen};
use super::look::{Look, names};
use super::scenario::Scenario;
use super::strace::{Point, TRACE, is_available, points, traced};
use super::tally::Tally;
use crate::common::{Ended, Home, TestRepo};

/// What a try has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    Old,
    New,
    /// Some of the steps of a command that makes its changes in steps.
    Between,
}

/// A scenario, and what it does without a fault.
struct Stage<'a> {
    scenario: &'a Scenario,
    home: Arc<Home>,
    old: Look,
    /// The new state, masked.
    new: Look,
    /// The exit code of the command.
    done: i32,
    points: Vec<Point>,
    /// The files that may be there afterwards.
    names: BTreeSet<String>,
}

/// How many calls of each scenario are tried in the normal run, for each fault.
const SAMPLE: usize = 6;

/// Kills the command of a scenario at its calls, lets them fail, and checks what is left.
pub(super) fn torture(name: &str, scenario: &Scenario) {
    if !is_available() {
        return;
    }
    let stage = Stage::of(scenario);
    let mut failures = Vec::new();
    for fault in Fault::ALL {
        let mut tally = Tally::default();
        for (nth, point) in chosen(&stage.points, SAMPLE).into_iter().enumerate() {
            stage.attempt(fault, point, nth, &mut tally);
        }
        tally.report(name, fault, stage.points.len());
        tally.assert_faults_were_met(fault);
        failures.extend(tally.failures);
    }
    let args = scenario.args().collect::<Vec<_>>().join(" ");
    let (count, failures) = (failures.len(), failures.join("\n"));
    assert!(failures.is_empty(), "{count} tries of pds {args} have failed:\n{failures}");
}

impl<'a> Stage<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        let home = (scenario.home)();
        let old = Look::at(&home.copied(), &scenario.parts);
        let completed = home.copied();
        let ended = traced(scenario, &completed, &[]).ended();
        let done = ended.code();
        assert!([0, 6].contains(&done), "exit code {done}: {}", ended.stderr);
        let points = points(&completed);
        let new = Look::at(&completed, &scenario.parts).masked(&old);
        assert_ne!(old, new, "the command has no effect");
        let names = names(&home, ".").union(&names(&completed, ".")).cloned().collect();
        Self { scenario, home, old, new, done, points, names }
    }

    /// Runs the command on a fresh copy, with a fault at a call.
    fn attempt(&self, fault: Fault, point: &Point, nth: usize, tally: &mut Tally) {
        let repo = TestRepo { home: self.home.copied() };
        let injection = fault.injection(point);
        let ended = traced(self.scenario, &repo.home, &["-e", &injection]).ended_anyhow();
        let is_done = self.is_done(&ended);
        let left = catch_unwind(AssertUnwindSafe(|| self.judge(&repo, point, &ended, nth)));
        let left = left.map_err(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or(panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            let said: String = said.unwrap_or_default().chars().take(600).collect();
            format!("{injection} ({}): {said}", point.file)
        });
        tally.add(point, ended.exit(), is_done, left);
    }

    /// Tells whether the command has ended as it does without a fault.
    fn is_done(&self, ended: &Ended) -> bool {
        ended.exit() == Some(self.done) && !ended.stderr.contains("error: ")
    }

    fn judge(&self, repo: &TestRepo, point: &Point, ended: &Ended, nth: usize) -> Left {
        let (home, scenario) = (&repo.home, self.scenario);
        let is_cut_off = ended.exit().is_none() || has_failed_to_close(point, ended);
        let has_panicked = ended.stderr.contains("panicked") || ended.exit() == Some(101);
        assert!(is_cut_off || !has_panicked, "{}", ended.stderr);
        let is_acknowledged = match ended.exit() {
            // A step is acknowledged before the command is done.
            None => !scenario.has_steps && ended.stdout.ends_with(b"\n"),
            Some(_) => self.is_done(ended),
        };
        let has_failed = !is_cut_off && !is_acknowledged;
        if has_failed {
            assert_error(home, ended);
        }
        if is_acknowledged && ended.exit().is_some() {
            assert!(
                may_fail(home, point),
                "{} {} has failed, and the command succeeds",
                point.call,
                point.file
            );
        }
        if is_copy(home, &self.home) {
            assert!(!is_acknowledged, "nothing has changed, but it says: {}", ended.text());
            return Left::Old;
        }
        let found = Look::at(home, &scenario.parts);
        let left = self.compared(&found);
        let text = || format!("{}{}", ended.text(), ended.stderr);
        assert!(left == Left::New || !is_acknowledged, "the change is lost: {}", text());
        if self.is_done(ended) {
            assert_eq!(found.blobs, self.new.blobs, "{}", text());
        }
        if has_failed && left == Left::New {
            // A file or a blob may not be on disk yet, and writing it again does no harm.
            let is_a_file = self.new.has_repositories_of(&self.old);
            let is_said = ended.exit() == Some(6) || is_a_file;
            assert!(is_said, "the change is made, but it says: {}", text());
        }
        self.assert_usable(repo, &found, left, nth);
        left
    }

    /// Compares with the states before and after the command.
    fn compared(&self, found: &Look) -> Left {
        let (least, most) = (&self.old.blobs & &self.new.blobs, &self.old.blobs | &self.new.blobs);
        assert!(found.blobs.is_superset(&least), "a blob is lost");
        assert!(found.blobs.is_subset(&most), "a blob has appeared: {:?}", found.blobs);
        let masked = found.masked(&self.old);
        match masked.difference(&self.new) {
            None => Left::New,
            Some(_) if found.difference(&self.old).is_none() => Left::Old,
            Some(_) if self.scenario.has_steps => Left::Between,
            Some(difference) => {
                panic!("neither the old state nor the new one: {difference}")
            }
        }
    }

    /// Checks that the next write works, that the command can run again, and that nothing is left over then.
    fn assert_usable(&self, repo: &TestRepo, found: &Look, left: Left, nth: usize) {
        let (home, scenario) = (&repo.home, self.scenario);
        let is_whole = !scenario.is_broken || left == Left::New;
        if is_whole {
            scenario.verify(home);
        }
        // The write comes first in half of the tries.
        let writes_first = is_whole && nth.is_multiple_of(2);
        if writes_first {
            self.write(home, Some(found.records(scenario.written)));
        }
        if left == Left::New || writes_first {
            let again = scenario.run_again(home).ended();
            assert!((0..=6).contains(&again.code()), "again: {}", again.stderr);
        } else {
            let again = scenario.run(home).ended();
            assert_eq!(again.code(), self.done, "again: {}", again.stderr);
            let found = Look::at(home, &scenario.parts);
            let difference = found.masked(&self.old).difference(&self.new);
            assert_eq!(difference, None, "after another run");
        }
        (scenario.after)(repo);
        if !writes_first {
            self.write(home, None);
        }
        scenario.verify(home);
        self.assert_nothing_left_over(home);
    }

    /// Checks that every file was there before, or is there after the command.
    fn assert_nothing_left_over(&self, home: &Home) {
        // Other runs have their own output, keep a text of the user, or the secret of a rotation.
        let kept = ["pds-edit-", "zz-afterwards", "then", "alice/key.old", "alice/key.unused-"];
        let is_known = |name: &String| {
            let file = name.trim_end_matches("-wal").trim_end_matches("-shm");
            self.names.contains(file)
                || name == TRACE
                || kept.iter().any(|kept| name.contains(kept))
        };
        let left_over: Vec<String> =
            names(home, ".").into_iter().filter(|name| !is_known(name)).collect();
        assert!(left_over.is_empty(), "left over: {left_over:?}");
    }

    /// Writes a record, which must be added to those that were there.
    fn write(&self, home: &Home, records: Option<Vec<&str>>) {
        let pds =
            |args: &[&str]| home.pds(["-R", self.scenario.written].iter().chain(args).copied());
        let listed;
        let before = match records {
            Some(records) => records,
            None => {
                listed = pds(&["ls", "--all"]).ok();
                listed.lines().collect()
            }
        };
        let written = pds(&["put", "com.example.note/zz-afterwards"]).stdin("{\"text\":\"x\"}");
        let written = written.ended().done();
        let record = written.trim_end().split_once(DID_SLASH).unwrap().1;
        let mut expected: BTreeSet<&str> = before.into_iter().collect();
        expected.insert(record);
        let after = pds(&["ls", "--all"]).ok();
        assert_eq!(after.lines().collect::<BTreeSet<_>>(), expected, "after another write");
    }
}

/// Tells whether a command may succeed although this call has failed.
fn may_fail(home: &Home, point: &Point) -> bool {
    if !point.changes_a_file() {
        // The answer must be written.
        return point.call != "write" || point.descriptor != Some(1);
    }
    let (dir, name) = point.file.rsplit_once('/').unwrap_or(("", &*point.file));
    let is_removal = point.call.starts_with("unlink");
    // A file that cannot be linked is copied.
    let is_link = point.call.starts_with("link");
    // SQLite syncs a directory in this way, and ignores the result.
    let is_directory = point.call == "fdatasync" && !point.file.contains("pds.db");
    // SQLite makes the index of the WAL again.
    let is_index = name.ends_with("-shm");
    // A checkpoint at the end has failed: the WAL has the change.
    let wal = home.dir().join(dir).join("pds.db-wal");
    let has_wal = name.starts_with("pds.db") && wal.metadata().is_ok_and(|wal| wal.len() > 0);
    // A new repository takes its WAL along, and the next opening reads it.
    let is_new = [".pds-new-…", ".pds-repair-…"].iter().any(|staging| dir.ends_with(staging));
    let is_staged = is_new && name == "pds.db";
    is_removal || is_link || is_directory || is_index || has_wal || is_staged
}

/// Tells whether the standard library has panicked, because a directory that was listed cannot be closed.
fn has_failed_to_close(point: &Point, ended: &Ended) -> bool {
    point.call == "close" && ended.stderr.contains("unexpected error during closedir")
}

/// Checks that the program says what is wrong, and names a text of the user that it keeps.
fn assert_error(home: &Home, ended: &Ended) {
    // A call of the editor has the number of one by which the program itself is loaded.
    if ended.exit() == Some(127) && ended.stderr.contains("loading shared libraries") {
        return;
    }
    let is_partly_done = ended.exit() == Some(6) && !ended.stderr.is_empty();
    assert!(is_partly_done || ended.stderr.contains("error: "), "no error: {:?}", ended.stderr);
    let is_bare = ["error: Input/output", "error: No space"];
    let is_bare = is_bare.iter().any(|bare| ended.stderr.contains(bare));
    assert!(!is_bare, "the error names no place: {:?}", ended.stderr);
    for name in names(home, ".").iter().filter(|name| name.contains("pds-edit-")) {
        assert!(ended.stderr.contains(&**name), "{name} is not named: {}", ended.stderr);
    }
}

/// Tells whether a home still has all files of another one, and no others.
fn is_copy(home: &Home, original: &Home) -> bool {
    let mut found = names(home, ".");
    found.remove(TRACE);
    let same = |name: &String| {
        let [one, other] = [home, original].map(|home| home.dir().join(name));
        one.is_dir() && other.is_dir() || std::fs::read(one).ok() == std::fs::read(other).ok()
    };
    found == names(original, ".") && found.iter().all(same)
}

const DID_SLASH: &str = "at://did:web:alice.example.com/";
