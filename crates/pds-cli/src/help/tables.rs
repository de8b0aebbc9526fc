//! Exit codes, variables and files: the facts that the help and the manual pages share.

/// The exit codes and their meanings.
pub(crate) const EXIT_CODES: [(&str, &str); 8] = [
    ("0", "yes, done"),
    ("1", "the answer is no: not found, differs, verification failed, swap lost, blobs missing"),
    ("2", "usage: the command line is not valid"),
    ("3", "bad or damaged input: not a CAR file, not a repository, truncated, undecodable"),
    ("4", "network failure, or the remote refused"),
    ("5", "busy: another process is using the repository, or has changed it; try again"),
    ("6", "partly done; the missing parts were listed"),
    ("128 + n", "ended by signal n, after removing the unfinished work"),
];

/// The environment variables that the program reads.
pub(crate) const VARIABLES: [(&str, &str); 23] = [
    ("PDS_REPO", "repository, if the option -R is not given"),
    ("PDS_STORE", "address of the database in which init and clone store a repository"),
    ("ATP_PLC_HOST", "directory of did:plc accounts, instead of https://plc.directory"),
    ("PDS_RESOLVER", "server that is asked for handles, as --resolver"),
    (
        "PDS_ALLOW_PRIVATE",
        "hosts at private addresses that may be asked, with commas between; 1 for all hosts",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "proxy for https, and the hosts that are asked without it",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "trusted certificates, instead of those of the program"),
    ("PDS_PAGER", "pager for answers that are longer than the screen; empty for no pager"),
    ("PAGER", "pager, if PDS_PAGER is not set"),
    ("LESS, LV", "options of the pagers less and lv; if not set, the options keep colours"),
    ("VISUAL, EDITOR", "editor of pds edit: VISUAL, else EDITOR, else vi"),
    ("NO_COLOR", "if not empty, no colours"),
    (
        "CLICOLOR_FORCE",
        "if neither empty nor 0, colours on every terminal, and in pipes for messages and help. Lines in a pipe never have colours",
    ),
    ("CLICOLOR", "if 0, no colours"),
    ("TERM", "if dumb, no colours, only the symbols of ASCII, and a pager only if one is named"),
    ("LC_ALL, LC_CTYPE, LANG", "with UTF-8, symbols beyond ASCII on a terminal"),
    ("TZ", "time zone of the times on a terminal"),
    ("TMPDIR", "directory for temporary files"),
    ("PGUSER, USER", "user of the database, if its address names none"),
    ("PGPASSWORD", "password of the database"),
    ("PGPASSFILE", "file with passwords of databases, instead of ~/.pgpass"),
    ("PGSSLMODE", "if the database must be encrypted, the address is refused"),
    ("HOME", "directory with the file .pgpass"),
];

/// The files in the directory of a repository.
pub(crate) const FILES: [(&str, &str); 12] = [
    (
        "pds.db",
        "the store: blocks, refs, the log and facts. A directory with this file is a repository",
    ),
    ("store", "the address of the store, if it is in a database instead"),
    ("blobs/", "the blobs, each under its CID"),
    ("upstream.json", "the host that a mirror follows"),
    ("missing-blobs.json", "the blobs that the host did not give"),
    ("fetch/", "the files of a clone or pull at work"),
    ("evidence/", "signed commits that contradict each other"),
    ("key", "the signing key. A repository without it is a mirror"),
    ("key.next, key.unused-*", "keys of a rotation that has not ended, or that failed"),
    ("key.old, key.old.*", "keys that a rotation replaced"),
    ("identity/", "the DID document and the operation log of the account"),
    ("quarantine/", "damaged bytes that a repair put aside"),
];

/// Sets a table of two columns as text that is at most as wide as a terminal.
pub(crate) fn set(rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, about) in rows {
        let mut name = *name;
        for line in wrapped(about, COLUMNS - width - 4) {
            text.push_str(&format!("  {name:width$}  {line}\n"));
            name = "";
        }
    }
    text
}

/// Breaks a text into lines of a width, if its words allow that.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The width of help in columns.
pub(crate) const COLUMNS: usize = 80;
