//! Topics of the help: forms of arguments, codes and variables that concern many commands.

use pds::{Code, Severity};

use crate::failures::habits::{GIT, GOAT};

use super::tables::{COLUMNS, EXIT_CODES, VARIABLES, set, wrapped};

/// A topic of the help.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) text: fn() -> String,
}

/// All topics.
pub(crate) const TOPICS: [Topic; 6] = [
    Topic { name: "revisions", text: || REVISIONS.to_owned() },
    Topic { name: "findings", text: findings },
    Topic { name: "paths", text: || PATHS.to_owned() },
    Topic { name: "exit-codes", text: exit_codes },
    Topic { name: "environment", text: environment },
    Topic { name: "git", text: git },
];

/// Returns the names of all topics.
pub(crate) fn names() -> Vec<&'static str> {
    TOPICS.iter().map(|topic| topic.name).collect()
}

/// Finds a topic by its name.
pub(crate) fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

const REVISIONS: &str = "\
A revision names a state of the repository. These forms are valid wherever
REV is written:

  HEAD, @             the current state
  phone, origin       a ref (pds ref ls)
  3n3f2zi3gwr2b       a rev; its first six letters suffice if unique
  gkbrcxa5            a commit CID without its constant head bafyrei
  bafyreigkbrcxa5…    a commit CID; six letters after bafyrei suffice
  HEAD~3, HEAD^       three commits before, the parent
  @{2}                where HEAD pointed two moves ago (pds reflog)
  @{yesterday}        where HEAD pointed at that time
  2026-11-27          the newest state up to that day; also 2026-11-27T20:00
  backup.car          the root of a CAR file
  ../phone            HEAD of another repository

Two states, and a record of a state:

  A..B                from A to B, for diff and log; A.. means A..HEAD
  REV:PATH            yesterday:app.bsky.actor.profile/self

A ref name wins over a rev, a rev over a CID, a CID over a file name. Write
./NAME for a file. A prefix that fits two states is an error that lists them.";

const PATHS: &str = "\
A path names a record by its collection and its record key. These forms are
valid wherever PATH is written:

  app.bsky.feed.post/3n3f24jgakn2b
                      collection/rkey
  at://did:plc:zc3maypileo75kv67w5nptnm/app.bsky.feed.post/3n3f24jgakn2b
                      an at-uri; its DID must be that of the repository
  https://bsky.app/profile/mara.tidepool.example/post/3n3f24jgakn2b
                      the page of a profile, post, feed, list or starter pack;
                      a handle must be in a stored identity document

get and show also read a record of a state:

  yesterday:app.bsky.actor.profile/self
                      REV:PATH (pds help revisions)

A collection alone is valid where COLLECTION is written, and for pds put:

  app.bsky.feed.post  pds ls lists its records;
                      pds put writes a record with a new TID as its key

After --, every argument is a path. Verbs that only read accept a CAR file or
the directory of a repository as their first argument: pds ls backup.car.";

fn findings() -> String {
    let mut text = "\
pds verify reports findings, each with a stable code. An error makes the check
fail (x). A warning is unusual, but acceptable (!). A note is information.

"
    .to_owned();
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or(0);
    for code in Code::ALL {
        let mut mark = match code.severity() {
            Severity::Error => "x",
            Severity::Warning => "!",
            Severity::Note => " ",
        };
        let mut name = code.as_str();
        for line in wrapped(code.summary(), COLUMNS - width - 6) {
            text.push_str(&format!("{mark} {name:width$}  {line}\n"));
            (mark, name) = (" ", "");
        }
    }
    text.trim_end().to_owned()
}

fn exit_codes() -> String {
    let codes = set(&EXIT_CODES);
    let text = "\
An error is one line on standard error, with an optional hint. With --json it is
{\"error\":…,\"message\":…}.";
    format!("Commands end with one of these codes:\n\n{codes}\n{text}")
}

fn git() -> String {
    let mut text = "\
These verbs of git have the same meaning here: clone, diff, fsck, gc, init, log,
merge, reflog, reset, revert, rm, show. Other verbs of git and goat, and what
does the job here:

"
    .to_owned();
    for (names, _, hint) in GIT.iter().chain(GOAT) {
        // The words of one name stay together.
        let names = names.replace(' ', "\u{a0}").replace('|', ", ");
        let names = wrapped(&names, NAME_COLUMNS);
        let parts = hint.split("; ").flat_map(|part| wrapped(part, COLUMNS - NAME_COLUMNS - 4));
        let parts: Vec<String> = parts.collect();
        for at in 0..names.len().max(parts.len()) {
            let part = |parts: &[String]| parts.get(at).cloned().unwrap_or_default();
            let line = format!("  {:NAME_COLUMNS$}  {}", part(&names), part(&parts));
            text.push_str(line.replace('\u{a0}', " ").trim_end());
            text.push('\n');
        }
    }
    text.trim_end().to_owned()
}

/// The width of the names of verbs.
const NAME_COLUMNS: usize = 24;

fn environment() -> String {
    format!("These environment variables are read:\n\n{}", set(&VARIABLES).trim_end())
}
