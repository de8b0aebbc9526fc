//! The state of a repository as the binary prints it, to compare the one before and the one after.

use std::collections::HashSet;

use serde_json::Value;

use crate::common::TestRepo;

/// The account, key, refs, log and records of a repository, as the binary prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) did: String,
    pub(super) key: String,
    pub(super) head: String,
    pub(super) refs: Vec<String>,
    /// Newest first: the commit, the event and the message.
    pub(super) log: Vec<String>,
    /// The path and the CID.
    pub(super) records: Vec<String>,
}

impl State {
    pub(super) fn of(repo: &TestRepo) -> Self {
        let info = repo.json(["info"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let lines = |args: &[&str]| -> Vec<String> {
            repo.pds(args.iter().copied()).ok().lines().map(str::to_owned).collect()
        };
        let entry = |line: &Value| {
            format!("{} {} {}", text(&line["after"]), line["event"], line["message"])
        };
        Self {
            did: text(&info["did"]),
            key: repo.pds(["key", "show"]).ok().trim().to_owned(),
            head: text(&info["commit"]),
            refs: lines(&["ref", "ls"]),
            log: repo.json_lines(["reflog"]).iter().map(entry).collect(),
            records: lines(&["ls", "--all"]),
        }
    }

    /// The state with commits and keys masked that another state does not know: every run makes new ones.
    pub(super) fn masked(&self, old: &Self) -> Self {
        let words = |state: &Self| -> HashSet<String> {
            let [refs, log] = [&state.refs, &state.log].map(|lines| lines.join("\n"));
            let text = [&*state.key, &state.head, &refs, &log].join("\n");
            text.split(|c: char| !is_word(c)).map(str::to_owned).collect()
        };
        let known = words(old);
        let new: Vec<String> = words(self)
            .into_iter()
            .filter(|word| word.starts_with("bafyrei") || word.starts_with("did:key:"))
            .filter(|word| !known.contains(word))
            .collect();
        let mask = |text: &String| {
            new.iter().fold(text.clone(), |text, new| text.replace(new.as_str(), "<new>"))
        };
        let revs = |line: &String| line.split('\t').take(2).collect::<Vec<_>>().join("\t");
        Self {
            did: self.did.clone(),
            key: mask(&self.key),
            head: mask(&self.head),
            refs: self.refs.iter().map(|line| revs(&mask(line))).collect(),
            log: self.log.iter().map(mask).collect(),
            records: self.records.clone(),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// Checks that a state is the new one, part by part, so that a failure names the part.
pub(super) fn assert_same(found: &State, new: &State) {
    let neither = |part| format!("neither the old state nor the new one, by {part}");
    assert_eq!((&found.did, &found.key), (&new.did, &new.key), "{}", neither("account and key"));
    assert_eq!(found.head, new.head, "{}", neither("HEAD"));
    assert_eq!(found.records, new.records, "{}", neither("the records"));
    assert_eq!(found.refs, new.refs, "{}", neither("the refs, HEAD and records being new"));
    assert_eq!(found.log, new.log, "{}", neither("the log, HEAD, records and refs being new"));
}
