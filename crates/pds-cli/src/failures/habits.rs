//! Verbs of git and goat that have another name here, and the commands that do the same.

use std::path::Path;

use crate::arguments::record::RecordArg;

/// A verb of another program that this one lacks.
pub(crate) struct Habit {
    /// The words that the user typed.
    words: String,
    reason: &'static str,
    hint: &'static str,
}

impl Habit {
    /// Finds the habit behind a command line that is not valid: its words without options, and its flags.
    pub(crate) fn find(words: &[String], flags: &[String]) -> Option<Self> {
        let mut found: Option<(usize, Self)> = None;
        for (names, reason, hint) in GIT.iter().chain(GOAT) {
            for name in names.split('|') {
                let length = name.split(' ').count();
                if found.as_ref().is_none_or(|(longest, _)| *longest < length)
                    && is_at_the_beginning(name, words, flags)
                {
                    found = Some((length, Self { words: name.to_owned(), reason, hint }));
                }
            }
        }
        found.map(|(_, habit)| habit)
    }

    /// Returns the reason why the verb does not exist.
    pub(crate) fn message(&self) -> String {
        format!("pds has no {}: {}", self.words, self.reason)
    }

    /// Returns the commands that do it here, with the records and the file that the user typed.
    pub(crate) fn hint(&self, words: &[String]) -> String {
        let words = words.iter().skip(self.words.split(' ').count());
        let words: Vec<&str> =
            words.map(String::as_str).filter(|word| is_plain_for_a_shell(word)).collect();
        let is_record = |word: &str| word.parse::<RecordArg>().is_ok();
        let is_file = |word: &str| Path::new(word).is_file();
        let mut hint = self.hint.to_owned();
        if let Some(file) = words.iter().find(|word| is_file(word) && !is_record(word)) {
            hint = hint.replace("FILE", file);
        }
        let mut records = words.iter().filter(|word| is_record(word));
        if let Some(first) = records.next() {
            let rest: Vec<&&str> = records.collect();
            if !rest.is_empty() {
                hint = hint.replacen("PATH", first, 1);
            }
            for record in rest {
                hint = hint.replacen("PATH", record, 1);
            }
            hint = hint.replace("PATH", first);
        }
        hint
    }
}

/// Tells whether a command line begins with the words of a habit, and has its flags.
fn is_at_the_beginning(name: &str, words: &[String], flags: &[String]) -> bool {
    let mut words = words.iter();
    name.split(' ').all(|part| match part.starts_with('-') {
        true => flags.iter().any(|flag| flag == part),
        false => words.next().is_some_and(|word| word == part),
    })
}

/// Tells whether a shell takes a word literally.
fn is_plain_for_a_shell(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/-@".contains(&byte))
}

