//! Key rotation: the change from one signing key to the next.

use crate::error::Result;
use crate::facts;
use crate::keys::first_key::first_key;
use crate::keys::handle::Keys;
use crate::model::progress::Progress;
use crate::parts::empty_cid;
use pds_core::commit::Commit;
use pds_core::crypto::did_key::DidKey;
use pds_core::crypto::public_key::PublicKey;
use pds_core::crypto::signer::Signer;
use pds_core::syntax::tid::Tid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit};

impl Keys<'_> {
    /// Signs the present state with another key, which must sign all later commits.
    ///
    /// The commit and the keys are stored in one change. The old key stays valid for earlier commits. The log
    /// keeps both public keys. To rotate the key of a directory, see [`local`](crate::local).
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// use pds::crypto::{Curve, SigningKey};
    ///
    /// let next = SigningKey::generate(Curve::P256)?;
    /// use pds::crypto::Signer;
    /// let commit = repo.keys().rotate(&next)?;
    /// commit.verify(&next.public_key())?;
    /// let rotated = repo.clone().signing_with(next);
    /// let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// rotated.put(&"com.example.note/a".parse()?, &note)?;
    /// assert!(repo.put(&"com.example.note/b".parse()?, &note).is_err(), "this handle has the old key");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`](crate::Error::NoSigner) and [`Error::WrongKey`](crate::Error::WrongKey) if this handle does
    /// not have the present key; otherwise as [`Repo::write`](crate::Repo::write). After an error, nothing has changed.
    pub fn rotate(&self, next: &dyn Signer) -> Result<Commit> {
        let new = DidKey::from(&next.public_key());
        self.parts.until_first(|| {
            let base = self.parts.base()?;
            let old = DidKey::from(&self.parts.signer_of(&base)?.public_key());
            let event = Event::Rotate { old: old.clone(), new: new.clone() };
            // The new rev is greater than that of every commit that the old key has signed, on any ref.
            let newest = self.newest_rev()?;
            let store = self.parts.store.as_ref();
            let draft = self.parts.draft_edits(
                &base,
                newest,
                Vec::new(),
                store,
                event,
                Progress::default(),
            )?;
            let commit = draft.commit().clone().sign(next)?;
            let until = draft.commit().rev;
            let facts =
                [Fact::EndedKey { until, key: old }, Fact::Key(new.clone())].map(FactEdit::Set);
            self.parts.store_draft(draft, &commit, facts.into(), Progress::default())?;
            Ok(commit)
        })
    }

    /// Records the key of later commits, for a repository without a signer. The key before is still expected
    /// for the commits that are already stored. If no key was known, stored commits that the key did not sign stay
    /// unchecked.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if the store cannot be read or written; if another key is known,
    /// [`Error::Clock`](crate::Error::Clock) as in [`Repo::write`](crate::Repo::write).
    pub fn remember(&self, key: &PublicKey) -> Result<()> {
        self.parts.until_first(|| {
            let view = self.parts.store.view()?;
            let (known, version) = (self.parts.key_in(view.as_ref())?, view.version());
            let logged = facts::logged(view.as_ref())?;
            let first = match known {
                Some(_) => vec![Fact::Key(key.into())],
                None => first_key(view.as_ref(), key)?,
            };
            let mut facts: Vec<FactEdit> = first.into_iter().map(FactEdit::Set).collect();
            if let Some(known) = known.filter(|known| known != key) {
                let until = self.parts.next_rev(self.newest_rev()?, logged, empty_cid())?;
                facts.push(FactEdit::Set(Fact::EndedKey { until, key: (&known).into() }));
            }
            let change = Change::new(Event::Set).facts(facts).unless_changed_since(version);
            self.parts.store.apply(change)?;
            Ok(())
        })
    }

    /// Returns the newest rev of all readable commits that refs point to, and of all ended keys.
    fn newest_rev(&self) -> Result<Option<Tid>> {
        let view = self.parts.store.view()?;
        let mut newest = facts::key_since(view.as_ref())?;
        for (_, head) in &view.refs()? {
            match self.parts.commit_in(view.as_ref(), *head) {
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                commit => newest = newest.max(commit?.rev()),
            }
        }
        Ok(newest)
    }
}
