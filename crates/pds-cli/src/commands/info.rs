//! `pds info`

use std::path::Path;

use anyhow::Result;
use pds::data::Cid;
use pds::mst::{Step, walk};
use pds::repo::{Repo, Snapshot};
use serde_json::{Map, Value, json};

use crate::failure::Exit;
use crate::gaps::Gaps;
use crate::open::{Place, Source};
use crate::output::{Output, rev_text};

/// Tell what a repository is and what is in it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds info\n  pds -R backup.car info --json\n  pds info --at HEAD~2"
)]
pub(crate) struct Args {
    /// The state to tell of: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<String>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (source, at) = place.source_at(self.at.as_deref())?;
        let snapshot = source.snapshot(at)?;
        let facts = match source {
            Source::Repo(repo) => Facts::at(&snapshot, &repo, Some(&place.directory()?))?,
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
    gaps: Gaps,
}

impl Facts {
    pub(crate) fn of_repo(repo: &Repo, dir: Option<&Path>) -> Result<Self> {
        Self::at(&repo.snapshot()?, repo, dir)
    }

    fn at(snapshot: &Snapshot, repo: &Repo, dir: Option<&Path>) -> Result<Self> {
        let blocks = repo.store().block_count()?;
        let blobs = repo.blobs().list()?.len() as u64;
        let key = repo.public_key()?.map(|key| key.did_key());
        let mut facts = Self::of_snapshot(snapshot, blocks, blobs, dir.map_or(0, size_of), key)?;
        facts.can_sign =
            repo.can_sign() || dir.is_some_and(|dir| dir.join(pds::repo::KEY_FILE).is_file());
        Ok(facts)
    }

    fn of_snapshot(
        snapshot: &Snapshot,
        blocks: u64,
        blobs: u64,
        bytes: u64,
        signing_key: Option<String>,
    ) -> Result<Self> {
        let commit = snapshot.commit();
        let mut gaps = Gaps::default();
        let (mut nodes, mut records) = (0, 0);
        let mut collections: Vec<(String, u64)> = Vec::new();
        for step in walk(snapshot.blocks(), commit.data()) {
            match gaps.pass(step)? {
                None => {}
                Some(Step::Node { .. }) => nodes += 1,
                Some(Step::Entry { key, .. }) => {
                    records += 1;
                    let path = key.to_string();
                    let (collection, _) = path.split_once('/').unwrap_or((&path, ""));
                    match collections.last_mut() {
                        Some((last, count)) if last == collection => *count += 1,
                        _ => collections.push((collection.to_owned(), 1)),
                    }
                }
            }
        }
        Ok(Self {
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
            gaps,
        })
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
        for (collection, count) in &self.collections {
            text.push_str(&format!("\n  {collection}\t{count}"));
        }
        text
    }

    fn json(&self) -> Value {
        let collections: Map<String, Value> =
            self.collections.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        json!({
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
        })
    }
}

/// How much the files of a directory take; what cannot be looked at counts as nothing, and so does
/// the memory that those who have the store open share, we among them.
fn size_of(dir: &Path) -> u64 {
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
