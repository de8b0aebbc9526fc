//! Jobs from public bug reports: commands, and what they must answer.
//!
//! The folder is `reports` in the test data, or `PDS_REPORTS`: any folder with an `expected.json` of the same form.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use std::collections::BTreeMap;

use super::common::{Ended, Home, fixtures};

/// The cases of a folder, by name.
type Cases = BTreeMap<String, Case>;

#[derive(Deserialize)]
struct Case {
    steps: Vec<Step>,
}

/// A command, and what must be true of its answer.
#[derive(Deserialize)]
struct Step {
    run: Vec<String>,
    #[serde(default)]
    stdin: String,
    /// The exit codes that are right.
    exit: Vec<i32>,
    /// Texts that must be in the output or in the messages.
    #[serde(default)]
    out: Vec<String>,
    #[serde(default)]
    not_out: Vec<String>,
    /// The number of lines of the output.
    lines: Option<usize>,
    /// The whole output.
    stdout: Option<String>,
    /// Two files with the same bytes.
    same: Option<(String, String)>,
}

/// The folder of a run: its cases, and where they find their files.
struct Folder {
    files: PathBuf,
    cases: Cases,
}

impl Folder {
    fn open(files: PathBuf) -> Self {
        let text = fs::read_to_string(files.join("expected.json")).unwrap();
        Self { cases: serde_json::from_str(&text).unwrap(), files }
    }

    /// Runs the steps of a case in an empty directory, and returns what is not right.
    fn faults(&self, case: &Case) -> Vec<String> {
        let home = Home::new();
        let place = |text: &str| {
            let files = text.replace("{F}", self.files.to_str().unwrap());
            files.replace("{T}", home.dir().to_str().unwrap())
        };
        let steps = case.steps.iter().enumerate();
        let faults = steps.flat_map(|(number, step)| {
            let args = step.run.iter().map(|arg| OsString::from(place(arg)));
            let ended = home.pds(args).stdin(step.stdin.clone()).ended();
            let faults = step.faults(&ended, &place).into_iter();
            let command = step.run.join(" ");
            faults.map(move |fault| format!("step {number}, pds {command}: {fault}"))
        });
        faults.collect()
    }
}

impl Step {
    fn faults(&self, ended: &Ended, place: &dyn Fn(&str) -> String) -> Vec<String> {
        let stdout = String::from_utf8_lossy(&ended.stdout);
        let said = format!("{stdout}\n{}", ended.stderr);
        let mut faults = Vec::new();
        if !self.exit.contains(&ended.code()) {
            faults.push(format!("exit code {}, right are {:?}: {said}", ended.code(), self.exit));
        }
        let lacks = self.out.iter().filter(|text| !said.contains(&place(text)));
        faults.extend(lacks.map(|text| format!("does not say {text:?}: {said}")));
        let says = self.not_out.iter().filter(|text| said.contains(&place(text)));
        faults.extend(says.map(|text| format!("says {text:?}: {said}")));
        let count = stdout.lines().count();
        if self.lines.is_some_and(|lines| lines != count) {
            faults.push(format!("{count} lines, right are {:?}: {said}", self.lines));
        }
        if self.stdout.as_ref().is_some_and(|right| *right != stdout) {
            faults.push(format!("prints {stdout:?}, right is {:?}", self.stdout));
        }
        if let Some((one, other)) = &self.same {
            let read = |name: &str| fs::read(place(name)).ok();
            if read(one).is_none() || read(one) != read(other) {
                faults.push(format!("{one} and {other} are not the same"));
            }
        }
        faults
    }
}

#[test]
fn every_report_is_answered() {
    let folder = match std::env::var_os("PDS_REPORTS") {
        Some(folder) => Path::new(&folder).canonicalize().unwrap(),
        None => match fixtures() {
            Some(fixtures) => fixtures.join("reports").canonicalize().unwrap(),
            None => return,
        },
    };
    let folder = Folder::open(folder);
    assert!(!folder.cases.is_empty(), "{}", folder.files.display());
    let faults: Vec<String> = folder
        .cases
        .iter()
        .flat_map(|(name, case)| {
            folder.faults(case).into_iter().map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// A runner that finds nothing would pass every folder.
#[test]
fn the_runner_finds_each_kind_of_fault() {
    let home = Home::new();
    home.write("a", "one");
    home.write("b", "two");
    let wrong = r#"{"case": {"steps": [
        {"run": ["tid", "2222222222222"], "exit": [0]},
        {"run": ["tid", "2222222222222"], "exit": [1]},
        {"run": ["tid", "2222222222222"], "exit": [0], "out": ["no such text"]},
        {"run": ["tid", "2222222222222"], "exit": [0], "not_out": ["1970"]},
        {"run": ["tid", "2222222222222"], "exit": [0], "lines": 99},
        {"run": ["tid", "2222222222222"], "exit": [0], "stdout": "other"},
        {"run": ["tid", "2222222222222"], "exit": [0], "same": ["{F}/a", "{F}/b"]},
        {"run": ["tid", "2222222222222"], "exit": [0], "same": ["{F}/a", "{T}/absent"]},
        {"run": ["tid", "2222222222222"], "exit": [0], "same": ["{F}/a", "{F}/a"]}
    ]}}"#;
    home.write("expected.json", wrong);
    let folder = Folder::open(home.dir().to_owned());
    let faults = folder.faults(&folder.cases["case"]);
    let steps: Vec<&str> = faults.iter().map(|fault| fault.split_once(',').unwrap().0).collect();
    assert_eq!(steps, (1..8).map(|n| format!("step {n}")).collect::<Vec<_>>(), "{faults:?}");
}
