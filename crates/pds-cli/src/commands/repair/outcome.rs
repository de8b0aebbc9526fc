//! What a repair has found and done, as it is told.

use std::path::PathBuf;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::Cid;
use pds::mst::Key;
use pds::store::{RefName, Replaced, Salvaged, SalvagedRef};
use pds_rescue::{Lost, Origin, Part, Rebuilt, StrayRef, Survey};
use serde_json::{Map, Value, json};

use crate::failure::Exit;
use crate::output::{Output, commit_json, counted, rev_text, say};

/// What was done, and what it amounts to.
pub(super) struct Outcome<'a> {
    pub(super) survey: &'a Survey,
    pub(super) sources: &'a [PathBuf],
    /// What SQLite found wrong with the file, before.
    pub(super) problems: Vec<String>,
    /// What could be read of a damaged file.
    pub(super) salvaged: Option<Salvaged>,
    pub(super) mended: Replaced,
    pub(super) rebuilt: Option<Rebuilt>,
    pub(super) lost: Vec<Lost>,
    /// Whether anything was to be changed.
    pub(super) acted: bool,
    /// Whether the present state verifies, after it.
    pub(super) verifies: bool,
}

/// A table of the database that could not be read whole.
struct Unread {
    what: &'static str,
    left: String,
    lost: &'static str,
}

impl<'a> Outcome<'a> {
    /// What was found; nothing has been done yet.
    pub(super) fn new(
        survey: &'a Survey,
        sources: &'a [PathBuf],
        problems: Vec<String>,
        salvaged: Option<Salvaged>,
    ) -> Self {
        let mended = Replaced::default();
        let lost = survey.lost.clone();
        let (rebuilt, acted, verifies) = (None, false, false);
        Self { survey, sources, problems, salvaged, mended, rebuilt, lost, acted, verifies }
    }

    /// How many refs were set to where they stood.
    fn restored(&self) -> usize {
        let known = self.survey.refs.iter().filter(|stray| stray.target.is_some());
        if self.acted { known.count() + self.moved().len() } else { 0 }
    }

    /// The refs that the new database has elsewhere than a row of the old one said.
    fn moved(&self) -> &[SalvagedRef] {
        self.salvaged.as_ref().map_or(&[], |salvaged| &salvaged.moved)
    }

    /// What may be lost without anything that is left telling of it.
    fn unread(&self) -> Vec<Unread> {
        let Some(salvaged) = &self.salvaged else { return Vec::new() };
        let Salvaged { has_all_refs, has_all_moves, has_all_facts, refs, moves, .. } = salvaged;
        let log = Unread {
            what: "log",
            left: format!("the log could not be read whole: {} left", so_many_are(*moves, "move")),
            lost: match has_all_refs {
                true => "states that only it named may be lost",
                false => "newer states may be lost",
            },
        };
        let refs = Unread {
            what: "refs",
            left: format!("the refs could not be read whole: {} left", so_many_are(*refs, "ref")),
            lost: "others may be lost",
        };
        let meta = Unread {
            what: "meta",
            left: "what is noted of the repository could not be read whole".to_owned(),
            lost: "keys of earlier times, and what is still to be erased, may be lost",
        };
        // The whole log tells of every ref.
        let has_all_refs = *has_all_refs || *has_all_moves;
        let unread = [(log, *has_all_moves), (refs, has_all_refs), (meta, *has_all_facts)];
        unread.into_iter().filter(|(_, is_all)| !is_all).map(|(unread, _)| unread).collect()
    }

    /// Takes note of a rebuilding: what the state before had lost is what it says.
    pub(super) fn add(&mut self, rebuilt: Rebuilt) {
        let is_told = |lost: &Lost| {
            let again = |told: &Lost| told.cid == lost.cid && told.part == lost.part;
            rebuilt.is_new && lost.commit == rebuilt.before || rebuilt.lost.iter().any(again)
        };
        self.lost.retain(|lost| !is_told(lost));
        self.lost.splice(0..0, rebuilt.lost.iter().cloned());
        self.rebuilt = Some(rebuilt);
    }

