//! The answer of `pds repair`: findings, repairs and losses.

use std::fmt;
use std::path::PathBuf;

use pds::commit::Commit;
use pds::data::Cid;
use pds::mst::Key;
use pds::store::{RefName, Replaced, Salvaged, SalvagedRef};
use pds_rescue::{BrokenRef, Lost, Origin, Part, Rebuilt, Survey};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::commit::CommitId;
use super::redate::RedateAnswer;
use crate::failures::exit::Exit;
use crate::process::text::{counted_plain, rev_text};

/// The findings of a repair, and what it did.
pub(crate) struct RepairAnswer<'a> {
    pub(crate) survey: &'a Survey,
    pub(crate) sources: &'a [PathBuf],
    /// The problems that SQLite found in the file before the repair.
    pub(crate) problems: Vec<String>,
    /// What was read of a damaged database.
    pub(crate) salvaged: Option<Salvaged>,
    pub(crate) mended: Replaced,
    rebuilt: Option<Rebuilt>,
    pub(crate) lost: Vec<Lost>,
    pub(crate) redate: RedateAnswer,
    /// The user asked for changes.
    pub(crate) acted: bool,
    /// The present state verifies after the repair.
    pub(crate) verifies: bool,
}

/// A table of the database that could not be read in full.
struct Unread {
    what: &'static str,
    left: String,
    lost: &'static str,
}

impl<'a> RepairAnswer<'a> {
    /// Returns the answer before any repair.
    pub(crate) fn new(
        survey: &'a Survey,
        sources: &'a [PathBuf],
        problems: Vec<String>,
        salvaged: Option<Salvaged>,
    ) -> Self {
        let mended = Replaced::default();
        let lost = survey.lost.clone();
        let (rebuilt, redate, acted, verifies) = (None, RedateAnswer::default(), false, false);
        Self { survey, sources, problems, salvaged, mended, rebuilt, lost, redate, acted, verifies }
    }

    /// Returns how many refs were set to their last known commit.
    fn restored(&self) -> usize {
        let known = self.survey.refs.iter().filter(|broken| broken.target.is_some());
        if self.acted { known.count() + self.moved().len() } else { 0 }
    }

    /// Returns the refs whose target differs from their row in the old database.
    fn moved(&self) -> &[SalvagedRef] {
        self.salvaged.as_ref().map_or(&[], |salvaged| &salvaged.moved)
    }

    /// Returns the tables whose lost rows cannot be listed.
    fn unread(&self) -> Vec<Unread> {
        let Some(salvaged) = &self.salvaged else { return Vec::new() };
        let Salvaged { has_all_refs, has_all_moves, has_all_facts, refs, moves, .. } = salvaged;
        let log = Unread {
            what: "log",
            left: format!(
                "the log could not be read in full: {} recovered",
                counted_plain(*moves, "row")
            ),
            lost: match has_all_refs {
                true => "states that only the log named may be lost",
                false => "newer states may be lost",
            },
        };
        let refs = Unread {
            what: "refs",
            left: format!(
                "the refs could not be read in full: {} recovered",
                counted_plain(*refs, "ref")
            ),
            lost: "other refs may be lost",
        };
        let meta = Unread {
            what: "meta",
            left: "the facts about the repository could not be read in full".to_owned(),
            lost: "earlier keys and pending erasures may be lost",
        };
        // A complete log names every ref.
        let has_all_refs = *has_all_refs || *has_all_moves;
        let unread = [(log, *has_all_moves), (refs, has_all_refs), (meta, *has_all_facts)];
        unread.into_iter().filter(|(_, is_all)| !is_all).map(|(unread, _)| unread).collect()
    }

    /// Adds a rebuilt commit, whose losses replace those of the state before it.
    pub(crate) fn add(&mut self, rebuilt: Rebuilt) {
        let is_listed = |lost: &Lost| {
            let again = |other: &Lost| other.cid == lost.cid && other.part == lost.part;
            rebuilt.is_new && lost.commit == rebuilt.before || rebuilt.lost.iter().any(again)
        };
        self.lost.retain(|lost| !is_listed(lost));
        self.lost.splice(0..0, rebuilt.lost.iter().cloned());
        self.rebuilt = Some(rebuilt);
    }

