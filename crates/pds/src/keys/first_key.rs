//! The first key that a repository learns, which need not be the key of the commits that it already has.

use crate::error::Result;
use crate::keys::commits::known_commits;
use pds_core::crypto::public_key::PublicKey;
use pds_core::syntax::tid::Tid;
use pds_store::fact::Fact;
use pds_store::store::View;

/// Returns the facts about the first known key.
///
/// Commits that the key did not sign have another key, which is unknown. They stay unchecked: a commit is not called
/// invalid because a key became known. So the key is valid only for commits after the newest of them.
pub(crate) fn first_key(view: &dyn View, key: &PublicKey) -> Result<Vec<Fact>> {
    let mut facts = vec![Fact::Key(key.into())];
    let (own, others): (Vec<_>, Vec<_>) =
        known_commits(view)?.into_iter().partition(|commit| commit.verify(key).is_ok());
    let Some(newest) = others.iter().map(|commit| commit.rev()).max() else { return Ok(facts) };
    let since = after(newest);
    facts.push(Fact::UnknownBefore(since));
    for commit in own.iter().filter(|commit| commit.rev() < Some(since)) {
        facts.push(Fact::NamedKey { commit: commit.cid(), key: key.into() });
    }
    Ok(facts)
}

/// Returns the smallest rev after another one. A commit without a rev counts as older than the smallest rev.
pub(crate) fn after(rev: Option<Tid>) -> Tid {
    Tid::next(0, 0, rev).unwrap_or(Tid::from_u64(u64::MAX))
}
