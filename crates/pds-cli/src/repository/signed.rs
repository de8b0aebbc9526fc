//! The check of the signatures of commits against the keys of an account.

use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::identity::KeyHistory;

use crate::failures::exit::Exit;
use crate::process::text::{did_text, rev_text, say};

/// The result of checking the signature of a commit.
pub(crate) struct Signed {
    /// The key that was valid at the time of the commit and signed it.
    pub(crate) key: Option<PublicKey>,
    pub(crate) is_wrong: bool,
}

impl Signed {
    pub(crate) fn by(keys: &KeyHistory, commit: Option<&Commit>) -> Self {
        let Some(commit) = commit else { return Self { key: None, is_wrong: false } };
        let (cid, found) = (commit.cid(), commit.known_did());
        if let Some(did) = keys.did().filter(|did| found.is_some_and(|found| found != *did)) {
            let found = did_text(found);
            say(&format!("commit {cid} belongs to {found}, but the audit log belongs to {did}"));
            return Self { key: None, is_wrong: true };
        }
        match keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature()) {
            Ok(period) => {
                if keys.may_be_later(commit.rev(), period) {
                    let rev = rev_text(commit.rev());
                    say(&format!(
                        "warning: commit {cid}: signed with a former key of the account, and rev {rev} does not \
                         say when"
                    ));
                }
                Self { key: period.key.clone(), is_wrong: false }
            }
            Err(error) => {
                say(&format!("commit {cid}: {:#}", anyhow::Error::new(error)));
                Self { key: None, is_wrong: true }
            }
        }
    }

    /// Returns the exit code, given that of the other entries.
    pub(crate) fn exit(&self, otherwise: Exit) -> Exit {
        if self.is_wrong && otherwise == Exit::Done { Exit::No } else { otherwise }
    }
}