    fn new_commit(&self) -> Option<&Rebuilt> {
        self.rebuilt.as_ref().filter(|rebuilt| rebuilt.is_new)
    }

    pub(crate) fn origin(&self, origin: Origin) -> String {
        match origin {
            Origin::Here => "this repository, under a wrong CID".to_owned(),
            Origin::Source(number) => {
                self.sources.get(number).map_or_else(String::new, |path| path.display().to_string())
            }
        }
    }

    /// Returns commits that HEAD may have pointed to, if its target is unknown.
    fn candidates(&self) -> impl Iterator<Item = &Commit> {
        let is_unknown =
            |broken: &BrokenRef| broken.target.is_none() && broken.name == RefName::head();
        let count = if self.survey.refs.iter().any(is_unknown) { MAX_CANDIDATES } else { 0 };
        self.survey.commits().iter().take(count)
    }

    /// Returns the exit code. Only the present state counts; losses of past states are no failure.
    pub(crate) fn exit(&self) -> Exit {
        let Self { survey, mended, .. } = self;
        let is_sound = survey.damaged().is_empty()
            && survey.unreadable.is_none()
            && survey.found().is_empty()
            && survey.refs.is_empty()
            && self.problems.is_empty();
        let is_complete = !self.lost.iter().any(is_present)
            && self.unread().is_empty()
            && survey.refs.iter().all(|broken| broken.target.is_some());
        let did_something = mended.added > 0
            || mended.dropped > 0
            || self.restored() > 0
            || self.rebuilt.as_ref().is_some_and(|done| done.is_new || !done.lost.is_empty())
            || !self.redate.redated.is_empty()
            || !self.problems.is_empty();
        match self.acted {
            _ if is_complete && (self.acted || is_sound) && self.verifies => Exit::Done,
            true if did_something => Exit::Partly,
            _ => Exit::No,
        }
    }

    fn summary(&self, f: &mut impl fmt::Write) -> fmt::Result {
        let verdict = match self.exit() {
            Exit::Done => "ok",
            Exit::Partly => "partly repaired",
            _ => "FAILED",
        };
        let Self { survey, .. } = self;
        let (blocks, damaged) = (counted_plain(survey.blocks, "block"), survey.damaged().len());
        let present = self.lost.iter().filter(|lost| is_present(lost)).count();
        let found = survey.found().len();
        write!(f, "{verdict}: {blocks}, {damaged} damaged, {found} found, {present} lost")?;
        match self.lost.len() - present {
            0 => {}
            past => write!(f, ", {past} lost from past states")?,
        }
        match survey.refs.len() + self.moved().len() {
            0 => {}
            astray => write!(f, ", {}", counted_plain(astray as u64, "broken ref"))?,
        }
        if self.acted {
            let Replaced { added, dropped, .. } = self.mended;
            write!(f, "; {added} added, {dropped} quarantined")?;
        }
        match self.restored() {
            0 => {}
            set => write!(f, ", {} set", counted_plain(set as u64, "ref"))?,
        }
        match &self.rebuilt {
            Some(Rebuilt { commit, records, is_new: true, .. }) => {
                let (cid, rev) = (commit.cid(), rev_text(commit.rev()));
                write!(f, "; new commit {cid} rev {rev} with {}", counted_plain(*records, "record"))
            }
            Some(Rebuilt { commit, lost, .. }) if !lost.is_empty() => {
                write!(f, "; HEAD points to commit {} again", commit.cid())
            }
            _ => Ok(()),
        }
    }

    /// Returns the verdict and the counts.
    pub(crate) fn summary_text(&self) -> String {
        let mut text = String::new();
        let _ = self.summary(&mut text); // never fails in memory
        text
    }

    /// Returns the tables that could not be read in full, as sentences.
    pub(crate) fn unread_texts(&self) -> Vec<String> {
        self.unread().iter().map(|unread| format!("{}; {}", unread.left, unread.lost)).collect()
    }

