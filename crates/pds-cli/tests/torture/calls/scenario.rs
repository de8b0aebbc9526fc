//! A command on a copy of a prepared home, and what it changes there.

use std::sync::Arc;

use super::look::Part;
use crate::common::{Home, Run, TestRepo};

/// A command of `pds`.
pub(super) struct Scenario {
    pub(super) home: fn() -> Arc<Home>,
    /// The repository of the option `-R`.
    repo: Option<&'static str>,
    args: &'static str,
    stdin: &'static str,
    /// A variable of the environment.
    env: Option<(&'static str, &'static str)>,
    /// What the command may change.
    pub(super) parts: Vec<Part>,
    /// The command makes its changes in steps, each of them whole.
    pub(super) has_steps: bool,
    /// Before the command, the repository is absent, damaged, or has no key.
    pub(super) is_broken: bool,
    /// The repository that is verified afterwards.
    verified: &'static str,
    /// How it is verified.
    checks: &'static [&'static str],
    /// The repository that is written to afterwards.
    pub(super) written: &'static str,
    /// The arguments of another run, after a run that has made its change.
    then: &'static str,
    /// What else must hold after the command has run again.
    pub(super) after: fn(&TestRepo),
}

/// A command on the repository `alice`.
pub(super) fn on(home: fn() -> Arc<Home>, args: &'static str) -> Scenario {
    Scenario {
        home,
        repo: Some("alice"),
        args,
        stdin: "",
        env: None,
        parts: vec![Part::Repository("alice")],
        has_steps: false,
        is_broken: false,
        verified: "alice",
        checks: &["--history", "--blobs"],
        written: "alice",
        then: args,
        after: |_| {},
    }
}

impl Scenario {
    pub(super) fn stdin(mut self, stdin: &'static str) -> Self {
        self.stdin = stdin;
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env = Some((name, value));
        self
    }

    /// The command names no repository by `-R`.
    pub(super) fn without_option(mut self) -> Self {
        self.repo = None;
        self
    }

    /// The command changes this, too.
    pub(super) fn and(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    pub(super) fn has_steps(mut self) -> Self {
        self.has_steps = true;
        self
    }

    pub(super) fn starts_broken(mut self) -> Self {
        self.is_broken = true;
        self
    }

    /// The command makes a repository.
    pub(super) fn makes(mut self, dir: &'static str) -> Self {
        (self.verified, self.is_broken) = (dir, true);
        self.and(Part::Repository(dir))
    }

    /// The repository that is made can be written to.
    pub(super) fn with_key(mut self) -> Self {
        self.written = self.verified;
        self
    }

    /// After a run that has made its change, another run has these arguments.
    pub(super) fn then(mut self, args: &'static str) -> Self {
        self.then = args;
        self
    }

    /// The repository that is verified afterwards has losses, so only this is checked.
    pub(super) fn checks(mut self, checks: &'static [&'static str]) -> Self {
        self.checks = checks;
        self
    }

    pub(super) fn after(mut self, after: fn(&TestRepo)) -> Self {
        self.after = after;
        self
    }

    pub(super) fn args(&self) -> impl Iterator<Item = &'static str> {
        self.complete(self.args)
    }

    fn complete(&self, args: &'static str) -> impl Iterator<Item = &'static str> {
        let repo = self.repo.into_iter().flat_map(|repo| ["-R", repo]);
        repo.chain(args.split_whitespace())
    }

    /// Runs the command without a fault.
    pub(super) fn run(&self, home: &Home) -> Run {
        self.with_surroundings(home.pds(self.args()), home)
    }

    /// Runs the command after its change was made.
    pub(super) fn run_again(&self, home: &Home) -> Run {
        self.with_surroundings(home.pds(self.complete(self.then)), home)
    }

    /// Checks that the repository is whole.
    pub(super) fn verify(&self, home: &Home) {
        home.pds(["-R", self.verified, "verify"].iter().chain(self.checks).copied()).ok();
    }

    pub(super) fn with_surroundings(&self, run: Run, home: &Home) -> Run {
        let run = run.stdin(self.stdin).env("TMPDIR", home.path("tmp"));
        match self.env {
            Some((name, value)) => run.env(name, value),
            None => run,
        }
    }
}
