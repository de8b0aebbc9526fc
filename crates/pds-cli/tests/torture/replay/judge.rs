//! What the program says about the directory that a power cut left.

use std::ops::ControlFlow;

use pds::Repo;

use crate::common::{Home, log_rows};

/// A state without a repository.
pub(super) const NOTHING: &str = "no repository";

/// A state that the program accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Equal for equal states.
    pub(super) name: String,
    /// What an acknowledged state must not have, such as a purged record.
    pub(super) rest: Option<String>,
}

impl State {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), rest: None }
    }
}

/// Judges a directory: the state that it has, or the fault.
pub(super) type Judge<'a> = &'a dyn Fn(&Home) -> Result<State, String>;

/// The state of the repository in a directory: refs, log, account, keys and blobs. It verifies with its history.
pub(super) fn repository(home: &Home, dir: &str) -> Result<State, String> {
    let verified = home.pds(["-R", dir, "verify", "--history", "--blobs"]).ended();
    match verified.code() {
        0 => {}
        3 if verified.stderr.starts_with("error: no repository in") => {
            return Ok(State::named(NOTHING));
        }
        code => return Err(format!("verify: {code}: {}{}", verified.text(), verified.stderr)),
    }
    let described = || -> Result<String, Box<dyn std::error::Error>> {
        let repo = Repo::open(home.path(dir))?;
        let (key, known) = (repo.public_key()?, repo.keys().known()?);
        if !repo.keys().can_sign() || key != known {
            return Err(format!(
                "the key file has {key:?}, or is missing; the store knows {known:?}"
            )
            .into());
        }
        let mut blobs = Vec::new();
        repo.blobs().list(&mut |blob| {
            blobs.push(blob.cid.to_string());
            ControlFlow::Continue(())
        })?;
        let refs = repo.store().view()?.refs()?;
        Ok(format!("{:?} {key:?} {refs:?} {:?} {blobs:?}", repo.did()?, log_rows(&repo)))
    };
    described().map(State::named).map_err(|error| error.to_string())
}

/// Checks that the next write works, and that the repository is intact after it.
pub(super) fn next_write(home: &Home, dir: &str) {
    let path = "com.example.note/zz-afterwards";
    home.pds(["-R", dir, "put", path]).stdin("{\"text\":\"x\"}").ended().done();
    home.pds(["-R", dir, "get", path]).ok();
    home.pds(["-R", dir, "verify", "--history", "--blobs"]).ok();
}