    /// Returns the refs that are broken or moved, as sentences.
    pub(crate) fn ref_texts(&self) -> Vec<String> {
        let moved = self.moved().iter().map(moved_text);
        moved.chain(self.survey.refs.iter().map(broken_text)).collect()
    }

    /// Tells whether the repository can be repaired in several ways, and none was chosen.
    pub(crate) fn has_options(&self) -> bool {
        let is_unsound = !self.survey.is_clean() || !self.problems.is_empty();
        is_unsound && !self.acted && self.exit() != Exit::Done
    }

    /// Returns the next step, if one is left.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let is_unclear = self.survey.refs.iter().any(|broken| broken.target.is_none());
        match self.exit() {
            Exit::Done => None,
            _ if self.has_options() => Some(
                "nothing was changed; --here repairs from this repository, --from CAR|DIR takes missing blocks from a copy, --rebuild signs a new commit of the surviving records",
            ),
            _ if is_unclear => Some(
                "the target of a ref is unknown: set it with pds ref set NAME COMMIT, or delete the ref with pds ref rm NAME",
            ),
            _ if self.lost.iter().any(is_of_another_ref) && self.rebuilt.is_some() => Some(
                "another ref points to a state with losses: move it with pds ref set NAME REV, or delete it with pds ref rm NAME",
            ),
            _ if self.lost.iter().any(is_present) && self.rebuilt.is_none() => Some(
                "blocks are still lost: --from CAR|DIR takes them from a copy, --rebuild signs a new commit without them; pds ref rm NAME deletes another ref that has losses",
            ),
            _ if self.acted && self.unread().iter().any(|unread| unread.what == "refs") => Some(
                "a copy may have a newer state: pds import COPY.car imports it, pds ref set NAME COPY.car points another ref to it",
            ),
            // The list says what to do.
            _ if !self.redate.future.is_empty() => None,
            _ if !self.verifies => {
                Some("the repaired state does not verify; pds verify lists the reasons")
            }
            _ => None,
        }
    }
}

impl Serialize for RepairAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { survey, mended, .. } = self;
        let damaged = survey
            .damaged()
            .iter()
            .map(|block| json!({ "cid": block.name_text(), "sha256": hex(&block.sha256) }));
        let found = survey
            .found()
            .iter()
            .map(|(cid, origin)| json!({ "cid": cid, "source": self.origin(*origin) }));
        let moved = self.moved().iter();
        let moved = moved.map(|moved| ref_json(&moved.name, moved.found, moved.target, true));
        let broken = survey.refs.iter();
        let broken = broken.map(|it| ref_json(&it.name, it.found, it.target, it.is_logged));
        let refs = moved.chain(broken);
        let mut answer = json!({
            "ok": self.exit() == Exit::Done,
            "blocks": survey.blocks,
            "database": self.problems,
            "damaged": damaged.collect::<Vec<_>>(),
            "found": found.collect::<Vec<_>>(),
            "unread": self.unread().iter().map(|unread| unread.what).collect::<Vec<_>>(),
            "refs": refs.collect::<Vec<_>>(),
            "candidates": self.candidates().map(CommitId::of).collect::<Vec<_>>(),
            "lost": self.lost.iter().map(lost_json).collect::<Vec<_>>(),
            "added": mended.added,
            "quarantined": mended.dropped,
            "refsSet": self.restored(),
            "commit": self.new_commit().map(|rebuilt| CommitId::of(&rebuilt.commit)),
        });
        self.redate.add_to(&mut answer);
        if let Some(rebuilt) = &self.rebuilt {
            let earlier = rebuilt.earlier.iter().map(|earlier| {
                json!({ "path": earlier.path(), "cid": earlier.cid, "commit": earlier.commit })
            });
            answer["earlier"] = earlier.collect();
            answer["withoutPath"] = json!(rebuilt.without_path);
            if rebuilt.is_new {
                answer["records"] = json!(rebuilt.records);
            }
        }
        answer.serialize(serializer)
    }
}

