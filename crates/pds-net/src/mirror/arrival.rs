//! The import of what has arrived, under the key of the account.

use std::fs::{self, File};
use std::path::Path;

use pds::car::{CarFile, CarReader};
use pds::local::layout::EVIDENCE_DIRECTORY;
use pds::transfer::handle::Transfer;
use pds::transfer::import::Imported;
use pds::{Code, Expected};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;

use crate::account::Account;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::mirror::keys::signer;
use crate::mirror::small_file;
use crate::mirror::transport::Parcel;
use crate::refusal::Refusal;

/// Imports a parcel. It is signed by the present key of the account, or by a former one in its time.
///
/// Returns the warning about a former key as well.
pub(super) fn import<T>(
    account: &Account,
    parcel: Parcel<'_>,
    run: &mut dyn FnMut(&PublicKey) -> pds::Result<T>,
) -> Result<(T, Option<String>)> {
    let Some(current) = account.key() else { return Err(no_key(account)) };
    match run(current) {
        Err(pds::Error::Refused(finding)) if finding.code() == Code::SignatureInvalid => {}
        done => return Ok((done?, None)),
    }
    let Some(commit) = commit_of(parcel)? else { return Err(no_key(account)) };
    let signed = signer(account, &commit)?;
    let warning = signed.is_former.then(|| {
        let commit = commit.cid();
        format!(
            "former-key: commit {commit} is signed by {}, a former key of the account",
            signed.key
        )
    });
    Ok((run(&signed.key)?, warning))
}

fn no_key(account: &Account) -> Error {
    let reason = "its DID document names no signing key".to_owned();
    Error::Resolve { name: account.did.to_string(), reason }
}

/// Imports a parcel with one key.
pub(super) fn import_with(
    transfer: &Transfer<'_>,
    did: &Did,
    parcel: Parcel<'_>,
    key: &PublicKey,
) -> pds::Result<Imported> {
    let imported = match parcel {
        Parcel::File(path) => {
            let file = File::open(path)
                .map_err(|source| pds::Error::Io { path: path.to_owned(), source })?;
            transfer.import_file(file, Some(key))?
        }
        Parcel::Blocks(blocks, root) => {
            let expected = Expected::default().did(did).key(key);
            transfer.admit(blocks, root, &expected)?
        }
        Parcel::Changes(step) => {
            let expected = Expected::default().did(did).key(key);
            transfer.advance(&step, &expected)?
        }
    };
    let found = imported.commit.did();
    match found == did {
        true => Ok(imported),
        false => Err(pds::Error::WrongDid { expected: did.clone(), found: found.clone() }),
    }
}

/// Returns the root of a parcel: the commit that it claims to have.
pub(super) fn root_of(parcel: Parcel<'_>) -> Result<Option<Cid>> {
    match parcel {
        Parcel::Blocks(_, root) => Ok(Some(root)),
        Parcel::Changes(step) => Ok(Some(step.commit.cid())),
        Parcel::File(path) => {
            let file = small_file::open_fetched(path)?;
            let car = CarReader::new(file).map_err(|error| Error::Repo(pds::Error::Car(error)))?;
            Ok(car.roots().first().copied())
        }
    }
}

/// Reads the commit of a parcel, if it has one.
pub(super) fn commit_of(parcel: Parcel<'_>) -> Result<Option<Commit>> {
    let decode = |blocks: &dyn Blocks, root: &Cid| {
        let block = blocks.get(root).ok().flatten();
        block.and_then(|block| Commit::decode(&block).ok())
    };
    Ok(match parcel {
        Parcel::Blocks(blocks, root) => decode(blocks, &root),
        Parcel::Changes(step) => Some(step.commit.clone()),
        Parcel::File(path) => {
            let file = small_file::open_fetched(path)?;
            let car = CarFile::open_unchecked(file);
            let car = car.map_err(|error| Error::Repo(pds::Error::Car(error)))?;
            car.roots().first().and_then(|root| decode(&car, root))
        }
    })
}

/// Returns the refusal that an error of an import means. Two commits with one rev are kept as evidence.
pub(super) fn refusal(
    error: Error,
    (dir, ours): (&Path, &dyn Blocks),
    parcel: Parcel<'_>,
) -> Error {
    let Error::Repo(error) = error else { return error };
    match error {
        pds::Error::Older { rev: Some(theirs), present: Some(ours), .. } => {
            Refusal::OlderRev { ours, theirs }.into()
        }
        pds::Error::SameRev { rev, present, found } => {
            let both = [
                ours.get(&present).ok().flatten(),
                commit_of(parcel).ok().flatten().map(|commit| commit.block().clone()),
            ];
            let mut kept = 0;
            for block in both.into_iter().flatten() {
                match keep_evidence(dir, &rev.to_string(), &block) {
                    Ok(is_kept) => kept += u8::from(is_kept),
                    Err(error) => return error,
                }
            }
            Refusal::Equivocation { rev, ours: present, theirs: found, are_kept: kept == 2 }.into()
        }
        pds::Error::WrongDid { expected, found } => Refusal::WrongDid { expected, found }.into(),
        pds::Error::Refused(finding) => {
            let rev = || commit_of(parcel).ok()??.rev();
            match (finding.code(), rev()) {
                (Code::RevInFuture, Some(theirs)) => {
                    let now = now().unix_micros();
                    let now_micros = u64::try_from(now).unwrap_or_default();
                    Refusal::FutureRev { theirs, now_micros }.into()
                }
                _ => Refusal::Unsound(*finding).into(),
            }
        }
        error => error.into(),
    }
}

/// Keeps a signed commit that contradicts another one. Returns whether there is room for it.
fn keep_evidence(dir: &Path, rev: &str, block: &pds_core::data::block::Block) -> Result<bool> {
    let dir = dir.join(EVIDENCE_DIRECTORY);
    small_file::check_directory(&dir)?;
    fs::create_dir_all(&dir).map_err(|error| small_file::failed(&dir, error))?;
    let path = dir.join(format!("{rev}-{}.cbor", block.cid()));
    if path.symlink_metadata().is_ok() {
        return Ok(true);
    }
    let has_room = fs::read_dir(&dir).map_or(0, Iterator::count) < MAX_EVIDENCE;
    if has_room {
        small_file::write(&path, block.bytes())?;
    }
    Ok(has_room)
}

/// The most commits that are kept as evidence.
const MAX_EVIDENCE: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pds_core::data::block::Block;
    use pds_core::data::cid::Codec;

    use super::*;

    #[test]
    fn a_full_directory_of_evidence_keeps_no_more() {
        let home = tempfile::tempdir().unwrap();
        let block = |number: u8| Block::new(Codec::Cbor, vec![number]);
        let keep = |number| keep_evidence(home.path(), "3l", &block(number)).unwrap();
        assert!((0..16).all(keep));
        assert!(!keep(16), "it is full");
        assert!(keep(3), "it is there");
        assert_eq!(fs::read_dir(home.path().join("evidence")).unwrap().count(), 16);
    }
}
