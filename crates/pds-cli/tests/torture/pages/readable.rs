//! What can be read of a repository, record by record, through the library.

use std::collections::BTreeMap;

use pds::data::Cid;
use pds::local::open::open_without_key;

use super::base::{Base, Records};
use crate::common::TestRepo;

/// What can be read of a repository.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Readable {
    /// The commit that HEAD points to, if it can be read.
    pub(super) head: Option<Cid>,
    /// The readable records of HEAD among those of a base.
    pub(super) records: Records,
    /// Records that the state of HEAD has, and that cannot be read.
    pub(super) damaged: Vec<String>,
    /// Answers that are wrong: a record of another state, or none where there is one.
    pub(super) wrong: Vec<String>,
    /// The refs, if they can be read.
    pub(super) refs: Option<BTreeMap<String, Cid>>,
}

impl Readable {
    /// Reads every record of the state that HEAD points to. If that state is unknown, the records of
    /// the state before are read.
    pub(super) fn of(repo: &TestRepo, base: &Base, before: Option<Cid>) -> Self {
        let mut found = Self::default();
        let Ok(opened) = open_without_key(repo.home.path("alice")) else { return found };
        let refs = opened.history().refs().ok();
        found.refs =
            refs.map(|refs| refs.into_iter().map(|(name, cid)| (name.to_string(), cid)).collect());
        let Ok(snapshot) = opened.snapshot() else { return found };
        let head = snapshot.commit().cid();
        found.head = Some(head);
        let known = base.states.get(&head);
        let before = before.and_then(|before| base.states.get(&before));
        let expected = known.or(before).unwrap_or(&base.states[&base.head()]);
        for (path, cid) in expected {
            match snapshot.find(&path.parse().unwrap()) {
                Ok(Some(record)) => {
                    if record.cid() != *cid {
                        found.wrong.push(format!("{path} is {}", record.cid()));
                    }
                    found.records.insert(path.clone(), record.cid());
                }
                Ok(None) => found.wrong.push(format!("there is no {path}")),
                Err(_) => found.damaged.push(path.clone()),
            }
        }
        let listed: Result<Vec<_>, _> = snapshot.records().collect();
        let additional = listed.ok().filter(|_| known.is_some()).into_iter().flatten();
        let additional = additional.filter(|entry| !expected.contains_key(&entry.path.to_string()));
        found.wrong.extend(additional.map(|entry| format!("there is {}", entry.path)));
        found
    }

    /// Tells whether every record of a known state can be read.
    pub(super) fn is_whole(&self, base: &Base) -> bool {
        self.head.is_some_and(|head| base.states.contains_key(&head))
            && self.damaged.is_empty()
            && self.wrong.is_empty()
    }

    /// The first record that could be read before and cannot be read now, or is another one now.
    pub(super) fn lost_since(&self, before: &Self, base: &Base) -> Option<String> {
        let is_later = |now: Cid, then: Cid| {
            let place = |cid| base.heads.iter().position(|head| *head == cid);
            place(now) > place(then)
        };
        if let (Some(now), Some(then)) = (self.head, before.head)
            && is_later(now, then)
        {
            // HEAD pointed to an earlier state, and points to a later one now.
            return (!self.wrong.is_empty()).then(|| format!("{:?}", self.wrong));
        }
        let (path, _) =
            before.records.iter().find(|(path, cid)| self.records.get(*path) != Some(*cid))?;
        Some(path.clone())
    }
}
