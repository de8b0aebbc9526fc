//! All checks that compare a repository with its model.

use std::collections::BTreeSet;

use pds::Revision;
use pds::data::Cid;
use pds::{Code, SignatureState};

use super::Trial;
use super::states::{State, cid_of, differing};
use crate::repo::{action, path};

impl Trial {
    /// Compares the repository with the model in every respect.
    pub(super) fn check(&mut self) {
        let here = self.model.here();
        for (n, commit) in self.model.commits.iter().enumerate() {
            let at = Revision::from(commit.cid);
            if here.contains(&n) {
                self.check_state(&at, &commit.state);
            } else {
                let gone = self.repo.checkout(&at).map(drop).unwrap_err();
                assert!(gone.is_not_found(), "{at}: {gone}");
            }
        }
        self.check_names(&here);
        self.check_log();
        self.check_diff(&here);
        self.check_record();
        self.check_history(&here);
    }

    fn cid(&self, commit: usize) -> Cid {
        self.model.commits[commit].cid
    }

    fn check_state(&self, at: &Revision, expected: &State) {
        let snapshot = self.repo.checkout(at).unwrap();
        let found = snapshot.records().map(|entry| {
            let entry = entry.unwrap();
            (entry.path.to_string(), entry.cid)
        });
        let expected = expected.iter().map(|(path, text)| (path.clone(), cid_of(text)));
        assert!(found.eq(expected), "{at}");
    }

    fn check_names(&self, here: &BTreeSet<usize>) {
        let resolve = |name: String| {
            let found = self.repo.history().resolve(&name.parse().unwrap());
            found.map_err(|error| assert!(error.is_not_found(), "{name}: {error}")).ok()
        };
        let cid = |commit: usize| self.cid(commit);
        for (name, moves) in &self.model.refs {
            assert_eq!(resolve(name.clone()), self.model.stands(name).map(cid));
            for (n, one) in moves.iter().rev().skip(1).enumerate() {
                let n = n + 1;
                assert_eq!(resolve(format!("{name}@{{{n}}}")), one.to.map(cid), "{name}@{{{n}}}");
            }
            let beyond = moves.len();
            assert_eq!(resolve(format!("{name}@{{{beyond}}}")), None, "{name}@{{{beyond}}}");
            let Some(head) = self.model.stands(name) else { continue };
            let chain = self.model.chain(name, head);
            for (n, earlier) in chain.iter().enumerate() {
                assert_eq!(resolve(format!("{name}~{n}")), Some(cid(*earlier)), "{name}~{n}");
            }
            let beyond = chain.len();
            assert_eq!(resolve(format!("{name}~{beyond}")), None, "{name}~{beyond}");
        }
        for commit in here {
            let cid = cid(*commit);
            let rev = self.repo.checkout(&cid.into()).unwrap().commit().rev().unwrap();
            assert_eq!(resolve(rev.to_string()), Some(cid));
        }
    }

    fn check_log(&self) {
        for (name, moves) in &self.model.refs {
            let log = self.on(name).history().log(usize::MAX).unwrap();
            assert_eq!(log.len(), moves.len(), "{name}");
            let mut before = None;
            for (row, one) in log.iter().rev().zip(moves) {
                let after = one.to.map(|commit| self.cid(commit));
                assert_eq!((row.before, row.after), (before, after));
                assert_eq!(action(row), one.note);
                before = after;
            }
        }
    }

    fn check_diff(&mut self, here: &BTreeSet<usize>) {
        let [(a, before), (b, after)] = [(); 2].map(|()| self.commit());
        let found = self.repo.history().diff(&before.into(), &after.into());
        if !here.contains(&a) || !here.contains(&b) {
            return assert!(found.unwrap_err().is_not_found());
        }
        let [before, after] = [a, b].map(|commit| &self.model.commits[commit]);
        let found = found.unwrap().into_iter();
        let found = found.map(|one| (one.path.to_string(), one.before, one.after));
        let expected = differing(&before.state, &after.state).into_iter().map(|path| {
            let [old, new] =
                [before, after].map(|commit| commit.state.get(&path).map(|text| cid_of(text)));
            (path, old, new)
        });
        assert!(found.eq(expected), "{} to {}", before.cid, after.cid);
    }

    fn check_record(&mut self) {
        let at = self.dice.path();
        for name in self.model.names() {
            let repo = self.on(&name);
            let found = repo.history().record_history(&path(&at)).unwrap().map(|version| {
                let version = version.unwrap();
                (version.commit.cid(), version.after)
            });
            let text = |commit: &usize| self.model.commits[*commit].state.get(&at);
            let chain = self.model.chain(&name, self.model.head(&name));
            let earlier = chain.iter().skip(1).map(Some).chain([None]);
            let changed = chain.iter().zip(earlier);
            let changed = changed.filter(|(commit, before)| text(commit) != before.and_then(text));
            let expected = changed
                .map(|(commit, _)| (self.cid(*commit), text(commit).map(|text| cid_of(text))));
            assert!(found.eq(expected), "{at} on {name}");
        }
    }

    /// Verifies the whole history: the only findings are the gaps that the model has too.
    fn check_history(&self, here: &BTreeSet<usize>) {
        let mut begins = BTreeSet::new();
        let mut tell = |finding: pds::Finding| {
            assert_eq!(finding.code(), Code::HistoryBegins, "{finding}");
            begins.insert(finding.cid.unwrap());
        };
        let report = self.repo.verify().history(&Default::default(), &mut tell).unwrap();
        assert!(report.is_ok() && report.is_complete());
        assert_eq!((report.signature, report.commits), (SignatureState::Valid, here.len() as u64));
        let cut = here.iter().filter(|commit| {
            self.model.commits[**commit].prev.is_some() && self.model.prev(**commit).is_none()
        });
        assert!(cut.map(|commit| self.cid(*commit)).collect::<BTreeSet<Cid>>() == begins);
    }
}
