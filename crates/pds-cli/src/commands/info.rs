//! `pds info`

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::Cid;
use pds::mst::{Step, walk};
use pds::retain::gc::{Keep, Swept};
use pds::transfer::import::Imported;
use pds::{Repo, Snapshot};
use serde_json::{Map, Value, json};

use crate::failure::{Exit, Stated};
use crate::gaps::Gaps;
use crate::open::{Place, Source};
use crate::output::{Output, rev_text};
use crate::progress::Progress;
use crate::state::StateArg;

/// Tell what a repository is and what is in it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds info\n  pds -R backup.car info --json\n  pds info --at HEAD~2"
)]
pub(crate) struct Args {
    /// The state to tell of: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Tell also what `pds gc` would delete; every state is looked at for that
    #[arg(long)]
    reclaimable: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (path, _) = place.path_at(self.at.as_ref())?;
        let (source, at) = place.source_at(self.at.as_ref())?;
        let snapshot = source.snapshot(at)?;
        let facts = match source {
            Source::Repo(repo) => {
                let mut facts = Facts::at(&snapshot, &repo, Some(&path))?;
                if self.reclaimable {
                    let mut progress = Progress::blocks("looking");
                    let swept = repo
                        .retain()
                        .reclaimable(&Keep::default(), &mut |blocks| progress.add(blocks))?;
                    facts.reclaimable = Some(swept);
                }
                facts
            }
            Source::Car(_) if self.reclaimable => {
                return Err(Stated::usage("nothing can be deleted from a CAR file").into());
            }
            source @ Source::Car(_) => {
                let Source::Car(car) = source else { unreachable!("it was matched above") };
                Facts::of_snapshot(&snapshot, car.sections(), 0, car.bytes(), None)?
            }
        };
        facts.print(out)?;
        Ok(facts.gaps.exit())
    }
}

/// What `info` tells.
pub(crate) struct Facts {
    did: String,
    rev: Option<String>,
    commit: Cid,
    data: Cid,
    version: u8,
    signing_key: Option<String>,
    can_sign: bool,
    records: u64,
    collections: Vec<(String, u64)>,
    blocks: u64,
    nodes: u64,
    blobs: u64,
    bytes: u64,
    reclaimable: Option<Swept>,
    gaps: Gaps,
}

impl Facts {
    /// What there is to tell of a repository that has just been made; the import has counted it.
    pub(crate) fn of_clone(repo: &Repo, imported: Imported, dir: &Path) -> Result<Self> {
        let Imported { records, nodes, collections, .. } = imported;
        let counted = Counted { records, nodes, collections, gaps: Gaps::default() };
        let key = repo.public_key()?.map(|key| key.did_key());
        Ok(Self::with(&imported.commit, counted, imported.new_blocks, 0, size_of(dir), key))
    }

    pub(crate) fn of_repo(repo: &Repo, dir: Option<&Path>) -> Result<Self> {
        Self::at(&repo.snapshot()?, repo, dir)
    }

    fn at(snapshot: &Snapshot, repo: &Repo, dir: Option<&Path>) -> Result<Self> {
        let maintain = repo.store().maintain();
        let blocks = maintain.map_or(Ok(0), |maintain| maintain.block_count())?;
        let mut blobs = 0;
        repo.blobs().list(&mut |_| {
            blobs += 1;
            ControlFlow::Continue(())
        })?;
        let key = repo.public_key()?.map(|key| key.did_key());
        let mut facts = Self::of_snapshot(snapshot, blocks, blobs, dir.map_or(0, size_of), key)?;
        facts.can_sign = repo.keys().can_sign()
            || dir.is_some_and(|dir| dir.join(pds::local::layout::KEY_FILE).is_file());
        Ok(facts)
    }

    fn of_snapshot(
        snapshot: &Snapshot,
        blocks: u64,
        blobs: u64,
        bytes: u64,
        signing_key: Option<String>,
    ) -> Result<Self> {
        let counted = Counted::of(snapshot)?;
        Ok(Self::with(snapshot.commit(), counted, blocks, blobs, bytes, signing_key))
    }