impl fmt::Display for RepairAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "database: {}", problem.replace('\n', " "))?;
        }
        for block in self.survey.damaged() {
            let digest = hex(&block.sha256);
            writeln!(f, "damaged {}: the bytes hash to {digest}", block.name_text())?;
        }
        for (cid, origin) in self.survey.found() {
            writeln!(f, "found {cid} in {}", self.origin(*origin))?;
        }
        self.unread_texts().iter().try_for_each(|text| writeln!(f, "{text}"))?;
        self.ref_texts().iter().try_for_each(|text| writeln!(f, "{text}"))?;
        for commit in self.candidates() {
            let (cid, rev) = (commit.cid(), rev_text(commit.rev()));
            writeln!(f, "candidate {cid} rev {rev}")?;
        }
        for lost in &self.lost {
            let state = match (&lost.ref_name, &lost.part) {
                (Some(name), _) => name.to_string(),
                (None, Part::Commit) => "past states".to_owned(),
                (None, _) => format!("commit {}", lost.commit),
            };
            writeln!(f, "lost {} of {state}: {}", lost.part, lost.cid)?;
        }
        self.redate.fmt(f)?;
        if let Some(rebuilt) = &self.rebuilt {
            for earlier in &rebuilt.earlier {
                let (path, commit) = (earlier.path(), earlier.commit);
                writeln!(f, "earlier {path} {} of commit {commit}", earlier.cid)?;
            }
            for cid in &rebuilt.without_path {
                writeln!(f, "without-path {cid}")?;
            }
        }
        self.summary(f)
    }
}

fn broken_text(broken: &BrokenRef) -> String {
    let BrokenRef { name, found, target, is_logged, .. } = broken;
    let found = match found {
        Some(cid) => format!("points to {cid}, which is not a commit"),
        None => "is missing".to_owned(),
    };
    match target {
        Some(cid) if *is_logged => format!("ref {name} {found}; in the log it points to {cid}"),
        Some(cid) => format!("ref {name} {found}; the newest stored commit is {cid}"),
        None => format!("ref {name} {found}; its target is unknown"),
    }
}

fn ref_json(name: &RefName, found: Option<Cid>, cid: Option<Cid>, is_logged: bool) -> Value {
    json!({ "name": name.as_str(), "found": found, "cid": cid, "logged": is_logged })
}

fn moved_text(moved: &SalvagedRef) -> String {
    let SalvagedRef { name, found, target, .. } = moved;
    let found = found.map_or_else(|| "is missing".to_owned(), |cid| format!("points to {cid}"));
    match target {
        Some(cid) => format!("ref {name} {found}; in the log it points to {cid}"),
        None => format!("ref {name} {found}; in the log it is deleted"),
    }
}

/// Tells whether a ref points to the state with the loss.
fn is_present(lost: &Lost) -> bool {
    lost.ref_name.is_some()
}

/// Tells whether the loss is in the state of another ref than HEAD, which a rebuild does not change.
fn is_of_another_ref(lost: &Lost) -> bool {
    lost.ref_name.as_ref().is_some_and(|name| *name != RefName::head())
}

fn lost_json(lost: &Lost) -> Value {
    let mut line = lost_part_json(&lost.part);
    line["cid"] = json!(lost.cid);
    line["commit"] = json!(lost.commit);
    line["rev"] = json!(lost.rev.map(|rev| rev.to_string()));
    line["ref"] = json!(lost.ref_name.as_ref().map(RefName::as_str));
    line
}

/// Returns a loss: a record by its path, or a node by the paths on both sides.
pub(crate) fn lost_part_json(part: &Part) -> Value {
    let text = |key: &Option<Key>| key.as_ref().map(Key::to_string);
    match part {
        Part::Commit => json!({ "kind": "commit" }),
        Part::Record { key } => json!({ "kind": "record", "path": key.to_string() }),
        Part::Records { after, before } => {
            json!({ "kind": "node", "after": text(after), "before": text(before) })
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many candidates for a commit are listed.
const MAX_CANDIDATES: usize = 10;
