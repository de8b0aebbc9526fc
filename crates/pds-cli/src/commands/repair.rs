//! `pds repair`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::car::CarFile;
use pds::data::Blocks;
use pds::mst::Key;
use pds::repo::repair::{Lost, Origin, Part, Quarantine, Rebuilt, Survey, salvage_database};
use pds::repo::verify::Expected;
use pds::repo::{Error, KEY_FILE, Repo, STORE_FILE};
use pds::store::{Mended, SqliteStore};
use serde_json::{Map, Value, json};

use crate::failure::{Exit, Stated};
use crate::open::{Place, is_a_file, open_file};
use crate::output::{Output, commit_json, rev_text, say};

/// Say what is damaged or missing, and mend it
///
/// Without options it looks at every block and every state, and changes nothing. Damaged blocks are
/// moved to the directory quarantine/ of the repository, never deleted. Exit code 0 if nothing is
/// wrong with the present (any more), 1 if something is and nothing was done, 6 if something of it is
/// lost: it is listed. What only past states have lost is listed too, and is no failure.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds repair\n  pds repair --from .\n  pds repair --from backup.car --from ../old-copy\n  pds repair --from backup.car --rebuild"
)]
pub(crate) struct Args {
    /// Take what is missing from a CAR file, itself damaged perhaps, or from another repository. What this
    /// one has itself, under wrong names or in other states, is always taken
    #[arg(long = "from", value_name = "CAR|DIR")]
    sources: Vec<PathBuf>,

    /// Sign a new commit of all records that have survived; takes the key
    #[arg(long)]
    rebuild: bool,

    /// Say what is wrong and what could be had, and change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        if is_a_file(&dir) {
            let message = format!("{} is a file: a repository is repaired", dir.display());
            return Err(Stated::usage(message)
                .hint("pds recover FILE reads what can be read of a CAR file")
                .into());
        }
        let acts = !self.dry_run && (self.rebuild || !self.sources.is_empty());
        let store = dir.join(STORE_FILE);
        if !store.is_file() {
            return Err(Error::NotARepository(dir).into());
        }
        if self.rebuild && !dir.join(KEY_FILE).exists() {
            return Err(Error::NoSigner.into());
        }
        let problems = SqliteStore::check_file(&store)?;
        let elsewhere = tempfile::tempdir().context("cannot make a temporary directory")?;
        let repo = match problems.is_empty() {
            true if self.rebuild => place.repo()?,
            true => place.mirror()?,
            false if acts => {
                salvage_database(&dir)?;
                if self.rebuild { place.repo()? } else { place.mirror()? }
            }
            false => {
                let copy = elsewhere.path().join(STORE_FILE);
                SqliteStore::salvage(&store, &copy)?;
                Repo::open_without_key(elsewhere.path())?
            }
        };
        let sources = self.sources.iter().map(|path| open_source(path));
        let sources: Vec<Arc<dyn Blocks>> = sources.collect::<Result<_>>()?;
        let sources: Vec<&dyn Blocks> = sources.iter().map(AsRef::as_ref).collect();

        let survey = repo.survey(&sources)?;
        let mut outcome = Outcome { problems, lost: survey.lost.clone(), ..Outcome::default() };
        if acts {
            let quarantine = Quarantine::of(&dir);
            let keep = &mut |block: &_, bytes: &[u8]| quarantine.keep(block, bytes);
            outcome.mended = repo.mend(&survey, &sources, keep)?;
            if self.rebuild {
                let rebuilt = repo.rebuild(keep)?;
                if rebuilt.is_new {
                    outcome.lost.retain(|lost| lost.commit != rebuilt.before);
                    outcome.lost.splice(0..0, rebuilt.lost.iter().cloned());
                    outcome.rebuilt = Some(rebuilt);
                }
            }
            outcome.verified = Some(is_whole(&repo)?);
        }
        self.tell(&survey, &outcome, out)?;
        Ok(outcome.exit(&survey))
    }

    fn tell(&self, survey: &Survey, outcome: &Outcome, out: &mut Output) -> Result<()> {
        if out.is_json() {
            return out.json(&self.json(survey, outcome));
        }
        for problem in &outcome.problems {
            out.line(&format!("database: {}", problem.replace('\n', " ")))?;
        }
        for block in survey.damaged() {
            let digest = hex(&block.sha256);
            out.line(&format!("damaged {}: the bytes hash to {digest}", block.name_text()))?;
        }
        for (cid, origin) in survey.found() {
            out.line(&format!("found {cid} in {}", self.origin(*origin)))?;
        }
        for lost in &outcome.lost {
            let state = match &lost.ref_name {
                Some(name) => name.to_string(),
                None => format!("commit {}", lost.commit),
            };
            out.line(&format!("lost {} of {state}: {}", lost.part, lost.cid))?;
        }
        if let Some(rebuilt) = &outcome.rebuilt {
            for earlier in &rebuilt.earlier {
                let (path, commit) = (earlier.path(), earlier.commit);
                out.line(&format!("earlier {path} {} of commit {commit}", earlier.cid))?;
            }
            for cid in &rebuilt.without_path {
                out.line(&format!("without-path {cid}"))?;
            }
        }
        out.line(&outcome.summary(survey))?;
        if outcome.exit(survey) == Exit::No && outcome.verified.is_none() {
            say(
                "nothing was changed; --from CAR|DIR takes what is missing from elsewhere, --rebuild signs a new commit of what is left",
            );
        }
        Ok(())
    }

    fn json(&self, survey: &Survey, outcome: &Outcome) -> Value {
        let damaged = survey
            .damaged()
            .iter()
            .map(|block| json!({ "cid": block.name_text(), "sha256": hex(&block.sha256) }));
        let found = survey
            .found()
            .iter()
            .map(|(cid, origin)| json!({ "cid": cid.to_string(), "source": self.origin(*origin) }));
        let mut value = json!({
            "ok": outcome.exit(survey) == Exit::Done,
            "blocks": survey.blocks,
            "database": outcome.problems,
            "damaged": damaged.collect::<Vec<_>>(),
            "found": found.collect::<Vec<_>>(),
            "lost": outcome.lost.iter().map(lost_json).collect::<Vec<_>>(),
            "added": outcome.mended.added,
            "quarantined": outcome.mended.dropped,
            "commit": Value::Null,
        });
        if let (Value::Object(value), Some(rebuilt)) = (&mut value, &outcome.rebuilt) {
            let earlier = rebuilt.earlier.iter().map(|earlier| {
                let (cid, commit) = (earlier.cid.to_string(), earlier.commit.to_string());
                json!({ "path": earlier.path(), "cid": cid, "commit": commit })
            });
            let without_path = rebuilt.without_path.iter().map(ToString::to_string);
            let commit = commit_json(rebuilt.commit.cid(), rebuilt.commit.rev());
            value.insert("commit".to_owned(), commit);
            value.insert("records".to_owned(), json!(rebuilt.records));
            value.insert("earlier".to_owned(), earlier.collect());
            value.insert("withoutPath".to_owned(), without_path.collect());
        }
        value
    }

    fn origin(&self, origin: Origin) -> String {
        match origin {
            Origin::Here => "this repository, under another name".to_owned(),
            Origin::Deduced => "no place, worked out from other states".to_owned(),
            Origin::Source(number) => {
                self.sources.get(number).map_or_else(String::new, |path| path.display().to_string())
            }
        }
    }
}