    fn with(
        commit: &Commit,
        counted: Counted,
        blocks: u64,
        blobs: u64,
        bytes: u64,
        signing_key: Option<String>,
    ) -> Self {
        let Counted { records, nodes, collections, gaps } = counted;
        Self {
            did: commit.did().to_string(),
            rev: commit.rev().map(|rev| rev.to_string()),
            commit: commit.cid(),
            data: commit.data(),
            version: commit.version(),
            signing_key,
            can_sign: false,
            records,
            collections,
            blocks,
            nodes,
            blobs,
            bytes,
            reclaimable: None,
            gaps,
        }
    }

    pub(crate) fn print(&self, out: &mut Output) -> Result<()> {
        out.answer(|| self.text(), || self.json())
    }

    fn text(&self) -> String {
        let key = match (&self.signing_key, self.can_sign) {
            (Some(key), true) => key.clone(),
            (Some(key), false) => format!("{key} (public part only: a mirror)"),
            (None, _) => "unknown (a mirror)".to_owned(),
        };
        let rev = self.rev.clone().unwrap_or_else(|| rev_text(None));
        let mut text = format!(
            "did      {}\nkey      {key}\ncommit   {}\nrev      {rev}\ndata     {}\nversion  {}\n\
             records  {}\nblocks   {} ({} tree nodes)\nblobs    {}\nbytes    {}",
            self.did,
            self.commit,
            self.data,
            self.version,
            self.records,
            self.blocks,
            self.nodes,
            self.blobs,
            self.bytes,
        );
        if let Some(swept) = &self.reclaimable {
            let Swept { blocks, blobs, .. } = swept;
            let bytes = swept.bytes();
            text.push_str(&format!("\ngarbage  {bytes} bytes ({blocks} blocks, {blobs} blobs)"));
        }
        for (collection, count) in &self.collections {
            text.push_str(&format!("\n  {collection}\t{count}"));
        }
        text
    }

    fn json(&self) -> Value {
        let collections: Map<String, Value> =
            self.collections.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        let mut json = json!({
            "did": self.did,
            "rev": self.rev,
            "commit": self.commit.to_string(),
            "data": self.data.to_string(),
            "version": self.version,
            "signingKey": self.signing_key,
            "records": self.records,
            "collections": collections,
            "blocks": self.blocks,
            "nodes": self.nodes,
            "blobs": self.blobs,
            "bytes": self.bytes,
        });
        if let Some(swept) = &self.reclaimable {
            let (blocks, blobs, bytes) = (swept.blocks, swept.blobs, swept.bytes());
            json["reclaimable"] = json!({ "blocks": blocks, "blobs": blobs, "bytes": bytes });
        }
        json
    }
}

/// What has been counted of a tree.
struct Counted {
    records: u64,
    nodes: u64,
    collections: Vec<(String, u64)>,
    gaps: Gaps,
}

impl Counted {
    fn of(snapshot: &Snapshot) -> Result<Self> {
        let mut gaps = Gaps::default();
        let (mut nodes, mut records) = (0, 0);
        let mut collections: Vec<(String, u64)> = Vec::new();
        for step in walk(snapshot.blocks(), snapshot.commit().data()) {
            match gaps.pass(step)? {
                None => {}
                Some(Step::Node { .. }) => nodes += 1,
                Some(Step::Entry { key, .. }) => {
                    records += 1;
                    let collection = key.as_bytes().split(|byte| *byte == b'/').next();
                    let collection = collection.unwrap_or_default();
                    match collections.last_mut() {
                        Some((last, count)) if last.as_bytes() == collection => *count += 1,
                        _ => collections.push((collection.escape_ascii().to_string(), 1)),
                    }
                }
            }
        }
        Ok(Self { records, nodes, collections, gaps })
    }
}

/// How much the files of a directory take; what cannot be looked at counts as nothing, and so does
/// the memory that those who have the store open share, we among them.
pub(super) fn size_of(dir: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(file) if file.is_dir() => waiting.push(entry.path()),
                Ok(_) if entry.file_name().as_encoded_bytes().ends_with(b"-shm") => {}
                Ok(file) => total += file.len(),
                Err(_) => {}
            }
        }
    }
    total
}