    pub(super) fn tell(&self, out: &mut Output) -> Result<()> {
        if out.is_json() {
            return out.json(&self.json());
        }
        for problem in &self.problems {
            out.line(&format!("database: {}", problem.replace('\n', " ")))?;
        }
        for block in self.survey.damaged() {
            let digest = hex(&block.sha256);
            out.line(&format!("damaged {}: the bytes hash to {digest}", block.name_text()))?;
        }
        for (cid, origin) in self.survey.found() {
            out.line(&format!("found {cid} in {}", self.origin(*origin)))?;
        }
        for unread in self.unread() {
            out.line(&format!("{}; {}", unread.left, unread.lost))?;
        }
        for moved in self.moved() {
            out.line(&moved_text(moved))?;
        }
        for stray in &self.survey.refs {
            out.line(&stray_text(stray))?;
        }
        for commit in self.candidates() {
            let (cid, rev) = (commit.cid(), rev_text(commit.rev()));
            out.line(&format!("candidate {cid} rev {rev}"))?;
        }
        for lost in &self.lost {
            let state = match (&lost.ref_name, &lost.part) {
                (Some(name), _) => name.to_string(),
                (None, Part::Commit) => "the past".to_owned(),
                (None, _) => format!("commit {}", lost.commit),
            };
            out.line(&format!("lost {} of {state}: {}", lost.part, lost.cid))?;
        }
        if let Some(rebuilt) = &self.rebuilt {
            for earlier in &rebuilt.earlier {
                let (path, commit) = (earlier.path(), earlier.commit);
                out.line(&format!("earlier {path} {} of commit {commit}", earlier.cid))?;
            }
            for cid in &rebuilt.without_path {
                out.line(&format!("without-path {cid}"))?;
            }
        }
        out.line(&self.summary())?;
        if let Some(hint) = self.hint() {
            say(hint);
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let Self { survey, mended, .. } = self;
        let damaged = survey
            .damaged()
            .iter()
            .map(|block| json!({ "cid": block.name_text(), "sha256": hex(&block.sha256) }));
        let found = survey
            .found()
            .iter()
            .map(|(cid, origin)| json!({ "cid": cid.to_string(), "source": self.origin(*origin) }));
        let candidates = self.candidates().map(|commit| commit_json(commit.cid(), commit.rev()));
        let moved = self.moved().iter().map(moved_json);
        let refs = moved.chain(survey.refs.iter().map(stray_json));
        let mut value = json!({
            "ok": self.exit() == Exit::Done,
            "blocks": survey.blocks,
            "database": self.problems,
            "damaged": damaged.collect::<Vec<_>>(),
            "found": found.collect::<Vec<_>>(),
            "unread": self.unread().iter().map(|unread| unread.what).collect::<Vec<_>>(),
            "refs": refs.collect::<Vec<_>>(),
            "candidates": candidates.collect::<Vec<_>>(),
            "lost": self.lost.iter().map(lost_json).collect::<Vec<_>>(),
            "added": mended.added,
            "quarantined": mended.dropped,
            "refsSet": self.restored(),
            "commit": Value::Null,
        });
        if let (Value::Object(value), Some(rebuilt)) = (&mut value, &self.rebuilt) {
            let earlier = rebuilt.earlier.iter().map(|earlier| {
                let (cid, commit) = (earlier.cid.to_string(), earlier.commit.to_string());
                json!({ "path": earlier.path(), "cid": cid, "commit": commit })
            });
            let without_path = rebuilt.without_path.iter().map(ToString::to_string);
            if rebuilt.is_new {
                let commit = commit_json(rebuilt.commit.cid(), rebuilt.commit.rev());
                value.insert("commit".to_owned(), commit);
                value.insert("records".to_owned(), json!(rebuilt.records));
            }
            value.insert("earlier".to_owned(), earlier.collect());
            value.insert("withoutPath".to_owned(), without_path.collect());
        }
        value
    }

    fn new_commit(&self) -> Option<&Rebuilt> {
        self.rebuilt.as_ref().filter(|rebuilt| rebuilt.is_new)
    }

    fn origin(&self, origin: Origin) -> String {
        match origin {
            Origin::Here => "this repository, under another name".to_owned(),
            Origin::Source(number) => {
                self.sources.get(number).map_or_else(String::new, |path| path.display().to_string())
            }
        }
    }

    /// What HEAD may have stood at, where nothing says at which of these.
    fn candidates(&self) -> impl Iterator<Item = &Commit> {
        let is_unknown = |stray: &StrayRef| stray.target.is_none() && stray.name == RefName::head();
        let count = if self.survey.refs.iter().any(is_unknown) { MAX_CANDIDATES } else { 0 };
        self.survey.commits().iter().take(count)
    }

    /// What counts is the present: what only past states have lost is told, and is no failure.
    pub(super) fn exit(&self) -> Exit {
        let Self { survey, mended, .. } = self;
        let is_sound = survey.damaged().is_empty()
            && survey.unreadable.is_none()
            && survey.found().is_empty()
            && survey.refs.is_empty()
            && self.problems.is_empty();
        let is_complete = !self.lost.iter().any(is_present)
            && self.unread().is_empty()
            && survey.refs.iter().all(|stray| stray.target.is_some());
        let did_something = mended.added > 0
            || mended.dropped > 0
            || self.restored() > 0
            || self.rebuilt.as_ref().is_some_and(|done| done.is_new || !done.lost.is_empty())
            || !self.problems.is_empty();
        match self.acted {
            _ if is_complete && (self.acted || is_sound) && self.verifies => Exit::Done,
            true if did_something => Exit::Partly,
            _ => Exit::No,
        }
    }

    fn summary(&self) -> String {
        let verdict = match self.exit() {
            Exit::Done => "ok",
            Exit::Partly => "partly mended",
            _ => "FAILED",
        };
        let mut text = format!(
            "{verdict}: {}, {} damaged, {} found, {} lost",
            counted(self.survey.blocks, "block"),
            self.survey.damaged().len(),
            self.survey.found().len(),
            self.lost.iter().filter(|lost| is_present(lost)).count(),
        );
        match self.lost.iter().filter(|lost| !is_present(lost)).count() {
            0 => {}
            past => text.push_str(&format!(", {past} lost of the past")),
        }
        match self.survey.refs.len() + self.moved().len() {
            0 => {}
            1 => text.push_str(", 1 ref astray"),
            many => text.push_str(&format!(", {many} refs astray")),
        }
        if self.acted {
            let Replaced { added, dropped, .. } = self.mended;
            text.push_str(&format!("; {added} taken in, {dropped} moved to quarantine"));
        }
        match self.restored() {
            0 => {}
            1 => text.push_str(", 1 ref set"),
            many => text.push_str(&format!(", {many} refs set")),
        }
        match (&self.rebuilt, self.new_commit()) {
            (_, Some(Rebuilt { commit, records, .. })) => {
                let (cid, rev) = (commit.cid(), rev_text(commit.rev()));
                let records = counted(*records, "record");
                text.push_str(&format!("; new commit {cid} rev {rev} with {records}"));
            }
            (Some(Rebuilt { commit, lost, .. }), None) if !lost.is_empty() => {
                text.push_str(&format!("; HEAD is back at commit {}", commit.cid()));
            }
            _ => {}
        }
        text
    }

    /// What to do next, where something is left to do.
    fn hint(&self) -> Option<&'static str> {
        let is_unclear = self.survey.refs.iter().any(|stray| stray.target.is_none());
        let is_unsound = !self.survey.is_clean() || !self.problems.is_empty();
        match self.exit() {
            Exit::Done => None,
            _ if is_unsound && !self.acted => Some(
                "nothing was changed; --here mends with what is left here, --from CAR|DIR takes what is missing from elsewhere, --rebuild signs a new commit of what is left",
            ),
            _ if is_unclear => Some(
                "pds ref set NAME COMMIT sets a ref of which nothing says where it stood, pds ref rm NAME removes it",
            ),
            _ if self.lost.iter().any(is_of_another_ref) && self.rebuilt.is_some() => Some(
                "a ref that names a state with losses is the user's: pds ref set NAME REV moves it to another one, pds ref rm NAME removes it",
            ),
            _ if self.lost.iter().any(is_present) && self.rebuilt.is_none() => Some(
                "what is still lost: --from CAR|DIR takes it from elsewhere, --rebuild signs a new commit without it; pds ref rm NAME removes another ref",
            ),
            _ if self.acted && self.unread().iter().any(|unread| unread.what == "refs") => Some(
                "a copy may have a newer state: pds import COPY.car takes it in, pds ref set NAME COPY.car sets another ref to it",
            ),
            _ if !self.verifies => Some(
                "all that there is has been looked at, and does not verify: pds verify says why",
            ),
            _ => None,
        }
    }
}