/// The names of a verb, the reason, and the commands.
type HabitRow = (&'static str, &'static str, &'static str);

/// The names of the verb in git, the reason why it does not exist, and the commands that do it here. In a hint, a command
/// ends at a comma, a semicolon or a bar.
#[rustfmt::skip]
pub(crate) const GIT: &[HabitRow] = &[
    // git: the files of a working directory
    ("status", "there is no working directory whose changes it could list",
        "pds info; to list the last changes, pds diff HEAD~1 HEAD"),
    ("checkout|switch", "records are read at any state without one",
        "pds ls --at REV, pds get PATH --at REV; to move HEAD, pds reset REV"),
    ("restore --to", "moving an account to another host is not built yet",
        "to write all records to a CAR file, pds export -o FILE"),
    ("restore", "there is no working directory that it could change",
        "pds get PATH --at REV | pds put PATH; to undo a whole commit, pds revert REV"),
    ("stash", "there is no working directory whose changes it could put aside",
        "to keep a state under a name, pds ref set NAME HEAD"),
    ("commit|add|stage", "each writing command signs a commit at once",
        "pds put PATH FILE, pds rm PATH; to put many writes into one commit, pds apply FILE"),
    ("clean", "there is no working directory; gc deletes the blocks that nothing refers to",
        "pds gc"),
    ("mv|rename", "a record is written under its new key, then the old one is deleted",
        "pds get PATH | pds put PATH, pds rm PATH"),
    ("cp", "a record is read and written again",
        "pds get PATH | pds put PATH"),
    ("reset --hard|reset --soft|reset --mixed|reset --keep", "there is no working directory; reset only moves HEAD",
        "pds reset REV"),
    ("diff --cached|diff --staged", "there is no index; each writing command signs a commit at once",
        "to list the last changes, pds diff"),
    ("rm -r|rm -f|rm --cached|rm --force", "there is no working directory; rm deletes the records that it is given",
        "pds rm PATH; to delete many records in one commit, pds rm COLLECTION, or pds rm 'COLLECTION/*'"),
    // git: records and blocks
    ("cat", "get prints a record, and show prints any block",
        "pds get PATH; to print any block, pds show CID"),
    ("cat-file", "show prints any block, and get prints a record",
        "pds show CID, pds get PATH; to print its exact bytes, pds show CID --cbor"),
    ("ls-tree|ls-files|list|tree", "ls lists records, and mst draws the tree",
        "pds ls --all, pds ls --all --at REV, pds mst"),
    ("hash-object", "cid hashes a file",
        "pds cid FILE; to hash a record in JSON, pds cid FILE --record"),
    ("grep|search", "records are not searched yet; as files, every program can search them",
        "pds unpack DIR; grep -r WORD DIR; or line by line, pds export --format ndjson | grep WORD"),
    ("sql|query|sqlite", "records are not asked with SQL yet; every program can read them as lines or tables",
        "pds export --format ndjson | jq .value; for SQLite, pds export --format csv -o DIR"),
    ("create|update|write|new", "put writes a record",
        "pds put PATH FILE; to create a repository, pds init DIR --did DID"),
    ("delete|remove|del", "rm deletes records",
        "pds rm PATH; to purge a record from the history as well, pds forget PATH"),
    ("read|print|view", "get prints a record",
        "pds get PATH"),
    ("validate|check", "verify makes all checks",
        "pds verify, pds verify FILE"),
    // git: history
    ("branch|tag|update-ref|show-ref|for-each-ref|symbolic-ref", "a ref is a name for a commit",
        "pds ref ls, pds ref set NAME REV, pds ref rm NAME"),
    ("rev-parse|describe|name-rev", "log lists commits with their revs, and show prints one",
        "pds log, pds show REV"),
    ("rev-list|shortlog|whatchanged|history", "log lists commits",
        "pds log; to list the versions of one record, pds log PATH"),
    ("log --stat|log --numstat|log --shortstat", "log counts the changes of each commit, and diff those of a range",
        "pds log, pds diff HEAD~1 HEAD --stat"),
    ("log --graph|log --all|log --branches", "log lists the commits before one state",
        "pds log REV; to list the refs, pds ref ls"),
    ("merge --abort|merge --continue", "a merge with conflicts changes nothing",
        "pds merge REV"),
    ("version", "an option prints the version",
        "pds --version"),
    ("blame|annotate", "records have versions, not lines",
        "pds log PATH, pds get PATH --at REV"),
    ("bisect", "every state can be read without a checkout",
        "pds log, pds get PATH --at REV, pds verify --at REV"),
    ("cherry-pick", "a signed commit is not copied; a record of it is written again",
        "pds get PATH --at REV | pds put PATH; to take all changes, pds merge REV"),
    ("rebase", "signed commits are not rewritten; branches are merged",
        "pds merge REV"),
    ("undo", "reset moves HEAD back, and revert writes a commit that undoes another",
        "pds reset HEAD~1, pds revert HEAD"),
    ("filter-branch|filter-repo|purge", "forget purges records and old history",
        "pds forget PATH, pds forget --before REV"),
    ("prune|repack|pack-refs|count-objects", "gc deletes the blocks that nothing refers to",
        "pds gc; to see what is stored, pds info"),
    ("bundle|fast-export", "export writes a CAR file",
        "pds export -o FILE, pds export --history -o FILE"),
    ("unbundle|fast-import|unpack-objects", "import reads a CAR file",
        "pds import FILE"),
    ("format-patch|am", "changes are carried by CAR files",
        "pds export --chain -o FILE, pds merge FILE"),
    ("worktree|submodule", "each directory is a repository of its own",
        "pds clone . DIR; to read a state without a copy, pds ls --at REV"),
    ("archive", "keeping many accounts is not built yet; export and unpack write one account",
        "pds export -o FILE, pds unpack DIR"),
    // git: settings and the network
    ("config|settings", "there is no file of settings",
        "pds --help; to list the variables that are read, pds help environment"),
    ("remote", "a mirror follows one host; files and directories are named directly",
        "pds clone ACCOUNT, pds pull, pds merge DIR"),
    ("fetch|download|sync", "pull fetches what is new on the host of the account",
        "pds pull, pds clone ACCOUNT, pds import FILE"),
    ("push|upload|publish", "writing to a host is not built yet; pds writes CAR files",
        "pds export -o FILE"),
    ("serve|daemon|browse", "a server is not built yet; files are read on this machine",
        "pds ls --all, pds export -o FILE"),
];

/// The same for goat.
#[rustfmt::skip]
pub(crate) const GOAT: &[HabitRow] = &[
    // goat: repositories and records
    ("repo export", "export writes a CAR file of this repository",
        "pds export -o FILE"),
    ("repo import", "import stores a CAR file, and clone creates a repository from one",
        "pds import FILE, pds clone FILE DIR"),
    ("repo ls|repo list", "ls lists the records of a CAR file, too",
        "pds -R FILE ls --all"),
    ("repo inspect", "info describes a CAR file, too",
        "pds -R FILE info"),
    ("repo mst", "mst draws the tree of a CAR file, too",
        "pds -R FILE mst"),
    ("repo unpack", "unpack reads a CAR file, too",
        "pds -R FILE unpack DIR"),
    ("repo", "its verbs stand alone here",
        "pds export -o FILE, pds import FILE, pds ls, pds info, pds mst, pds unpack DIR"),
    ("record get", "get prints a record",
        "pds get PATH"),
    ("record ls|record list", "ls lists records",
        "pds ls --all, pds ls COLLECTION"),
    ("record create", "put writes a record, and makes a key if it is given only a collection",
        "pds put COLLECTION FILE, pds put PATH FILE --create"),
    ("record update", "put writes a record",
        "pds put PATH FILE"),
    ("record delete|record rm", "rm deletes records",
        "pds rm PATH"),
    ("record", "its verbs stand alone here",
        "pds get PATH, pds ls COLLECTION, pds put PATH FILE, pds rm PATH"),
    ("ls -c|ls --collection|ls --collections", "ls without arguments lists the collections",
        "pds ls, pds ls COLLECTION"),
    ("blob upload|blob add", "blob put stores a file",
        "pds blob put FILE"),
    ("blob download", "blob get writes a blob",
        "pds blob get CID"),
    ("blob list", "blob ls lists the stored blobs",
        "pds blob ls"),
    ("blob compute", "cid hashes a file",
        "pds cid FILE"),
    // goat: keys and syntax
    ("key inspect", "key show prints the public key of the repository",
        "pds key show"),
    ("syntax tid generate|syntax tid now|rkey", "tid makes one",
        "pds tid"),
    ("syntax tid", "tid decodes one",
        "pds tid TID"),
    ("syntax", "every command checks the syntax of its arguments",
        "pds help paths"),
    ("lex", "records are not checked against lexicons, only against the data model",
        "pds verify"),
    // goat: the network
    ("account missing-blobs", "blob missing lists the blobs that are not stored",
        "pds blob missing"),
    ("account migrate|migrate|preflight", "moving an account to another host is not built yet",
        "to write all records to a CAR file, pds export -o FILE"),
    ("account plc|plc|resolve", "identity shows the host, the handle and the keys of an account",
        "pds identity show ACCOUNT, pds identity log ACCOUNT"),
    ("account|login|logout", "reading needs no session, and writing to a host is not built yet",
        "pds clone ACCOUNT, pds info, pds key show"),
    ("bsky post", "writing to a host is not built yet; a post is written to this repository",
        "pds put app.bsky.feed.post FILE"),
    ("bsky|firehose|relay|xrpc|pds", "pds keeps repositories of accounts",
        "pds clone ACCOUNT, pds pull, pds import FILE"),
];

#[cfg(test)]
#[path = "habits_tests.rs"]
mod tests;
