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
}

/// Returns the commands in the blocks of a page that begin with `console`.
pub fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut inside, mut spoil): (Vec<Step>, bool, bool) = (Vec::new(), false, false);
    for (number, line) in page.lines().enumerate() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (false, line) => spoil |= line.starts_with("<!-- Here the test spoils"),
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    let (command, output) = (command.to_owned(), Vec::new());
                    steps.push(Step { line: number + 1, command, output, spoil });
                    spoil = false;
                }
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => panic!("output of no command in line {}", number + 1),
            },
        }
    }
    steps
}

impl Step {
    /// Runs the command in a shell, in which the directory and the variables are set, and compares what it prints.
    ///
    /// # Panics
    /// If it prints something else than the page says.
    pub fn run(&self, here: &Path, prepare: &dyn Fn(Command) -> Command) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &self.command]).current_dir(here);
        shell.env_remove("PDS_REPO").env_remove("PDS_STORE");
        let ran = prepare(shell).output().unwrap();
        let printed = String::from_utf8(ran.stdout).unwrap();
        let found: Vec<&str> = printed.lines().collect();
        let same = found.len() == self.output.len()
            && self.output.iter().zip(&found).all(|(said, found)| matches(said, found));
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert!(same, "line {}: {}\n{printed}{errors}", self.line, self.command);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
        assert!(matches("a … b … c", "a 1 b 2 c") && matches("…", "") && matches("a", "a"));
        assert!(!matches("a", "ab") && !matches("a … c", "a 1 b") && !matches("…b", "ba"));
    }
}
