//! Pages whose commands a test runs: each prints what the page says.

use std::path::Path;
use std::process::Command;

/// A command of a page, and what it prints.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line of the page.
    pub line: usize,
    /// The command.
    pub command: String,
    /// The lines that it prints; `…` stands for anything.
    pub output: Vec<String>,
    /// Whether something happens before that is no command. A comment of the page says so.
    pub spoil: bool,
    /// The exit statuses that are right; 0 unless a comment before the block names others.
    pub statuses: Vec<i32>,
}

/// Returns the commands in the blocks of a page that begin with `console`.
///
/// The comment `<!-- The commands end with 0 6 -->` before a block names the exit status of each command; `0/6` is one
/// of both, depending on the store.
pub fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut inside, mut spoil): (Vec<Step>, bool, bool) = (Vec::new(), false, false);
    let (mut statuses, mut first): (Vec<Vec<i32>>, usize) = (Vec::new(), 0);
    for (number, line) in page.lines().enumerate() {
        match (inside, line) {
            (false, "```console") => (inside, first) = (true, steps.len()),
            (false, line) => {
                spoil |= line.starts_with("<!-- Here the test spoils");
                statuses.extend(named_statuses(line));
            }
            (true, "```") => {
                inside = false;
                assert!(first + statuses.len() <= steps.len(), "more statuses than commands");
                let named = statuses.drain(..);
                steps
                    .iter_mut()
                    .skip(first)
                    .zip(named)
                    .for_each(|(step, statuses)| step.statuses = statuses);
            }
            (true, line) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    let (command, output) = (command.to_owned(), Vec::new());
                    let (line, statuses) = (number + 1, vec![0]);
                    steps.push(Step { line, command, output, spoil, statuses });
                    spoil = false;
                }
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => panic!("output of no command in line {}", number + 1),
            },
        }
    }
    steps
}

/// Returns the exit statuses that a comment names.
fn named_statuses(line: &str) -> Vec<Vec<i32>> {
    let named = line.strip_prefix("<!-- The commands end with ");
    let named = named.and_then(|named| named.strip_suffix(" -->")).unwrap_or_default();
    let of_one = |one: &str| one.split('/').map(|status| status.parse().unwrap()).collect();
    named.split_whitespace().map(of_one).collect()
}

impl Step {
    /// Runs the command in a shell, in which the directory and the variables are set, and compares what it prints and
    /// its exit status. Each command of a pipe has to succeed, but may find that its reader has ended.
    ///
    /// # Panics
    /// If it prints something else than the page says, or ends with another status.
    pub fn run(&self, here: &Path, prepare: &dyn Fn(Command) -> Command) {
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-c", &self.command]).current_dir(here);
        shell.env_remove("PDS_REPO").env_remove("PDS_STORE");
        let ran = prepare(shell).output().unwrap();
        let printed = String::from_utf8(ran.stdout).unwrap();
        let found: Vec<&str> = printed.lines().collect();
        let same = found.len() == self.output.len()
            && self.output.iter().zip(&found).all(|(said, found)| matches(said, found));
        let errors = String::from_utf8_lossy(&ran.stderr);
        let at = format!("line {}: {}\n{printed}{errors}", self.line, self.command);
        assert!(same, "{at}");
        let status = ran.status.code().filter(|code| *code != BROKEN_PIPE);
        let is_right = status.is_none_or(|status| self.statuses.contains(&status));
        assert!(is_right, "the exit status {status:?} of {at}");
    }
}

/// Returns whether a line is as the page says, where `…` stands for anything.
fn matches(said: &str, found: &str) -> bool {
    let mut parts = said.split('…');
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The exit status of a shell whose command was ended by SIGPIPE, such as that before `head`.
const BROKEN_PIPE: i32 = 128 + 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
        assert!(matches("a … b … c", "a 1 b 2 c") && matches("…", "") && matches("a", "a"));
        assert!(!matches("a", "ab") && !matches("a … c", "a 1 b") && !matches("…b", "ba"));
    }

    #[test]
    fn a_comment_names_the_statuses_of_the_commands() {
        let page = "<!-- The commands end with 0 3 -->\n\n```console\n$ true\n$ exit 3\n```\n\
            ```console\n$ echo a | cat\na\n```\n";
        let statuses: Vec<Vec<i32>> = steps(page).into_iter().map(|step| step.statuses).collect();
        assert_eq!(statuses, [vec![0], vec![3], vec![0]]);
        steps(page).iter().for_each(|step| step.run(Path::new("/"), &|shell| shell));
    }

    #[test]
    fn a_command_that_fails_after_its_output_is_found() {
        let step = &steps("```console\n$ (echo a; exit 1) | cat\na\n```\n")[0];
        let run = || step.run(Path::new("/"), &|shell| shell);
        assert!(std::panic::catch_unwind(run).is_err());
        let step = &steps("```console\n$ yes | head -1\ny\n```\n")[0];
        step.run(Path::new("/"), &|shell| shell);
    }
}
