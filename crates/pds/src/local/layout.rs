//! The names of the files in the directory of a repository.

/// The name of the store. A directory that has this file is a repository.
pub const STORE_FILE: &str = "pds.db";

/// The name of the file with the address of the store, if the store is in a database. A directory that has this file is
/// a repository.
pub const ADDRESS_FILE: &str = "store";

/// The name of the directory of blobs.
pub const BLOB_DIRECTORY: &str = "blobs";

/// The name of the directory with the files about the identity of the account.
pub const IDENTITY_DIRECTORY: &str = "identity";

/// The names of the files about the identity: the DID document and the audit log.
pub const IDENTITY_FILES: [&str; 2] = ["did.json", "plc.json"];

/// The name of the directory of signed commits that contradict each other.
pub const EVIDENCE_DIRECTORY: &str = "evidence";

/// The name of the file with the signing key.
pub const KEY_FILE: &str = "key";

/// The name of the file about the host that a mirror follows.
pub const UPSTREAM_FILE: &str = "upstream.json";

/// The name of the file that lists the blobs which a mirror could not fetch.
pub const MISSING_BLOBS_FILE: &str = "missing-blobs.json";

/// The name of the directory for the files of a fetch at work. If it exists without a store, a clone is unfinished.
pub const FETCH_DIRECTORY: &str = "fetch";

/// The name of the file in [`FETCH_DIRECTORY`] that names the account.
pub const FETCH_STATE_FILE: &str = "state.json";

/// Returns whether a file in [`FETCH_DIRECTORY`] is one of a fetch, by its name: `state.json`, `7.car`, `7.car.part`, or
/// an unfinished one. Other files belong to the user.
#[must_use]
pub fn is_fetch_file(name: &str) -> bool {
    let number = name.strip_suffix(".car").or_else(|| name.strip_suffix(".car.part"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name == FETCH_STATE_FILE || name.starts_with(STAGING_PREFIX) || number.is_some_and(is_digits)
}

/// The prefix of the names of staging directories for new repositories.
pub const STAGING_PREFIX: &str = ".pds-new-";

/// The name of a file in a staging directory. It lists the directories that are moved from there into place.
pub const MOVED_FILE: &str = "moved";

/// The name of the file with the next signing key, during a rotation.
pub const NEXT_KEY_FILE: &str = "key.next";

/// The name of the file with a secret that a rotation replaced. If it exists, a dot and a number follow the name:
/// `key.old.1`, and so on.
pub const OLD_KEY_FILES: &str = "key.old";

/// The prefix of the names of files with keys of failed rotations. The public key follows, as multikey text.
pub const UNUSED_KEY_FILES: &str = "key.unused-";

/// The name of the directory where a repair keeps damaged bytes.
pub const QUARANTINE_DIRECTORY: &str = "quarantine";

/// The prefix of the names of directories in which a repair builds a database.
pub const REPAIR_PREFIX: &str = ".pds-repair-";