/// What was done, and what it amounts to.
struct Outcome {
    /// What SQLite found wrong with the file, before.
    problems: Vec<String>,
    mended: Mended,
    rebuilt: Option<Rebuilt>,
    lost: Vec<Lost>,
    /// Whether the present state verifies; `None` where nothing was to be changed.
    verified: Option<bool>,
}

impl Default for Outcome {
    fn default() -> Self {
        let mended = Mended { added: 0, dropped: 0 };
        let (problems, lost) = (Vec::new(), Vec::new());
        Self { problems, mended, rebuilt: None, lost, verified: None }
    }
}

impl Outcome {
    /// What counts is the present: what only past states have lost is told, and is no failure.
    fn exit(&self, survey: &Survey) -> Exit {
        let acted = self.verified.is_some();
        let is_sound = survey.damaged().is_empty()
            && survey.unreadable.is_none()
            && survey.found().is_empty()
            && self.problems.is_empty();
        let is_complete = !self.lost.iter().any(is_present);
        let did_something = self.mended.added > 0
            || self.mended.dropped > 0
            || self.rebuilt.is_some()
            || !self.problems.is_empty();
        match self.verified {
            _ if is_complete && (acted || is_sound) && self.verified != Some(false) => Exit::Done,
            Some(_) if did_something => Exit::Partly,
            _ => Exit::No,
        }
    }

    fn summary(&self, survey: &Survey) -> String {
        let verdict = match self.exit(survey) {
            Exit::Done => "ok",
            Exit::Partly => "partly mended",
            _ => "FAILED",
        };
        let mut text = format!(
            "{verdict}: {} blocks, {} damaged, {} found, {} lost",
            survey.blocks,
            survey.damaged().len(),
            survey.found().len(),
            self.lost.iter().filter(|lost| is_present(lost)).count(),
        );
        match self.lost.iter().filter(|lost| !is_present(lost)).count() {
            0 => {}
            past => text.push_str(&format!(", {past} lost of the past")),
        }
        if self.verified.is_some() {
            let Mended { added, dropped } = self.mended;
            text.push_str(&format!("; {added} taken in, {dropped} moved to quarantine"));
        }
        if let Some(Rebuilt { commit, records, .. }) = &self.rebuilt {
            let (cid, rev) = (commit.cid(), rev_text(commit.rev()));
            text.push_str(&format!("; new commit {cid} rev {rev} with {records} records"));
        }
        text
    }
}

/// Opens a place that may have blocks: what is damaged in it is passed over.
pub(crate) fn open_source(path: &Path) -> Result<Arc<dyn Blocks>> {
    if path.is_dir() {
        let repo = Repo::open_without_key(path);
        let repo = repo.with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(repo.blocks());
    }
    let mut damaged = 0_u64;
    let car = CarFile::salvage(open_file(path)?, &mut |_| damaged += 1);
    let car = car.with_context(|| format!("cannot read {}", path.display()))?;
    if car.is_empty() {
        return Err(Stated::bad_input(format!("no block can be read in {}", path.display())).into());
    }
    if damaged > 0 {
        let path = path.display();
        say(&format!("{path}: {damaged} places cannot be read; what can be is used"));
    }
    Ok(Arc::new(car))
}

/// Makes every check there is of the present state.
fn is_whole(repo: &Repo) -> Result<bool> {
    let report = repo.verify(&Expected::default(), &mut |_| {})?;
    Ok(report.is_ok() && report.is_complete())
}

/// Tells whether a ref names the state that has lost it.
fn is_present(lost: &Lost) -> bool {
    lost.ref_name.is_some()
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