fn stray_text(stray: &StrayRef) -> String {
    let StrayRef { name, found, target, is_logged, .. } = stray;
    let found = match found {
        Some(cid) => format!("names {cid}, which is no commit"),
        None => "is gone".to_owned(),
    };
    match target {
        Some(cid) if *is_logged => format!("ref {name} {found}: by the log it stood at {cid}"),
        Some(cid) => format!("ref {name} {found}: the newest commit here is {cid}"),
        None => format!("ref {name} {found}: nothing says where it stood"),
    }
}

fn stray_json(stray: &StrayRef) -> Value {
    let StrayRef { name, found, target, is_logged, .. } = stray;
    ref_json(name, [found, target], *is_logged)
}

fn ref_json(name: &RefName, at: [&Option<Cid>; 2], is_logged: bool) -> Value {
    let [found, cid] = at.map(|cid| cid.map(|cid| cid.to_string()));
    json!({ "name": name.as_str(), "found": found, "cid": cid, "logged": is_logged })
}

fn moved_text(moved: &SalvagedRef) -> String {
    let SalvagedRef { name, found, target, .. } = moved;
    let found = found.map_or_else(|| "is gone".to_owned(), |cid| format!("was found at {cid}"));
    match target {
        Some(cid) => format!("ref {name} {found}: by the log it stood at {cid}"),
        None => format!("ref {name} {found}: by the log it was removed"),
    }
}

