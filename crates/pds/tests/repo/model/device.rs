//! Merges of commits that another device has made and signed with its own key.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::crypto::{Curve, SigningKey};
use pds::merge::commit::{MergeKind, MergeOptions};
use pds::store::MemoryStore;
use pds::{Error, Repo};

use super::states::three_way;
use super::{Trial, assert_conflicts};
use crate::repo::{note, path};

impl Trial {
    pub(super) fn merge_from_device(&mut self, on: &str) {
        let names = self.model.names();
        let from = self.dice.of(&names);
        let start = self.model.head(&from);
        let key = SigningKey::generate(Curve::K256).unwrap();
        let device = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
            .signing_with(key.clone());
        let exported = |repo: &Repo| {
            let mut file = Vec::new();
            repo.transfer().export(&repo.head().unwrap().unwrap().into(), &mut file).unwrap();
            Cursor::new(file)
        };
        device.transfer().import_file(exported(&self.on(&from)), None).unwrap();
        let at = self.dice.path();
        let text = self.dice.text(&at);
        let theirs = device.put(&path(&at), &note(&text)).unwrap().commit;
        if theirs.cid() == self.model.commits[start].cid {
            return;
        }
        let mut their_state = self.model.state(&from).clone();
        their_state.insert(at, text);

        let car = CarFile::open(exported(&device)).unwrap();
        if on == "merged" {
            let refused = self.on(on).merge().car(&car, &MergeOptions::default());
            return assert!(matches!(refused, Err(Error::KeepsMerged(_))));
        }
        let refused = self.on(on).merge().car(&car, &MergeOptions::default());
        assert!(matches!(refused, Err(Error::Refused(_))), "nobody has named this key");
        let options = MergeOptions::default().key(Some(key.public_key()));
        let merged = self.on(on).merge().car(&car, &options);
        let ours = self.model.head(on);
        let [by_us, by_them] = [ours, start].map(|commit| self.model.ancestors(commit));
        let Some(base) = by_us.intersection(&by_them).max().copied() else {
            return assert!(matches!(merged, Err(Error::Unrelated { .. })));
        };
        let [base_state, our_state] = [base, ours].map(|commit| &self.model.commits[commit].state);
        let (state, conflicts) = three_way(base_state, our_state, &their_state, None);
        if !conflicts.is_empty() {
            return assert_conflicts(merged, &conflicts);
        }
        let merged = merged.unwrap();
        let note = format!("merge {} {}", theirs.cid(), key.public_key().did_key());
        let moves_there = base == ours || state == their_state;
        let number = self.model.arrives(theirs.cid(), their_state, start);
        if moves_there {
            assert_eq!((merged.how, merged.commit.cid()), (MergeKind::FastForward, theirs.cid()));
            self.model.moves(on, Some(number), &note);
            return self.takes("move to the commit of a device");
        }
        assert_eq!(merged.how, MergeKind::Commit);
        self.model.commits(on, merged.commit.cid(), state, &note);
        self.model.merges(on, number);
        self.model.moves("merged", Some(number), &note);
        self.takes("merge from a device");
    }
}