fn moved_json(moved: &SalvagedRef) -> Value {
    let SalvagedRef { name, found, target, .. } = moved;
    ref_json(name, [found, target], true)
}

/// Tells whether a ref names the state that has lost it.
fn is_present(lost: &Lost) -> bool {
    lost.ref_name.is_some()
}

/// Tells whether it is another ref than HEAD: a rebuilding does not follow it up.
fn is_of_another_ref(lost: &Lost) -> bool {
    lost.ref_name.as_ref().is_some_and(|name| *name != RefName::head())
}

fn lost_json(lost: &Lost) -> Value {
    let mut line = lost_part_json(&lost.part);
    line.insert("cid".to_owned(), json!(lost.cid.to_string()));
    line.insert("commit".to_owned(), json!(lost.commit.to_string()));
    line.insert("rev".to_owned(), json!(lost.rev.map(|rev| rev.to_string())));
    line.insert("ref".to_owned(), json!(lost.ref_name.as_ref().map(ToString::to_string)));
    Value::Object(line)
}

/// What is lost: a record by its path, a node by the paths on its two sides.
pub(crate) fn lost_part_json(part: &Part) -> Map<String, Value> {
    let text = |key: &Key| json!(key.as_bytes().escape_ascii().to_string());
    let mut line = Map::new();
    match part {
        Part::Commit => drop(line.insert("kind".to_owned(), json!("commit"))),
        Part::Record { key } => {
            line.insert("kind".to_owned(), json!("record"));
            line.insert("path".to_owned(), text(key));
        }
        Part::Records { after, before } => {
            line.insert("kind".to_owned(), json!("node"));
            line.insert("after".to_owned(), after.as_ref().map_or(Value::Null, text));
            line.insert("before".to_owned(), before.as_ref().map_or(Value::Null, text));
        }
    }
    line
}

fn so_many_are(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what} is") } else { format!("{count} {what}s are") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many commits are named where one is to be chosen.
const MAX_CANDIDATES: usize = 10;
